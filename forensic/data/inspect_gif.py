"""GIF: blocks from the screen to the trailer, and the first frame alone for the decoder.

Source: GIF89a specification (CompuServe 1990), sections 17 to 27.
"""

from __future__ import annotations

import struct

from forensic.data.inspection import DecodeLimits, Inspection, check_pixels, trailing_flag
from forensic.errors import Unreadable

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


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
    width, height, packed = struct.unpack_from("<HHB", data, 6)
    check_pixels(width, height, limits)
    at = 13 + _colour_table(packed)
    frames, first_end, end = 0, 0, None
    while end is None:
        if at >= len(data):
            if frames and at == len(data):
                break  # the trailer alone is missing
            raise Unreadable("truncated: the file ends inside a block" if frames else "truncated in header")
        kind = data[at]
        if kind == _TRAILER:
            end = at + 1
        elif kind == _EXTENSION:
            at = _sub_blocks(data, at + 2)
        elif kind == _IMAGE:
            at = _image(data, at, limits)
            frames += 1
            first_end = first_end or at
        else:
            raise Unreadable(f"damaged GIF: no block at byte {at}")
    if not frames:
        raise Unreadable("no frame in it")
    flags: tuple[str, ...] = (f"animated-first-frame={frames}",) if frames > 1 else ()
    flags += ("missing-end-marker",) if end is None else trailing_flag(data, end)
    return Inspection(
        format="GIF", width=width, height=height, payload=data[:first_end] + b";", codec="pillow", flags=flags
    )


def _colour_table(packed: int) -> int:
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def _image(data: bytes, at: int, limits: DecodeLimits) -> int:
    if at + 11 > len(data):
        raise Unreadable("truncated: the file ends inside a frame")
    _left, _top, width, height, packed = struct.unpack_from("<HHHHB", data, at + 1)
    if width == 0 or height == 0:
        raise Unreadable(f"empty frame ({width}x{height})")
    check_pixels(width, height, limits)
    return _sub_blocks(data, at + 11 + _colour_table(packed))


def _sub_blocks(data: bytes, at: int) -> int:
    while at < len(data):
        size = data[at]
        at += 1 + size
        if size == 0:
            return at
    raise Unreadable("truncated: the file ends inside a block")
