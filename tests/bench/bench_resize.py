"""resize_square beside Pillow with conversion, equal in every bit; OpenCV and torch have other filters: speed only."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from case import Case
from PIL import Image
from torch.nn.functional import interpolate

from forensic import kernels

SIZE = 128


def cases(threads: int, *, everything: bool) -> Iterator[Case]:
    del threads  # Pillow has one, and so have the workers that call the kernel
    yield tile()
    for height, width in ((256, 256), (1024, 1024), (3000, 4000)):
        yield case(height, width, 1)
    if everything:
        for height, width in ((96, 96), (200, 200), (512, 512)):
            yield case(height, width, 1)
        yield case(1024, 1024, 2)
        yield case(3000, 4000, 2)


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height + width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def scaled(values: np.ndarray) -> np.ndarray:
    return (values.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)


def case(height: int, width: int, threads: int) -> Case:
    image = picture(height, width)
    side = min(height, width)
    left, top = round((width - side) / 2), round((height - side) / 2)
    ready = Image.fromarray(image)
    square = image[top : top + side, left : left + side]
    tensor = torch.from_numpy(image)[top : top + side, left : left + side].permute(2, 0, 1)[None]  # channels-last
    slot = np.empty((3, SIZE, SIZE), np.float32)

    def pillow() -> np.ndarray:
        box = (left, top, left + side, top + side)
        return scaled(np.asarray(ready.crop(box).resize((SIZE, SIZE), Image.Resampling.BICUBIC)).transpose(2, 0, 1))

    def opencv(how: int) -> np.ndarray:
        return scaled(cv2.resize(square, (SIZE, SIZE), interpolation=how).transpose(2, 0, 1))

    def with_torch() -> torch.Tensor:
        small = interpolate(tensor, (SIZE, SIZE), mode="bicubic", antialias=True)
        return small[0].float().div_(255).sub_(0.5).div_(0.5)

    taps = 4 * max(1.0, side / SIZE)
    return Case(
        kernel="resize_square",
        shape=f"{height}x{width} to {SIZE} float32",
        dtype="uint8",
        threads=threads,
        ours=lambda: kernels.resize_square(image, out=slot),
        rivals={
            "Pillow bicubic + conversion": pillow,
            "torch antialiased bicubic": with_torch,
            "OpenCV area": lambda: opencv(cv2.INTER_AREA),
            "OpenCV cubic": lambda: opencv(cv2.INTER_CUBIC),
        },
        expected=(pillow(),),
        bound=0.0,
        bytes_moved=side * side * 3 + slot.nbytes,
        multiply_adds=math.ceil(3 * SIZE * (side + SIZE) * taps),
        other_values=frozenset({"torch antialiased bicubic", "OpenCV area", "OpenCV cubic"}),
    )


def tile() -> Case:
    """A tile at native resolution out of a larger picture, planar, into the slot of a batch."""
    square = picture(1024, 1024)[256 : 256 + SIZE, 384 : 384 + SIZE]
    slot = np.empty((3, SIZE, SIZE), np.uint8)
    planar = slot.transpose(1, 2, 0)

    def numpy_copy() -> np.ndarray:
        np.copyto(planar, square)
        return slot

    def opencv() -> np.ndarray:
        cv2.split(square, [slot[0], slot[1], slot[2]])
        return slot

    return Case(
        kernel="resize_square",
        shape=f"tile of {SIZE}",
        dtype="uint8",
        threads=1,
        ours=lambda: kernels.resize_square(square, out=slot),
        rivals={"NumPy transposed copy": numpy_copy, "OpenCV split": opencv},
        expected=(square.transpose(2, 0, 1).copy(),),
        bound=0.0,
        bytes_moved=2 * slot.nbytes,
        multiply_adds=0,
    )
