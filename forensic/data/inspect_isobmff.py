"""AVIF and HEIC: boxes, the primary item's size, depth and transform.

The container's own crop (`clap`), rotation and mirror count, an EXIF tag beside them does not; OpenCV applies none, so
they are ours. All sizes that any item claims are compared with the limit.

Source: ISO/IEC 14496-12 (clap, iinf, iref), 23008-12 (meta, ispe, irot, imir, pixi, auxC), AV1 in ISOBMFF (av1C).
"""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from forensic.data.av1_sequence import coded_size
from forensic.data.exif import icc_is_sound
from forensic.data.inspection import DecodeLimits, Inspection, check_pixels, trailing_flag
from forensic.data.isobmff_boxes import boxes
from forensic.data.isobmff_items import beginnings
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
_PICTURES = {b"av01", b"hvc1", b"hev1", b"avc1", b"vvc1", b"jpeg", b"j2k1", b"unci", b"grid", b"iovl", b"iden"}
_COMPOSED = {b"grid", b"iovl", b"iden"}
"""Items that are put together from others."""
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
    items: dict[int, bytes] = field(default_factory=dict)
    """Item -> its four letters."""
    references: list[tuple[bytes, int, tuple[int, ...]]] = field(default_factory=list)
    """Kind, from which item, to which."""
    meta: tuple[int, int] | None = None
    """Where the tables of items stand."""


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
            found.meta = begin + 4, stop
            _meta(found, data, begin + 4, stop)
        elif kind in _CONTAINERS:
            _movie(found, data, begin, stop)
    for kind, body in found.properties:
        if kind == b"ispe":
            claimed_width, claimed_height = struct.unpack_from(">II", body, 4)
            check_pixels(claimed_width, claimed_height, limits)
    own = dict(reversed(_own(found)))
    if b"ispe" not in own:
        raise Unreadable(f"damaged {name}: no primary image" if end else "truncated in header")
    width, height = struct.unpack_from(">II", own[b"ispe"], 4)
    _check_coded_sizes(found, data, name)
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
        raise Unreadable("damaged header: the clean aperture reaches beyond the image")
    return int(left), int(top), int(wide), int(high)


def _meta(found: _Found, data: bytes, begin: int, end: int) -> None:
    for kind, start, stop in boxes(data, begin, end) if begin else ():
        if kind == b"pitm":
            found.primary = struct.unpack_from(">I" if data[start] else ">H", data, start + 4)[0]
        elif kind == b"iinf":
            found.items = dict(_items(data, start, stop))
        elif kind == b"iref":
            found.references = _references(data, start, stop)
        elif kind == b"iprp":
            for inner, first, last in boxes(data, start, stop):
                if inner == b"ipco":
                    found.properties += [(name, data[a:b]) for name, a, b in boxes(data, first, last)]
                elif inner == b"ipma":
                    _links(found, data[first:last])


def _items(data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    for kind, first, last in boxes(data, at + (6 if data[at] == 0 else 8), end):
        version = data[first]
        if kind == b"infe" and version in (2, 3) and last - first >= 12:
            wide = version == 3
            yield struct.unpack_from(">I" if wide else ">H", data, first + 4)[0], data[first + 8 + 2 * wide :][:4]


def _references(data: bytes, at: int, end: int) -> list[tuple[bytes, int, tuple[int, ...]]]:
    code, size = (">I", 4) if data[at] else (">H", 2)
    found = []
    for kind, first, last in boxes(data, at + 4, end):
        count = struct.unpack_from(">H", data, first + size)[0]
        if first + size + 2 + size * count > last:
            raise Unreadable("damaged header: references between items")
        targets = struct.unpack_from(f">{count}{code[1]}", data, first + size + 2)
        found.append((kind, int(struct.unpack_from(code, data, first)[0]), targets))
    return found


def _count_pictures(found: _Found) -> int:
    """Pictures that could be shown on their own: without tiles of others, thumbnails and transparency."""
    parts: set[int] = set()
    for kind, source, targets in found.references:
        if kind == b"dimg" and found.items.get(source) in _COMPOSED:
            parts.update(targets)
        elif kind == b"thmb" or (kind == b"auxl" and b"alpha" in _auxiliary(found, source)):
            parts.add(source)
    parts.discard(found.primary)
    return sum(kind in _PICTURES for item, kind in found.items.items() if item not in parts)


def _auxiliary(found: _Found, item: int) -> bytes:
    """What an auxiliary picture says it is, as a URN; HEVC's old name of alpha has a number."""
    said = b"".join(body for kind, body in _own(found, item) if kind == b"auxC")
    return said.replace(b"auxid:1\0", b"alpha")


def _check_coded_sizes(found: _Found, data: bytes, name: str) -> None:
    """Refuses pictures whose header states another size than is coded: decoders scale them to it without a word."""
    wanted = {found.primary}
    for kind, source, targets in found.references:
        wanted |= set(targets) if kind == b"dimg" and source == found.primary else set()
    wanted = {item for item in wanted if found.items.get(item) == b"av01"}
    if found.meta is None or not wanted:
        return
    for item, begin in beginnings(data, *found.meta, wanted):
        own = dict(_own(found, item))
        stated_size = struct.unpack_from(">II", own[b"ispe"], 4) if b"ispe" in own else None
        coded = coded_size(begin)
        if coded is None or stated_size is None:
            continue
        layer = b"lsel" in own  # one layer of several, each of a size up to that which is coded
        if stated_size != coded and not (layer and stated_size[0] <= coded[0] and stated_size[1] <= coded[1]):
            stated, really = (f"{width} by {height}" for width, height in (stated_size, coded))
            raise Unreadable(f"damaged {name}: its header states {stated} pixels, {really} are coded")


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


def _own(found: _Found, item: int | None = None) -> list[tuple[bytes, bytes]]:
    numbers = found.links.get(found.primary if item is None else item, [])
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
    pictures = _count_pictures(found)
    if pictures > 1:
        flags.append(f"multi-frame-first={pictures}")
    if found.frames > 1:
        flags.append(f"animated-first-frame={found.frames}")
    return flags
