"""dct2 against ducc0, scipy, OpenCV and matrix products: equality first, then interleaved rounds and ratios of medians.

python tests/bench/bench_dct.py [--rounds 15] [--threads 2]
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
from collections.abc import Callable

import cv2
import ducc0
import numpy as np
import scipy.fft
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
    print(kernels.describe()["dct2"])
    cv2.setNumThreads(options.threads)
    for batch in (1, 8, 64):
        images = torch.from_numpy(np.random.default_rng(0).standard_normal((batch, 3, 128, 128), dtype=np.float32))
        array = images.numpy()
        matrix = reference.dct_matrix(128).float()
        rivals: dict[str, Callable[[], object]] = {
            "forensic": lambda x=images: kernels.dct2(x),
            "ducc0": lambda a=array: ducc0.fft.dct(a, 2, axes=(2, 3), inorm=1, nthreads=options.threads),
            "scipy": lambda a=array: scipy.fft.dctn(a, axes=(2, 3), norm="ortho", workers=options.threads),
            "OpenCV": lambda a=array: np.stack([cv2.dct(plane) for plane in a.reshape(-1, 128, 128)]),
            "two matrix products": lambda x=images, m=matrix: m @ x @ m.T,
            "copy": lambda x=images: x.clone(),
        }
        expected = scipy.fft.dctn(array.astype(np.float64), axes=(2, 3), norm="ortho")
        for name, run in rivals.items():
            if name != "copy":
                error = np.abs(np.asarray(run()).reshape(expected.shape) - expected).max()
                assert error < 1e-4, f"{name} is off by {error}"
        show(f"dct2 ({batch}, 3, 128, 128) float32", interleaved(rivals, options.rounds))


if __name__ == "__main__":
    main()
