"""GIF: blocks from the screen to the trailer, and the first frame alone for the decoder.

Source: GIF89a specification (CompuServe 1990), sections 17 to 27.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from forensic.data.inspection import DecodeLimits, Inspection, check_pixels, trailing_flag
from forensic.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_MOST_CODE_BITS = 8


def inspect_gif(data: bytes, limits: DecodeLimits) -> Inspection:
    """Walks a GIF's blocks.

    Args:
        data: the whole file.
        limits: what holds.

    Raises:
        Unreadable: truncated, no frame, an empty frame, too many pixels.
    """
    if len(data) < 13:
        raise Unreadable("truncated in header")
    width, height = struct.unpack_from("<HH", data, 6)
    check_pixels(width, height, limits)
    frames, first_end, end = 0, 0, None
    part = 0, 0, width, height
    for kind, at, _ in blocks(data):
        if frames and not first_end:
            first_end = at
        if kind == _TRAILER:
            end = at + 1
        elif kind == _IMAGE:
            _check_frame(data, at, limits)
            part = part if frames else struct.unpack_from("<HHHH", data, at + 1)
            frames += 1
    if not frames:
        raise Unreadable("no frame in it")
    whole = part == (0, 0, width, height)
    if part[0] + part[2] > width or part[1] + part[3] > height:
        raise Unreadable("damaged GIF: the first frame reaches beyond the screen")
    flags: tuple[str, ...] = (f"animated-first-frame={frames}",) if frames > 1 else ()
    flags += () if whole else (f"part-of-canvas={width}x{height}",)
    flags += ("missing-end-marker",) if end is None else trailing_flag(data, end)
    return Inspection(
        format="GIF",
        width=width,
        height=height,
        payload=data[: first_end or len(data)] + b";",
        codec="pillow",
        flags=flags,
        crop=None if whole else part,
    )


def _colour_table(packed: int) -> int:
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def blocks(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Kind, begin, and place of the first sub-block of each block up to the trailer, which alone may be missing.

    Args:
        data: the whole file, 13 bytes or more.

    Raises:
        Unreadable: no block where one must stand, or the file ends before.
    """
    at, frames = 13 + _colour_table(data[10]), 0
    while at < len(data):
        kind = data[at]
        if kind == _TRAILER:
            yield kind, at, at + 1
            return
        if kind == EXTENSION:
            begin = at + 2
        elif kind == _IMAGE:
            if at + 11 > len(data):
                raise Unreadable("truncated: the file ends inside a frame")
            begin = at + 11 + _colour_table(data[at + 9])
            frames += 1
        else:
            raise Unreadable(f"damaged GIF: no block at byte {at}")
        yield kind, at, begin
        at = _sub_blocks(data, begin)
    if not frames or at > len(data):
        raise Unreadable("truncated: the file ends inside a block" if frames else "truncated in header")


def _check_frame(data: bytes, at: int, limits: DecodeLimits) -> None:
    width, height = struct.unpack_from("<HH", data, at + 5)
    if width == 0 or height == 0:
        raise Unreadable(f"empty frame ({width} by {height} pixels)")
    smallest = data[at + 10 + _colour_table(data[at + 9]) : at + 11 + _colour_table(data[at + 9])]
    if smallest and not 1 <= smallest[0] <= _MOST_CODE_BITS:  # the decoder would make something of them
        raise Unreadable(f"damaged GIF: a frame with codes of {smallest[0]} bits")
    if not (data[10] | data[at + 9]) & 0x80:  # the decoder would take indices for greys
        raise Unreadable("damaged GIF: a frame without a colour table")
    check_pixels(width, height, limits)


def _sub_blocks(data: bytes, at: int) -> int:
    while at < len(data):
        size = data[at]
        at += 1 + size
        if size == 0:
            return at
    raise Unreadable("truncated: the file ends inside a block")
