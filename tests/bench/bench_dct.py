"""dct2 and idct2 beside ducc0, scipy, OpenCV, matrix products and a transform by FFT in torch."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import ducc0
import numpy as np
import scipy.fft
import torch
from case import Case, images
from torch import Tensor

from forensic import kernels
from forensic.kernels import reference


def cases(threads: int, *, everything: bool) -> Iterator[Case]:
    for batch in (1, 8, 64):
        yield case((batch, 3, 128, 128), threads)
    yield inverse((64, 3, 128, 128), threads)
    if everything:
        for size in (96, 200, 256, 512):
            yield case((8, 3, size, size), threads)
        yield case((500, 3, 128, 128), threads)
        yield case((64, 3, 128, 128), threads, "float64")
        yield case((64, 3, 128, 128), 1)


class ByFFT:
    """A DCT-II as the real part of a turned FFT of the reordered line (Makhoul), along both axes."""

    def __init__(self, height: int, width: int, dtype: torch.dtype) -> None:
        self.turns = {}
        for n in {height, width}:
            k = torch.arange(n // 2 + 1, dtype=torch.float64)
            turn = torch.polar(torch.full_like(k, math.sqrt(2 / n)), -math.pi * k / (2 * n))
            turn[0] /= math.sqrt(2)
            self.turns[n] = turn.to(torch.complex64 if dtype == torch.float32 else torch.complex128)

    def line(self, x: Tensor) -> Tensor:
        n = x.shape[-1]
        turned = torch.fft.rfft(torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], dim=-1)) * self.turns[n]
        return torch.cat([turned.real, -turned.imag[..., 1 : (n + 1) // 2].flip(-1)], dim=-1)

    def __call__(self, x: Tensor) -> Tensor:
        return self.line(self.line(x).transpose(-1, -2)).transpose(-1, -2)


def case(shape: tuple[int, ...], threads: int, dtype: str = "float32") -> Case:
    height, width = shape[-2:]
    x = images(*shape, dtype=dtype)
    a, target = x.numpy(), np.empty(shape, dtype)
    planes, places = a.reshape(-1, height, width), target.reshape(-1, height, width)
    down, across = (reference.dct_matrix(n).to(x.dtype) for n in (height, width))
    turned = across.T.contiguous()
    by_fft = ByFFT(height, width, x.dtype)

    def opencv() -> np.ndarray:
        for plane, place in zip(planes, places, strict=True):
            cv2.dct(plane, place)
        return target

    return Case(
        kernel="dct2",
        shape="x".join(map(str, shape)),
        dtype=dtype,
        threads=threads,
        ours=lambda: kernels.dct2(x),
        rivals={
            "ducc0": lambda: ducc0.fft.dct(a, 2, axes=(2, 3), inorm=1, nthreads=threads),
            "ducc0 into an array": lambda: ducc0.fft.dct(a, 2, axes=(2, 3), inorm=1, nthreads=threads, out=target),
            "scipy": lambda: scipy.fft.dctn(a, axes=(2, 3), norm="ortho", workers=threads),
            "OpenCV": opencv,
            "two matrix products": lambda: down @ (x @ turned),
            "torch rfft": lambda: by_fft(x),
        },
        expected=(scipy.fft.dctn(a.astype(np.float64), axes=(2, 3), norm="ortho"),),
        bound=1e-5 if dtype == "float32" else 1e-12,
        bytes_moved=2 * a.nbytes,
        multiply_adds=operations(shape),
    )


def inverse(shape: tuple[int, ...], threads: int) -> Case:
    y = images(*shape)
    a, target = y.numpy(), np.empty(shape, np.float32)
    down, across = (reference.dct_matrix(n).float() for n in shape[-2:])
    turned = down.T.contiguous()
    return Case(
        kernel="idct2",
        shape="x".join(map(str, shape)),
        dtype="float32",
        threads=threads,
        ours=lambda: kernels.idct2(y),
        rivals={
            "ducc0": lambda: ducc0.fft.dct(a, 3, axes=(2, 3), inorm=1, nthreads=threads),
            "ducc0 into an array": lambda: ducc0.fft.dct(a, 3, axes=(2, 3), inorm=1, nthreads=threads, out=target),
            "scipy": lambda: scipy.fft.idctn(a, axes=(2, 3), norm="ortho", workers=threads),
            "two matrix products": lambda: turned @ (y @ across),
        },
        expected=(scipy.fft.idctn(a.astype(np.float64), axes=(2, 3), norm="ortho"),),
        bound=1e-5,
        bytes_moved=2 * a.nbytes,
        multiply_adds=operations(shape),
    )


def operations(shape: tuple[int, ...]) -> int:
    """A fast DCT of n takes about 2 n log2 n products and sums: half as many multiply-adds where all could be fused."""
    *leading, height, width = shape
    return int(math.prod(leading) * height * width * (math.log2(height) + math.log2(width)))
