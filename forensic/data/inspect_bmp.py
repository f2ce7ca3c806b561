"""BMP: header, 64-bit size, and whether the pixels are all there.

Source: Microsoft, "Bitmap Header Types" and "Bitmap Compression".
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from forensic.data.inspection import DecodeLimits, Inspection, check_pixels, trailing_flag
from forensic.errors import Unreadable

_PLAIN, _RLE8, _RLE4, _MASKS, _JPEG, _PNG, _ALPHA_MASKS = 0, 1, 2, 3, 4, 5, 6


class BitmapHeader(NamedTuple):
    """A device-independent bitmap's header; `height` is positive whatever the order of rows."""

    size: int
    width: int
    height: int
    bits: int
    compression: int
    alpha: bool


def read_bitmap_header(data: bytes, at: int) -> BitmapHeader:
    """Reads a bitmap header, also that of an icon.

    Args:
        data: the whole file.
        at: where the header begins.

    Raises:
        Unreadable: truncated.
    """
    try:
        size = struct.unpack_from("<I", data, at)[0]
        if size == 12:
            width, height, _planes, bits = struct.unpack_from("<HHHH", data, at + 4)
            return BitmapHeader(size, width, height, bits, _PLAIN, alpha=False)
        width, height, _planes, bits, compression = struct.unpack_from("<iiHHI", data, at + 4)
        mask = struct.unpack_from("<I", data, at + 52)[0] if size >= 56 or compression == _ALPHA_MASKS else 0
    except struct.error:
        raise Unreadable("truncated in header") from None
    return BitmapHeader(size, width, abs(height), bits, compression, alpha=bool(mask) and bits == 32)


def inspect_bmp(data: bytes, limits: DecodeLimits) -> Inspection:
    """Reads a BMP's header and measures its pixels.

    Args:
        data: the whole file.
        limits: what holds.

    Raises:
        Unreadable: truncated, too many pixels, or a kind of BMP that is not read.
    """
    header = read_bitmap_header(data, 14)
    check_pixels(header.width, header.height, limits)
    if header.compression in (_JPEG, _PNG) or header.compression > _ALPHA_MASKS:
        raise Unreadable(f"BMP with compression {header.compression} is not read")
    if header.bits not in (1, 4, 8, 16, 24, 32):
        raise Unreadable(f"damaged BMP: {header.bits} bits a pixel")
    begin = struct.unpack_from("<I", data, 10)[0]
    if begin < 14 + header.size:
        raise Unreadable("damaged BMP header: pixels before the header's end")
    if header.compression in (_RLE8, _RLE4):
        end = _run_length_end(data, begin, header)
    else:
        end = begin + (header.width * header.bits + 31) // 32 * 4 * header.height
        if end > len(data):
            raise Unreadable(f"truncated: pixels end at byte {end} of {len(data)}")
    flags: tuple[str, ...] = ()
    padding = len(data) - end <= 3 and not any(data[end:])
    if not padding and header.size <= 108:  # a V5 header may have its colour profile behind the pixels
        flags += trailing_flag(data, end)
    return Inspection(
        format="BMP",
        width=header.width,
        height=header.height,
        payload=data[: max(end, 0)],
        flags=flags,
        alpha=header.alpha,
    )


def _run_length_end(data: bytes, at: int, header: BitmapHeader) -> int:
    """Where run-length data end, at their end-of-bitmap code; a stream without one is truncated."""
    per_byte = 1 if header.compression == _RLE8 else 2
    while at + 2 <= len(data):
        count, value = data[at], data[at + 1]
        at += 2
        if count == 0 and value == 1:
            return at
        if count == 0 and value == 2:
            at += 2
        elif count == 0 and value > 2:
            at += ((value + per_byte - 1) // per_byte + 1) & ~1
    raise Unreadable("truncated: run-length data without an end")
