"""AVIF and HEIC: boxes, the primary item's size, depth and transform.

The container's own crop (`clap`), rotation and mirror count, an EXIF tag beside them does not; OpenCV applies none, so
they are ours. All sizes that any item claims are compared with the limit.

Source: ISO/IEC 14496-12 (boxes, clap), 23008-12 (meta, ispe, irot, imir, pixi), AV1 in ISOBMFF (av1C).
"""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from forensic.data.exif import icc_is_sound
from forensic.data.inspection import DecodeLimits, Inspection, check_pixels, trailing_flag
from forensic.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

_ORIENTATIONS = {
    (0, None): 1,
    (0, 1): 2,
    (2, None): 3,
    (0, 0): 4,
    (1, 0): 5,
    (3, None): 6,
    (3, 0): 7,
    (1, None): 8,
    (2, 0): 2,
    (2, 1): 4,
    (1, 1): 7,
    (3, 1): 5,
}
"""(quarter turns against the clock, mirror: None, 0 top and bottom, 1 left and right) -> the same as an EXIF value."""
_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


@dataclass
class _Found:
    """What the boxes say."""

    primary: int = 0
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Kind and body, in the order in which they are numbered from 1."""
    links: dict[int, list[int]] = field(default_factory=dict)
    """Item -> numbers of its properties."""
    frames: int = 0


def inspect_avif(data: bytes, limits: DecodeLimits) -> Inspection:
    """Walks an AVIF's boxes.

    Args:
        data: the whole file.
        limits: what holds.

    Raises:
        Unreadable: truncated, damaged, too many pixels.
    """
    return _inspect(data, limits, "AVIF")


def inspect_heic(data: bytes, limits: DecodeLimits) -> Inspection:
    """Walks a HEIC's boxes; pixels need the extra `heic`.

    Args:
        data: the whole file.
        limits: what holds.

    Raises:
        Unreadable: as `inspect_avif`, or `pillow-heif` is not installed.
    """
    inspection = _inspect(data, limits, "HEIC")
    if importlib.util.find_spec("pillow_heif") is None:
        raise Unreadable("HEIC needs pillow-heif: pip install 'forensic-attribution[heic]'")
    return inspection


def _inspect(data: bytes, limits: DecodeLimits, name: str) -> Inspection:
    found, end = _Found(), 0
    for kind, begin, stop in boxes(data, 0, len(data)):
        end = stop
        if kind == b"meta":
            _meta(found, data, begin + 4, stop)
        elif kind in _CONTAINERS:
            _movie(found, data, begin, stop)
    for kind, body in found.properties:
        if kind == b"ispe":
            claimed_width, claimed_height = struct.unpack_from(">II", body, 4)
            check_pixels(claimed_width, claimed_height, limits)
    own = dict(reversed(_own(found)))
    if b"ispe" not in own:
        raise Unreadable(f"damaged {name}: no primary picture" if end else "truncated in header")
    width, height = struct.unpack_from(">II", own[b"ispe"], 4)
    angle = own[b"irot"][0] & 3 if b"irot" in own else 0
    orientation = _ORIENTATIONS[angle, own[b"imir"][0] & 1 if b"imir" in own else None]
    depth = _depth(own)
    flags = _flags(found, own, depth, orientation)
    crop = None if (aperture := own.get(b"clap")) is None else _crop(aperture, width, height)
    heic = name == "HEIC"
    if heic and orientation >= 5:  # its decoder turns by itself
        width, height = height, width
    return Inspection(
        format=name,
        width=width,
        height=height,
        payload=data[:end],
        codec="pillow-heif" if heic else "opencv",
        flags=(*flags, *trailing_flag(data, end)),
        orientation=1 if heic else orientation,
        depth=depth,
        crop=None if heic else crop,  # its decoder crops by itself
    )


def _crop(aperture: bytes, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of the clean aperture; it is taken before the picture is turned.

    Raises:
        Unreadable: it does not lie on whole pixels within the picture.
    """
    values = struct.unpack_from(">iIiIiIiI", aperture)
    if 0 in values[1::2]:
        raise Unreadable("damaged header: a clean aperture that divides by zero")
    wide, high, right, down = (Fraction(*values[at : at + 2]) for at in range(0, 8, 2))
    left, top = (width - wide) / 2 + right, (height - high) / 2 + down
    if any(value.denominator != 1 for value in (wide, high, left, top)):
        raise Unreadable("a clean aperture between pixels is not read")
    if wide < 1 or high < 1 or left < 0 or top < 0 or left + wide > width or top + high > height:
        raise Unreadable("damaged header: the clean aperture reaches beyond the picture")
    return int(left), int(top), int(wide), int(high)


def boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of each box's body; at the top of a file, what is no box any more is left as trailing.

    Args:
        data: the whole file.
        at: where the first box begins; 0 is the top of the file.
        end: where the box around them ends.

    Raises:
        Unreadable: a box that reaches beyond `end`.
    """
    top = at == 0
    while at < end:
        if at + 8 > end:
            if top and at:
                return
            raise Unreadable("truncated in header")
        size, kind = struct.unpack_from(">I4s", data, at)
        begin = at + 8
        if size == 1:
            size, begin = struct.unpack_from(">Q", data, begin)[0], at + 16
        elif size == 0:
            size = end - at
        if top and at and not (kind.isalnum() and size >= 8):
            return
        if size < begin - at or at + size > end:
            box = kind.decode() if kind.isalnum() else "a box"
            raise Unreadable(f"truncated: {box} ends at byte {at + size} of {end}")
        yield kind, begin, at + size
        at += size


def _meta(found: _Found, data: bytes, begin: int, end: int) -> None:
    for kind, start, stop in boxes(data, begin, end) if begin else ():
        if kind == b"pitm":
            found.primary = struct.unpack_from(">I" if data[start] else ">H", data, start + 4)[0]
        elif kind == b"iprp":
            for inner, first, last in boxes(data, start, stop):
                if inner == b"ipco":
                    found.properties += [(name, data[a:b]) for name, a, b in boxes(data, first, last)]
                elif inner == b"ipma":
                    _links(found, data[first:last])


def _links(found: _Found, body: bytes) -> None:
    wide_items, wide_numbers = body[0] > 0, body[3] & 1
    count, at = struct.unpack_from(">I", body, 4)[0], 8
    for _ in range(count):
        item = struct.unpack_from(">I" if wide_items else ">H", body, at)[0]
        at += 4 if wide_items else 2
        numbers = body[at]
        at += 1
        for _ in range(numbers):
            number = struct.unpack_from(">H", body, at)[0] & 0x7FFF if wide_numbers else body[at] & 0x7F
            at += 2 if wide_numbers else 1
            found.links.setdefault(item, []).append(number)


def _movie(found: _Found, data: bytes, begin: int, end: int) -> None:
    """An image sequence: the number of samples in its longest track."""
    for kind, start, stop in boxes(data, begin, end):
        if kind in _CONTAINERS:
            _movie(found, data, start, stop)
        elif kind == b"stsz":
            found.frames = max(found.frames, struct.unpack_from(">I", data, start + 8)[0])


def _own(found: _Found) -> list[tuple[bytes, bytes]]:
    numbers = found.links.get(found.primary, [])
    return [found.properties[number - 1] for number in numbers if 1 <= number <= len(found.properties)]


def _depth(own: dict[bytes, bytes]) -> int:
    if b"av1C" in own:
        third = own[b"av1C"][2]
        return (12 if third & 0x20 else 10) if third & 0x40 else 8
    return max(own[b"pixi"][5:], default=8) if b"pixi" in own else 8


def _flags(found: _Found, own: dict[bytes, bytes], depth: int, orientation: int) -> list[str]:
    flags = []
    if depth > 8:
        flags.append(f"16-bit-reduced={depth}")  # stored with so many bits, reduced like 16
    if b"av1C" in own and own[b"av1C"][2] & 0x10:
        flags.append("grey")
    if orientation != 1:
        flags.append("exif-rotated")
    profile = own.get(b"colr", b"")
    if profile[:4] in (b"prof", b"rICC") and not icc_is_sound(profile[4:]):
        flags.append("icc-invalid")
    if found.frames > 1:
        flags.append(f"animated-first-frame={found.frames}")
    return flags
