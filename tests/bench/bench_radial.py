"""radial_spectrum beside NumPy, torch and ducc0, which all get the half spectrum of a real input."""

from __future__ import annotations

import math
from collections.abc import Iterator

import ducc0
import numpy as np
import torch
from case import Case, images

from forensic import kernels
from forensic.kernels import reference


def cases(threads: int, *, everything: bool) -> Iterator[Case]:
    yield case((64, 3, 128, 128), threads)
    yield case((4, 3, 1024, 1024), threads)
    if everything:
        for shape in ((1, 3, 128, 128), (500, 3, 128, 128), *((8, 3, n, n) for n in (96, 200, 256, 512))):
            yield case(shape, threads)
        yield case((64, 3, 128, 128), threads, "float64")


def case(shape: tuple[int, ...], threads: int, dtype: str = "float32") -> Case:
    height, width = shape[-2:]
    x = images(*shape, dtype=dtype).abs()  # as pictures: the mean is not zero
    a = x.numpy().reshape(-1, height, width)
    count = min(height, width) // 2
    whole = reference.ring_of(height, width).clamp(max=count)
    counts = torch.bincount(whole.flatten(), minlength=count + 1)[:count]
    ring = whole[:, : width // 2 + 1].flatten()
    rings, sizes = ring.numpy(), counts.numpy()
    twice = np.full(width // 2 + 1, 2, dtype)
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1  # its own mirror, as the first
    times = torch.from_numpy(twice)

    def means(transform: np.ndarray) -> np.ndarray:
        power = (transform.real**2 + transform.imag**2) * twice
        sums = [np.bincount(rings, plane.ravel(), count + 1) for plane in power]
        return np.stack(sums)[:, :count] / sizes

    def with_torch() -> torch.Tensor:
        transform = torch.fft.rfft2(x)
        power = ((transform.real**2 + transform.imag**2) * times).flatten(0, 1).flatten(1)
        return power.new_zeros(len(power), count + 1).index_add_(1, ring, power)[:, :count] / counts

    planes = len(a)
    operations = 2.5 * height * width * math.log2(height * width) / 2  # of a complex transform, halved for a real input
    return Case(
        kernel="radial_spectrum",
        shape="x".join(map(str, shape)),
        dtype=dtype,
        threads=threads,
        ours=lambda: kernels.radial_spectrum(x),
        rivals={
            "NumPy rfft2 + bincount": lambda: means(np.fft.rfft2(a)),
            "torch rfft2 + index_add": with_torch,
            "ducc0 r2c + bincount": lambda: means(ducc0.fft.r2c(a, axes=(1, 2), nthreads=threads)),
        },
        expected=(means(np.fft.rfft2(a.astype(np.float64))),),
        bound=1e-5,
        bytes_moved=a.nbytes + planes * count * a.itemsize,
        multiply_adds=planes * int(operations / 2 + 1.5 * height * (width // 2 + 1)),
    )
