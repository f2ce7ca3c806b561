"""resize_square against Pillow with conversion: equal bits first, then interleaved rounds and ratios of medians.

python tests/bench/bench_resize.py [--rounds 15] [--threads 2]
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from interleaving import interleaved, show
from PIL import Image

from forensic import kernels


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(kernels.describe()["resize_square"])
    for height, width in ((256, 256), (1024, 1024), (3000, 4000)):
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)

        def pillow(image: np.ndarray = image) -> np.ndarray:
            rows, columns = image.shape[:2]
            side = min(rows, columns)
            left, top = round((columns - side) / 2), round((rows - side) / 2)
            square = Image.fromarray(image).crop((left, top, left + side, top + side))
            values = np.asarray(square.resize((128, 128), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
            return (values.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)

        slot = np.empty((3, 128, 128), np.float32)
        rivals: dict[str, Callable[[], object]] = {
            "forensic": lambda image=image, slot=slot: kernels.resize_square(image, out=slot),
            "Pillow": pillow,
        }
        assert np.array_equal(kernels.resize_square(image, out=slot), pillow())
        show(f"resize_square ({height}, {width}, 3) to float32", interleaved(rivals, options.rounds))


if __name__ == "__main__":
    main()
