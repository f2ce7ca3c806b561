"""dct2 and idct2 beside ducc0, scipy, OpenCV, matrix products and a transform by FFT in torch; dct2_log.

FORENSIC_ISA=baseline|avx2|avx512 measures a level.
"""

from __future__ import annotations

import dataclasses
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
    yield into_memory((64, 3, 128, 128), threads)
    yield inverse((64, 3, 128, 128), threads)
    yield logarithm((64, 3, 128, 128), threads)
    yield logarithm_with_gradient((64, 3, 128, 128), threads)
    if everything:
        for size in (75, 96, 200, 225, 256, 512):
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


def into_memory(shape: tuple[int, ...], threads: int) -> Case:
    """The result goes where the last one was: no rival makes memory either."""
    new = case(shape, threads)
    x, out = images(*shape), torch.empty(shape)
    kept = ("ducc0 into an array", "OpenCV")
    return dataclasses.replace(
        new,
        kernel="dct2 into a tensor",
        ours=lambda: kernels.dct2(x, out=out),
        rivals={name: new.rivals[name] for name in kept},
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


def statistics_of(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """A mean and a spread for each coefficient."""
    return images(*shape[1:]), images(*shape[1:]).abs() + 0.5


def logarithm(shape: tuple[int, ...], threads: int) -> Case:
    x, epsilon = images(*shape), 1e-3
    mean, std = statistics_of(shape)
    exact = np.abs(scipy.fft.dctn(x.double().numpy(), axes=(2, 3), norm="ortho")) + epsilon
    return Case(
        kernel="dct2_log",
        shape="x".join(map(str, shape)),
        dtype="float32",
        threads=threads,
        ours=lambda: kernels.dct2_log(x, mean, std, epsilon),
        rivals={"our dct2, then torch": lambda: kernels.dct2(x).abs_().add_(epsilon).log_().sub_(mean).div_(std)},
        expected=((np.log(exact) - mean.double().numpy()) / std.double().numpy(),),
        bound=1e-3,  # an error of a coefficient near 0 is divided by epsilon
        bytes_moved=2 * x.nbytes,
        multiply_adds=operations(shape),
    )


def logarithm_with_gradient(shape: tuple[int, ...], threads: int) -> Case:
    x, slope, epsilon = images(*shape).requires_grad_(), images(*shape).flip(0), 0.1
    mean, std = statistics_of(shape)

    def gradient(result: Tensor, of: Tensor) -> Tensor:
        return torch.autograd.grad(result, of, slope.to(of.dtype))[0]

    exact = x.detach().double().requires_grad_()
    expected = gradient(reference.dct2_log(exact, mean.double(), std.double(), epsilon), exact)
    return Case(
        kernel="dct2_log and its gradient",
        shape="x".join(map(str, shape)),
        dtype="float32",
        threads=threads,
        ours=lambda: gradient(kernels.dct2_log(x, mean, std, epsilon), x),
        rivals={
            "our dct2, then torch": lambda: gradient(((kernels.dct2(x).abs() + epsilon).log() - mean) / std, x),
        },
        expected=(expected.numpy(),),
        bound=0.1,  # a coefficient near 0 may have the other sign, and its gradient jumps there
        bytes_moved=5 * x.nbytes,
        multiply_adds=3 * operations(shape),
        gradients=True,
    )


def operations(shape: tuple[int, ...]) -> int:
    """A fast DCT of n takes about 2 n log2 n products and sums: half as many multiply-adds where all could be fused."""
    *leading, height, width = shape
    return int(math.prod(leading) * height * width * (math.log2(height) + math.log2(width)))
