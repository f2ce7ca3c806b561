"""The pictures of bench_scan: JPEGs of 1 to 12 megapixels with the spectrum of photographs, made once and kept."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np

VERSION = 1
"""Of the drawing: other images get another folder."""
LEAST, MOST = 1e6, 12e6
"""Pixels; sizes are spread evenly between them."""
SIDE = 4640
"""Pixels of the square that they are cut out of."""
_SHAPES = ((4, 3), (3, 4), (3, 2), (16, 9), (1, 1))
_QUALITIES = (80, 87, 92, 95)


def pictures(folder: Path, count: int) -> list[Path]:
    """`count` JPEG files in `folder`/N-VERSION; those that are there already are not made again."""
    place = folder / f"{count}-{VERSION}"
    done = place / "whole.json"
    paths = [place / f"{number:04d}.jpg" for number in range(count)]
    if not done.exists():
        place.mkdir(parents=True, exist_ok=True)
        texture = _texture()
        for number, path in enumerate(paths):
            path.write_bytes(_picture(texture, number, count))
        done.write_text(json.dumps({"pictures": count}), encoding="utf-8")
    return paths


def small_pictures(folder: Path, count: int) -> list[Path]:
    """`count` JPEG files of 512 x 384 pixels in `folder`: little to decode, so that all else counts."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:04d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        if not path.exists():
            draws = np.random.default_rng((VERSION, number))
            coarse = draws.integers(0, 256, (48, 64, 3)).astype(np.float32)
            values = cv2.resize(coarse, (512, 384), interpolation=cv2.INTER_CUBIC) + draws.normal(0, 6, (384, 512, 3))
            path.write_bytes(bytes(cv2.imencode(".jpg", values.clip(0, 255).astype(np.uint8))[1]))
    return paths


def _picture(texture: np.ndarray, number: int, count: int) -> bytes:
    wide, high = _SHAPES[number % len(_SHAPES)]
    # a stride that has no factor in common with the count, so that large and small ones are mixed
    pixels = LEAST + (MOST - LEAST) * (number * 7919 % count) / max(count - 1, 1)
    unit = math.sqrt(pixels / (wide * high))
    width, height = round(wide * unit), round(high * unit)
    draws = np.random.default_rng((VERSION, number))
    top, left = (int(draws.integers(SIDE - length + 1)) for length in (height, width))
    quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITIES[number // len(_SHAPES) % len(_QUALITIES)]]
    return bytes(cv2.imencode(".jpg", texture[top : top + height, left : left + width], quality)[1])


def _texture() -> np.ndarray:
    """(SIDE, SIDE, 3) uint8; the pictures are cut out of it."""
    draws = np.random.default_rng(VERSION)
    values = np.zeros((SIDE, SIDE, 3), np.float32)
    for octave in range(9):  # equal energy an octave: power falls as 1/f^2, as in photographs
        side = -(-SIDE >> octave) + 1
        noise = draws.standard_normal((side, side, 3), dtype=np.float32)
        values += cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) * (4 + 3 * octave) * 2
    return np.asarray((128 + values).clip(0, 255).astype(np.uint8))
