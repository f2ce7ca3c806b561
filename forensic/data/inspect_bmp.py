"""BMP: header, 64-bit size, and whether the pixels are all there.

Source: Microsoft, "Bitmap Header Types" and "Bitmap Compression".
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from forensic.data.inspection import DecodeLimits, Inspection, check_pixels, trailing_flag
from forensic.errors import Unreadable

_PLAIN, _RLE8, _RLE4, _MASKS, _JPEG, _PNG, _ALPHA_MASKS = 0, 1, 2, 3, 4, 5, 6

_MASKS_READ = ((0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000))
"""Of red, green and blue in 32 bits; the second is followed in longer headers only."""
_MASKS_OF_16_READ = ((0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F))
_V5 = 124
_PROFILES = (0x4D424544, 0x4C494E4B)
"""Embedded, linked."""
_OS2 = 64
"""Size of OS/2's second header: other fields, and other meanings of compressions 3 and 4."""


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
        longer = size >= 56 and size != _OS2
        mask = struct.unpack_from("<I", data, at + 52)[0] if longer or compression == _ALPHA_MASKS else 0
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
    if header.size == _OS2 and header.compression == _MASKS:
        raise Unreadable("BMP with OS/2's Huffman compression is not read")
    if header.bits in (2, 64):
        raise Unreadable(f"BMP with {header.bits} bits a pixel is not read")
    if header.bits not in (1, 4, 8, 16, 24, 32):
        raise Unreadable(f"damaged BMP: {header.bits} bits a pixel")
    begin = struct.unpack_from("<I", data, 10)[0]
    if begin < 14 + header.size:
        raise Unreadable("damaged BMP header: pixels before the header's end")
    _check_colours(data, begin, header)
    if header.compression in (_RLE8, _RLE4):
        end = _run_length_end(data, begin, header)
    else:
        end = begin + (header.width * header.bits + 31) // 32 * 4 * header.height
        if end > len(data):
            raise Unreadable(f"truncated: pixels end at byte {end} of {len(data)}")
    flags: tuple[str, ...] = ()
    behind = max(end, _profile_end(data, header))
    padding = len(data) - behind <= 3 and not any(data[behind:])
    if not padding:
        flags += trailing_flag(data, behind)
    return Inspection(
        format="BMP",
        width=header.width,
        height=header.height,
        payload=data[: max(end, 0)],
        codec="pillow" if header.bits == 16 else "opencv",  # OpenCV's white of 5 bits is 248
        flags=flags,
        alpha=header.alpha,
        indices=_indices(data, begin, end, header),
    )


def _profile_end(data: bytes, header: BitmapHeader) -> int:
    """Of the colour profile that a V5 header may have behind the pixels; 0 without one."""
    if header.size != _V5:
        return 0
    kind, at, size = (struct.unpack_from("<I", data, 14 + place)[0] for place in (56, 112, 116))
    return 14 + at + size if kind in _PROFILES and 14 + at + size <= len(data) else 0


def _indices(data: bytes, begin: int, end: int, header: BitmapHeader) -> tuple[bytes, int] | None:
    """The same picture under a whole palette of greys, each its own index, where the palette is short."""
    if header.bits > 8 or header.size == 12:
        return None
    used, whole = struct.unpack_from("<I", data, 46)[0], 1 << header.bits
    if not 0 < used < whole:
        return None
    step = 255 // (whole - 1)
    ramp = b"".join(bytes((grey, grey, grey, 0)) for grey in range(0, 256, step))
    start = 54 + len(ramp)
    head = struct.pack("<2sIII", b"BM", start + end - begin, 0, start)
    info = struct.pack("<I", 40) + data[18:34] + struct.pack("<IiiII", end - begin, 0, 0, 0, 0)
    return head + info + ramp + data[begin:end], (used - 1) * step


def _check_colours(data: bytes, begin: int, header: BitmapHeader) -> None:
    """Refuses palettes and masks that the decoder would read past, or pass over, in silence."""
    if header.bits <= 8:
        entry, used = (3, 0) if header.size == 12 else (4, struct.unpack_from("<I", data, 46)[0])
        if begin < 14 + header.size + entry * (used or 1 << header.bits):
            raise Unreadable("damaged BMP: its palette reaches into its pixels")
    elif header.bits in (16, 32) and header.compression in (_MASKS, _ALPHA_MASKS):
        masks = struct.unpack_from("<III", data, 54)
        known = _MASKS_READ if header.size >= 56 else _MASKS_READ[:1]
        known = known if header.bits == 32 else _MASKS_OF_16_READ
        if masks not in known:
            raise Unreadable(f"BMP with colour masks {', '.join(f'{mask:08x}' for mask in masks)} is not read")


def _run_length_end(data: bytes, at: int, header: BitmapHeader) -> int:
    """Where run-length data end, at their end-of-bitmap code; a stream without one is truncated.

    Raises:
        Unreadable: no end, or pixels that no run gives a colour.
    """
    per_byte = 1 if header.compression == _RLE8 else 2
    missing = header.width * header.height
    while at + 2 <= len(data):
        count, value = data[at], data[at + 1]
        at += 2
        if count == 0 and value == 1:
            if missing > 0:  # skipped pixels have no colour, and decoders disagree about them
                raise Unreadable(f"damaged BMP: run-length data leave {missing:,} pixels without a colour")
            return at
        missing -= count or (value if value > 2 else 0)
        if count == 0 and value == 2:
            at += 2
        elif count == 0 and value > 2:
            at += ((value + per_byte - 1) // per_byte + 1) & ~1
    raise Unreadable("truncated: run-length data without an end")
