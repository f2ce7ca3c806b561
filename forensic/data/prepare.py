"""A picture to what the network sees: tiles at native resolution, or the paper's crop and resize.

The id names every step and travels with weights and calibration; a changed step is a new id.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forensic.errors import Skipped, UsageError
from forensic.kernels import resize_square

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILE = 128
LEAST_SIDE = 16
"""Pixels; a smaller picture holds no up-sampling trace that could be read."""
GRID = 16
"""Tile origins are multiples of it: the phase of up-sampling by 2, 4, 8 and of JPEG's grid is that of training."""
TEXTURED = 8
"""Tiles that `tiles-128-v2` keeps of a picture, those with most texture: sky and blur show little of how a picture was
made. On osma-mini's whole validation pictures they tell more than all tiles together (docs/ablation.md)."""
PREPROCESSINGS = ("tiles-128-v2", "tiles-128-v1", "pose-128-v1")


@dataclass(frozen=True)
class Prepared:
    """One picture's network inputs before scaling to [-1, 1]."""

    tiles: NDArray[np.uint8]
    """(T, 3, 128, 128), planar RGB, T >= 1."""
    origins: NDArray[np.int64]
    """(T, 2): row and column of each tile's first pixel in the upright picture; (0, 0) where it was resized."""
    flags: tuple[str, ...]
    """`small` where the least side is under 128."""


def prepare(pixels: NDArray[np.uint8], preprocessing: str, *, max_tiles: int = 25) -> Prepared:
    """Applies a preprocessing.

    Args:
        pixels: (H, W, 3), RGB, upright.
        preprocessing: one of `PREPROCESSINGS`.
        max_tiles: at most so many tiles of the grid, at least 1; `tiles-128-v2` keeps 8 of them, `pose-128-v1` always
            gives one.

    Returns:
        Tiles in row order, uint8 (T, 3, 128, 128).

    Raises:
        Skipped: the least side is under 16 pixels.
        UsageError: an unknown preprocessing id.
        ValueError: pixels of another shape or type, or no tile allowed.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be uint8 (H, W, 3), got {pixels.dtype} {pixels.shape}")
    if max_tiles < 1:
        raise ValueError(f"max_tiles must be at least 1, got {max_tiles}")
    if preprocessing not in PREPROCESSINGS:
        raise UsageError(preprocessing, "no such preprocessing", f"Known: {', '.join(PREPROCESSINGS)}")
    height, width = pixels.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise Skipped(f"too small: {width}x{height}, least side is {LEAST_SIDE}")
    flags = ("small",) if min(height, width) < TILE else ()
    if preprocessing == "pose-128-v1":
        return Prepared(_resized(pixels), np.zeros((1, 2), np.int64), flags)
    padded = pad_to_tile(pixels)
    origins = tile_origins(padded.shape[0], padded.shape[1], max_tiles)
    if preprocessing == "tiles-128-v2":
        origins = _most_textured(padded, origins, TEXTURED)
    tiles = np.empty((len(origins), 3, TILE, TILE), np.uint8)
    for tile, (row, column) in zip(tiles, origins, strict=True):
        resize_square(padded[row : row + TILE, column : column + TILE], out=tile)  # its own size: made planar only
    return Prepared(tiles, origins, flags)


def same_crops(one: str, other: str) -> bool:
    """Whether two preprocessings are versions of one: a network sees the same in both, of other tiles of a picture."""
    return one.partition("-v")[0] == other.partition("-v")[0]


def keeps_resolution(preprocessing: str) -> bool:
    """Whether a part of a picture gives tiles that the whole picture could have given."""
    return preprocessing.startswith("tiles-")


def pad_to_tile(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Continues a side under 128 to 128 by repeated reflection, to the right and below, so that the phase stays.

    Args:
        pixels: (H, W, 3), H and W at least 1.

    Returns:
        (max(H, 128), max(W, 128), 3); the edge itself is not repeated: b c | d | c b.
    """
    for axis in (0, 1):
        size = pixels.shape[axis]
        if size < TILE:
            period = max(2 * (size - 1), 1)
            walk = np.arange(TILE) % period
            pixels = np.take(pixels, np.minimum(walk, period - walk) if size > 1 else walk * 0, axis=axis)
    return pixels


def tile_origins(height: int, width: int, max_tiles: int) -> NDArray[np.int64]:
    """Where tiles begin: a grid spread evenly from corner to corner.

    Args:
        height: pixels, at least 128.
        width: pixels, at least 128.
        max_tiles: at least 1.

    Returns:
        (T, 2) int64, rows and columns, multiples of 16, sorted, without repetition, T <= max_tiles: as many tiles as
        cover the picture, and where that is too many, a full grid of nearly its shape.
    """
    rows, columns = _needed(height), _needed(width)
    if rows * columns > max_tiles:
        rows, columns = _grid(rows, columns, max_tiles)
    down, across = _spread(height, rows), _spread(width, columns)
    return np.array([(row, column) for row in down for column in across], dtype=np.int64)


def _most_textured(pixels: NDArray[np.uint8], origins: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most `most` origins, in their order: those with the largest differences between neighbours, first on ties."""
    if len(origins) <= most:
        return origins
    texture = np.empty(len(origins), np.int64)
    for place, (row, column) in enumerate(origins):
        grey = pixels[row : row + TILE, column : column + TILE].sum(axis=2, dtype=np.int16)
        texture[place] = sum(int(np.abs(np.diff(grey, axis=axis)).sum(dtype=np.int64)) for axis in (0, 1))
    return origins[np.sort(np.argsort(-texture, kind="stable")[:most])]


def _grid(rows: int, columns: int, most: int) -> tuple[int, int]:
    """The grid with the shape nearest to the picture's among those that use at least four fifths of `most`."""
    shape = math.log(rows / columns)
    fits = [(r, min(most // r, columns)) for r in range(1, min(rows, most) + 1)]
    fullest = max(r * c for r, c in fits)
    full = [(r, c) for r, c in fits if 5 * r * c >= 4 * fullest]
    return min(full, key=lambda grid: (abs(math.log(grid[0] / grid[1]) - shape), -grid[0] * grid[1]))


def _needed(length: int) -> int:
    """How many tiles cover a side, as far as origins at multiples of 16 allow."""
    return min(-(-length // TILE), (length - TILE) // GRID + 1)


def _spread(length: int, count: int) -> list[int]:
    """`count` origins from 0 to the last multiple of 16 that leaves room for a tile."""
    last = (length - TILE) // GRID
    if count == 1:
        return [last // 2 * GRID]
    return [(2 * index * last + count - 1) // (2 * (count - 1)) * GRID for index in range(count)]


def _resized(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(resize_square(pixels, TILE), dtype=np.uint8)[None]
