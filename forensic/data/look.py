"""What a picture looks like in 64 bits, for near-duplicates: `dct64-v1`.

    luma   299 R + 587 G + 114 B of the centre square, 32 x 32 by `kernels.resize_square`
    table  round(2^14 cos(pi (2 n + 1) k / 64)), k and n in 0 .. 31
    bits   whether a coefficient of table * luma * table' is above 0: 64 of them, along rising diagonals behind the mean

Whole numbers all through, so that a hash is the same with any library. Two pictures are alike where few bits differ;
that says nothing of who made them: one photograph, made larger by two networks, looks the same.

Source: the DCT hash of Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions", with signs
in place of a median.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from forensic import kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOK = "dct64-v1"
"""Changes whenever a picture may get another hash."""
BITS = 64
_SIDE = 32
_SCALE = 1 << 14
LEVEL = 1000 * _SCALE**2 * (_SIDE // 2) ** 2
"""Of a coefficient: a wave along both axes whose crests are one grey level high."""


def look(pixels: NDArray[np.uint8]) -> int:
    """The hash of a picture, below 2^64; the first bit is the highest.

    Args:
        pixels: (H, W, 3) RGB, at least one pixel.

    Raises:
        TypeError, ValueError: as `kernels.resize_square`.
    """
    return int.from_bytes(np.packbits(coefficients(pixels) > 0).tobytes(), "big")


def coefficients(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """What the bits of a picture's hash are the signs of.

    Args:
        pixels: (H, W, 3) RGB, at least one pixel.

    Returns:
        (64,), in the order of the bits; a wave of one grey level comes to `LEVEL`, twice that along one axis alone.

    Raises:
        TypeError, ValueError: as `kernels.resize_square`.
    """
    small = kernels.resize_square(pixels, _SIDE).astype(np.int64)
    luma = 299 * small[0] + 587 * small[1] + 114 * small[2]
    table, rows, columns = _plan()
    found: NDArray[np.int64] = (table @ luma @ table.T)[rows, columns]
    return found


@cache
def _plan() -> tuple[NDArray[np.int64], list[int], list[int]]:
    """The table, and rows and columns of the coefficients in the order of the bits."""
    table = [
        [round(_SCALE * math.cos(math.pi * (2 * n + 1) * k / (2 * _SIDE))) for n in range(_SIDE)] for k in range(_SIDE)
    ]
    places = sorted(((row, column) for row in range(12) for column in range(12)), key=lambda at: (sum(at), at))
    chosen = places[1 : 1 + BITS]
    return np.array(table, dtype=np.int64), [row for row, _ in chosen], [column for _, column in chosen]
