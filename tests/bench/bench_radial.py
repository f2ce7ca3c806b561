"""radial_spectrum against NumPy, torch and ducc0: equality first, then interleaved rounds and ratios of medians.

python tests/bench/bench_radial.py [--rounds 15] [--threads 2]
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
from collections.abc import Callable

import ducc0
import numpy as np
import torch
from interleaving import interleaved, show

from forensic import kernels
from forensic.kernels import reference


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(kernels.describe()["radial_spectrum"])
    for shape in ((64, 3, 128, 128), (4, 3, 1024, 1024)):
        images = torch.from_numpy(np.random.default_rng(0).random(shape, dtype=np.float32))
        array = images.numpy().reshape(-1, *shape[2:])
        count = min(shape[2:]) // 2
        ring = reference.ring_of(*shape[2:]).flatten().clamp(max=count)
        counts = torch.bincount(ring, minlength=count + 1)
        rings, size = ring.numpy(), counts.numpy()
        half = ring.reshape(shape[2:])[:, : shape[3] // 2 + 1].flatten().numpy()
        twice = np.full(shape[3] // 2 + 1, 2.0, np.float32)
        twice[[0, -1]] = 1  # even widths: the first and the last column are their own mirror

        def means(powers: np.ndarray, rings: np.ndarray, size: np.ndarray = size, count: int = count) -> np.ndarray:
            sums = [np.bincount(rings, plane.ravel(), count + 1) for plane in powers]
            return np.stack(sums)[:, :count] / size[:count]

        def numpy_fft(a: np.ndarray = array, rings: np.ndarray = rings, means: Callable = means) -> np.ndarray:
            return means(np.abs(np.fft.fft2(a)) ** 2, rings)

        def ducc_fft(
            a: np.ndarray = array, rings: np.ndarray = half, twice: np.ndarray = twice, means: Callable = means
        ) -> np.ndarray:
            transform = ducc0.fft.r2c(a, axes=(1, 2), nthreads=options.threads)
            return means((transform.real**2 + transform.imag**2) * twice, rings)

        def torch_fft(
            x: torch.Tensor = images, ring: torch.Tensor = ring, counts: torch.Tensor = counts, count: int = count
        ) -> torch.Tensor:
            transform = torch.fft.fft2(x)
            power = (transform.real**2 + transform.imag**2).flatten(0, 1).flatten(1)
            return power.new_zeros(len(power), count + 1).index_add(1, ring, power)[:, :count] / counts[:count]

        rivals: dict[str, Callable[[], object]] = {
            "forensic": lambda x=images: kernels.radial_spectrum(x),
            "NumPy fft2 + bincount": numpy_fft,
            "torch fft2 + index_add": torch_fft,
            "ducc0 r2c + bincount": ducc_fft,
        }
        expected = numpy_fft(array.astype(np.float64))
        for name, run in rivals.items():
            error = np.abs(np.asarray(run()).reshape(expected.shape) / expected - 1).max()
            assert error < 1e-3, f"{name} is off by a share of {error}"
        show(f"radial_spectrum {shape} float32", interleaved(rivals, options.rounds))


if __name__ == "__main__":
    main()
