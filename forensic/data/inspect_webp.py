"""WebP: RIFF chunks, the canvas, and the container's own length.

Source: RFC 9649 (container, VP8L), RFC 6386 section 9.1 (VP8 frame header).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forensic.data.exif import NO_EXIF, Exif, icc_is_sound, read_exif
from forensic.data.inspection import DecodeLimits, Inspection, check_pixels, trailing_flag
from forensic.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class _Found:
    """What the walk has met so far."""

    size: tuple[int, int] | None = None
    canvas: tuple[int, int] | None = None
    frames: int = 0
    part: tuple[int, int, int, int] | None = None
    """Left, top, width and height of the first frame on the canvas."""
    pictures: int = 0
    """Pictures that are no frames of an animation; one is allowed."""
    exif: Exif | None = None
    """Of the first EXIF chunk; one is allowed."""
    flags: list[str] = field(default_factory=list)


def inspect_webp(data: bytes, limits: DecodeLimits) -> Inspection:
    """Walks a WebP's chunks.

    Args:
        data: the whole file.
        limits: what holds.

    Raises:
        Unreadable: truncated, no picture, too many pixels.
    """
    end = container_end(data)
    found, empty = _Found(), True
    for kind, begin, size in chunks(data):
        empty = False
        try:
            _take(found, kind, data[begin : begin + min(size, 40)], limits)
        except struct.error:
            raise Unreadable("truncated in header") from None
        if begin + size > len(data):
            raise Unreadable(f"truncated: chunk ends at byte {begin + size} of {len(data)}")
        _take_metadata(found, kind, data, begin, size)
    if end > len(data) + 1:  # one byte of padding is often left out
        raise Unreadable(f"truncated: the container ends at byte {end} of {len(data)}")
    if found.size is None and not found.frames:
        raise Unreadable("truncated in header" if found.canvas or empty else "damaged WebP: no image in it")
    width, height = found.canvas or found.size or (0, 0)
    if not found.frames and found.size not in (None, (width, height)):
        raise Unreadable(f"damaged WebP: an image of {_by(found.size)} on a canvas of {width}x{height}")
    exif = found.exif or NO_EXIF
    flags = [*found.flags, *exif.flags]
    if found.frames:
        flags.append(f"animated-first-frame={found.frames}")
    elif found.pictures > 1:
        flags.append(f"multi-frame-first={found.pictures}")
    crop = _part(found, width, height)
    if crop is not None:
        flags.append(f"part-of-canvas={width}x{height}")
    return Inspection(
        format="WebP",
        width=width,
        height=height,
        payload=data[:end],
        flags=(*flags, *trailing_flag(data, end)),
        orientation=exif.orientation,
        exif=exif.block,
        crop=crop,
    )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _part(found: _Found, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Where the first frame lies on the canvas; None where it covers it, or there is none."""
    if found.part in (None, (0, 0, width, height)):
        return None
    left, top, across, down = found.part
    if left + across > width or top + down > height:
        raise Unreadable("damaged WebP: the first frame reaches beyond the canvas")
    return found.part


def container_end(data: bytes) -> int:
    """Where the RIFF container ends by its own word, which may lie beyond the file."""
    return 8 + int(struct.unpack_from("<I", data, 4)[0])


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and size of each chunk whose head is there; its body may reach beyond the file.

    Args:
        data: the whole file.
    """
    end, at = min(container_end(data), len(data)), 12
    while at + 8 <= end:
        kind, size = struct.unpack_from("<4sI", data, at)
        yield kind, at + 8, size
        at += 8 + size + (size & 1)


def _take(found: _Found, kind: bytes, body: bytes, limits: DecodeLimits) -> None:
    """Sizes, from the first bytes of a chunk; before it is known whether the rest is there."""
    if kind == b"VP8X":
        found.canvas = (1 + _three_bytes(body, 4), 1 + _three_bytes(body, 7))
        check_pixels(*found.canvas, limits)
    if kind in (b"VP8 ", b"VP8L"):
        found.pictures += 1
    if kind == b"VP8L" and found.size is None:
        bits = struct.unpack_from("<I", body, 1)[0]
        found.size = (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        check_pixels(*found.size, limits)
    elif kind == b"VP8 " and found.size is None:
        width, height = struct.unpack_from("<HH", body, 6)
        found.size = (width & 0x3FFF, height & 0x3FFF)
        check_pixels(*found.size, limits)
    elif kind == b"ANMF":
        left, top, width, height = (_three_bytes(body, at) for at in range(0, 12, 3))
        check_pixels(width + 1, height + 1, limits)
        found.part = found.part or (2 * left, 2 * top, width + 1, height + 1)
        found.frames += 1


def _take_metadata(found: _Found, kind: bytes, data: bytes, at: int, size: int) -> None:
    if kind == b"EXIF":
        block = data[at : at + size]
        found.exif = found.exif or read_exif(block.removeprefix(b"Exif\0\0"))
    elif kind == b"ICCP" and not icc_is_sound(data[at : at + size]):
        found.flags.append("icc-invalid")


def _three_bytes(body: bytes, at: int) -> int:
    if at + 3 > len(body):
        raise Unreadable("truncated in header")
    return int.from_bytes(body[at : at + 3], "little")
