"""ICO: the directory, and the largest frame alone for the decoder.

Source: Microsoft, "Icons" (directory entries; bitmap frames of double height with a mask, or whole PNG files).
"""

from __future__ import annotations

import struct
from dataclasses import replace

from forensic.data.inspect_bmp import read_bitmap_header
from forensic.data.inspect_png import SIGNATURE, inspect_png
from forensic.data.inspection import DecodeLimits, Inspection, check_pixels, trailing_flag
from forensic.data.signatures import DIB_HEADER_SIZES
from forensic.errors import Unreadable


def inspect_ico(data: bytes, limits: DecodeLimits) -> Inspection:
    """Reads an icon's directory and its largest frame's own header.

    Args:
        data: the whole file.
        limits: what holds.

    Raises:
        Unreadable: truncated, damaged, too many pixels.
    """
    count = struct.unpack_from("<H", data, 4)[0]
    if 6 + 16 * count > len(data):
        raise Unreadable("truncated in header")
    frames = [struct.unpack_from("<BBBBHHII", data, 6 + 16 * index) for index in range(count)]
    for frame in frames:
        if frame[7] + frame[6] > len(data):
            raise Unreadable(f"truncated: a frame ends at byte {frame[7] + frame[6]} of {len(data)}")
    sized = [(*_size(data, frame[7]), index) for index, frame in enumerate(frames)]
    width, height, index = max(sized, key=lambda entry: (entry[0] * entry[1], frames[entry[2]][5], -entry[2]))
    check_pixels(width, height, limits)
    flag = f"ico-largest={count}"
    behind = trailing_flag(data, max(frame[7] + frame[6] for frame in frames))
    begin, size = frames[index][7], frames[index][6]
    body = data[begin : begin + size]
    if body.startswith(SIGNATURE):
        inner = inspect_png(body, limits)
        return replace(inner, format="ICO", flags=(flag, *inner.flags, *behind))
    bits = read_bitmap_header(body, 0).bits  # the directory's word decides where the decoder looks for transparency
    stored = (*frames[index][:5], bits, size, 22)
    payload = struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", *stored) + body
    flags = (flag, *behind)
    return Inspection(format="ICO", width=width, height=height, payload=payload, codec="pillow", flags=flags)


def _size(data: bytes, at: int) -> tuple[int, int]:
    if data[at : at + 8] == SIGNATURE:
        width, height = struct.unpack_from(">II", data, at + 16)
        return width, height
    header = read_bitmap_header(data, at)
    if header.size not in DIB_HEADER_SIZES:
        raise Unreadable("damaged ICO: a frame that is neither a bitmap nor a PNG")
    return header.width, header.height // 2
