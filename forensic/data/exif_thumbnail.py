"""Whether the thumbnail in a picture's EXIF block shows what the picture shows.

A camera writes both at once; a program that changes the picture and takes the block over as it was leaves a thumbnail
of what the picture showed before. Both are compared by `forensic.data.look`, in every way in which writers put a
picture into a thumbnail: whole or between bars, as stored or turned.

Source: CIPA DC-008 (EXIF 2.32), section 4.5.8 and table 4 (the second directory: 160 x 120, JPEG, in one segment).
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from forensic.data.decode import inspect, read_stored
from forensic.data.exif import turn
from forensic.data.look import BITS, LEVEL, coefficients
from forensic.data.tiff_file import TiffFile
from forensic.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from forensic.data.decode import Decoded

DIFFERS = "thumbnail-differs="
"""Then how many of the 64 bits differ."""
SAME_UP_TO = 13
"""Bits. Measured by tests/bench/thumbnails.py on 207 images of 131 photographs (osma-mini: class real of train and val;
val_full), each cut to 3:2, 4:3, 16:9 and 2:3, against JPEG thumbnails of quality 60 to 80, with and without bars,
brightness and contrast of the picture changed by up to 15 %. 828 thumbnails of the same picture: 6 at most. 1,656 where
it was also cropped by 2.5 or 5 %, at a corner, at a side or all around: 10; 828 where by 7.5 %: 15, and 12 at the 99th
percentile. 4,938 thumbnails of another photograph: least 6, first percentile 15, median 22; 99.6 % lie above 13."""
CLEAR = LEVEL // 10
"""A coefficient below it, in one of the two, tells nothing: its sign is JPEG's noise. By the same program, of pictures
and their own thumbnails: 120 gradients like an evening sky differ in up to 30 bits with all 64 counted, and in none of
those that are clear; 207 photographs brought down to a contrast of 0.5 to 8 grey levels in up to 37, and 2; blurred
ones in up to 13, and 1."""
_QUARTER_TURNS = (1, 6, 3, 8)
_COMPRESSION, _AT, _SIZE = 0x0103, 0x0201, 0x0202
_JPEG = 6
_MOST_BYTES = 65535
"""Of a thumbnail: EXIF keeps the whole block in one JPEG segment."""
_MOST_SIDE = 512
"""Pixels; EXIF has 160 x 120."""


def thumbnail_flags(decoded: Decoded) -> tuple[str, ...]:
    """`thumbnail-differs=BITS/64`, or nothing.

    Args:
        decoded: the picture, with its block of EXIF.
    """
    stored = stored_thumbnail(decoded.exif)
    thumbnail = None if stored is None else _decoded(stored)
    bits = 0 if thumbnail is None else differing_bits(decoded.pixels, thumbnail, decoded.orientation)
    return (f"{DIFFERS}{bits}/{BITS}",) if bits > SAME_UP_TO else ()


def stored_thumbnail(block: bytes) -> bytes | None:
    """The JPEG that a block's second directory points to; None without one, or where it does not lie in the block.

    Args:
        block: of EXIF, beginning with its byte order mark; may be empty.
    """
    if not block:
        return None
    file = TiffFile(block)
    try:
        at = file.integer(file.offset, file.first().next_at)
        if not at:
            return None
        second = file.directory(at)
        begin, size = file.value(second, _AT, 0), file.value(second, _SIZE, 0)
        compression = file.value(second, _COMPRESSION, _JPEG)
    except Unreadable:
        return None
    jpeg = block[begin : begin + size]
    whole = len(jpeg) == size <= _MOST_BYTES and jpeg.startswith(b"\xff\xd8\xff")
    return jpeg if whole and compression == _JPEG else None


def _decoded(jpeg: bytes) -> NDArray[np.uint8] | None:
    """(H, W, 3) as stored; None where it is damaged or too large. Whatever it is, the picture beside it was read."""
    try:
        inspection = inspect(jpeg)
        if max(inspection.width, inspection.height) > _MOST_SIDE:
            return None
        return read_stored(inspection)[0]
    except (Unreadable, MemoryError):
        return None


def differing_bits(pixels: NDArray[np.uint8], thumbnail: NDArray[np.uint8], orientation: int = 1) -> int:
    """The distance between the hash of a picture and the most alike of what its thumbnail may hold of it.

    Args:
        pixels: (H, W, 3) RGB, upright.
        thumbnail: (h, w, 3) RGB, as stored.
        orientation: 1 to 8: how the picture was turned. Programs turn one of the two and leave the other, with the
            tag or without it: every quarter turn counts as the same.

    Returns:
        0 to 64: the least, or the first up to `SAME_UP_TO`. Bits that are not clear in both do not count, so that it
        is 0 where one is flat.
    """
    picture, shape = coefficients(pixels), pixels.shape[1] / pixels.shape[0]
    least = BITS
    for each in dict.fromkeys((orientation, *_QUARTER_TURNS)):
        for part in _parts(turn(thumbnail, each), shape):
            least = min(least, _clearly_differing(picture, coefficients(part)))
            if least <= SAME_UP_TO:
                return least
    return least


def _clearly_differing(one: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    clear = np.minimum(np.abs(one), np.abs(other)) >= CLEAR
    return int(np.count_nonzero(clear & ((one > 0) != (other > 0))))


def _parts(thumbnail: NDArray[np.uint8], shape: float) -> Iterator[NDArray[np.uint8]]:
    """All of it and what lies between bars, if they are there, each with the nine parts that a slight crop leaves.

    Bars are known by the picture's width over its height, and not by their colour: a night sky is as black.
    """
    height, width = thumbnail.shape[:2]
    inner = (min(height, max(1, round(width / shape))), min(width, max(1, round(height * shape))))
    for rows, columns in dict.fromkeys(((height, width), inner)):
        whole = _part(thumbnail, rows, columns, 1, 1)
        yield whole
        for down, across in product(range(3), repeat=2):
            yield _part(whole, rows * 19 // 20, columns * 19 // 20, down, across)


def _part(pixels: NDArray[np.uint8], rows: int, columns: int, down: int, across: int) -> NDArray[np.uint8]:
    """So many rows and columns at the begin (0), in the middle (1) or at the end (2); at least one of each."""
    rows, columns = max(rows, 1), max(columns, 1)
    top, left = (pixels.shape[0] - rows) * down // 2, (pixels.shape[1] - columns) * across // 2
    return pixels[top : top + rows, left : left + columns]
