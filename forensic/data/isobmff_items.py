"""Metadata items of AVIF and HEIC: EXIF and XMP stand among the items of `meta`, in pieces anywhere in the file.

Source: ISO/IEC 14496-12 sections 8.11.3 (iloc) and 8.11.6 (iinf), 23008-12 annex A (the EXIF item's offset field).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from forensic.data.isobmff_boxes import boxes
from forensic.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_ITEMS = 4096
_MOST_PIECES = 4096
_FIRST = 256
"""Bytes of an item that hold its sequence header."""
_MOST_BYTES = 8 << 20
"""Of one item that is put together from pieces; pieces may overlap, so that a small file could name a large item."""


class Item(NamedTuple):
    """One item: `Exif` or `mime`, its content type, its bytes, and where the first of them stands."""

    kind: bytes
    content_type: bytes
    at: int
    data: bytes


class _Pieces(NamedTuple):
    """Where an item's bytes stand: in the file or in the `idat` box, as (offset, length)."""

    construction: int
    extents: list[tuple[int, int]]


def metadata_items(data: bytes, begin: int, end: int) -> Iterator[Item]:
    """The EXIF and MIME items of a `meta` box.

    Args:
        data: the whole file.
        begin: where the box's first inner box begins, behind its version and flags.
        end: where the box ends.

    Raises:
        Unreadable: damaged tables, an item that reaches beyond the file, more items or bytes than are read.
    """
    found: dict[int, tuple[bytes, bytes]] = {}
    places: dict[int, _Pieces] = {}
    idat = 0, 0
    try:
        for kind, first, last in boxes(data, begin, end):
            if kind == b"iinf":
                found = dict(_entries(data, first, last))
            elif kind == b"iloc":
                places = dict(_locations(data[first:last]))
            elif kind == b"idat":
                idat = first, last
    except (struct.error, IndexError):
        raise Unreadable("damaged item tables") from None
    for number, (kind, content_type) in found.items():
        pieces = places.get(number)
        if pieces is None:
            continue
        if pieces.construction > 1:
            raise Unreadable(f"item {number} is put together from other items, which is not read")
        inside = idat if pieces.construction == 1 else (0, len(data))
        at = inside[0] + (pieces.extents[0][0] if pieces.extents else 0)
        yield Item(kind, content_type, at, _joined(data, pieces.extents, inside, number))


def beginnings(data: bytes, begin: int, end: int, items: set[int]) -> Iterator[tuple[int, bytes]]:
    """The first bytes of items in the file; those that stand elsewhere, or not there, are left out.

    Args:
        data: the whole file.
        begin: as in `metadata_items`.
        end: as in `metadata_items`.
        items: their numbers.

    Raises:
        Unreadable: damaged tables.
    """
    for kind, first, last in boxes(data, begin, end):
        for item, pieces in _locations(data[first:last]) if kind == b"iloc" else ():
            if item in items and pieces.construction == 0 and pieces.extents:
                offset, length = pieces.extents[0]
                yield item, data[offset : offset + min(length or _FIRST, _FIRST)]


def _entries(data: bytes, at: int, end: int) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
    """Item number -> kind and content type, of items that hold metadata."""
    at += 6 if data[at] == 0 else 8
    for count, (kind, first, last) in enumerate(boxes(data, at, end)):
        if count >= _MOST_ITEMS:
            raise Unreadable(f"more than {_MOST_ITEMS:,} items")
        version = data[first]
        if kind != b"infe" or version not in (2, 3):
            continue
        number = struct.unpack_from(">H" if version == 2 else ">I", data, first + 4)[0]
        at = first + (8 if version == 2 else 10)
        item = data[at : at + 4]
        if item in (b"Exif", b"mime"):
            _name, _, rest = data[at + 4 : last].partition(b"\0")
            yield number, (item, rest.partition(b"\0")[0] if item == b"mime" else b"")


def _locations(body: bytes) -> Iterator[tuple[int, _Pieces]]:
    version, sizes, more = body[0], body[4], body[5]
    offset_size, length_size, base_size = sizes >> 4, sizes & 15, more >> 4
    index_size = more & 15 if version in (1, 2) else 0
    if version > 2 or not {offset_size, length_size, base_size, index_size} <= {0, 4, 8}:
        raise Unreadable("damaged item tables: iloc")
    at = 6

    def number(size: int) -> int:
        nonlocal at
        if at + size > len(body):
            raise Unreadable("damaged item tables: iloc ends early")
        at += size
        return int.from_bytes(body[at - size : at], "big")

    count, pieces = number(4 if version == 2 else 2), 0
    for _ in range(count):
        item = number(4 if version == 2 else 2)
        construction = number(2) & 15 if version else 0
        number(2)  # the file that holds it, 0 for this one
        base = number(base_size)
        extents = []
        for _ in range(number(2)):
            pieces += 1
            if pieces > _MOST_PIECES:
                raise Unreadable(f"items in more than {_MOST_PIECES:,} pieces")
            number(index_size)
            extents.append((base + number(offset_size), number(length_size)))
        yield item, _Pieces(construction, extents)


def _joined(data: bytes, extents: list[tuple[int, int]], inside: tuple[int, int], number: int) -> bytes:
    begin, end = inside
    whole, left = [], _MOST_BYTES
    for offset, length in extents:
        at = begin + offset
        size = length or end - at  # 0: to the end
        left -= size
        if at + size > end or size < 0:
            raise Unreadable(f"item {number} reaches beyond the file")
        if left < 0:
            raise Unreadable(f"item {number} has more than {_MOST_BYTES:,} bytes")
        whole.append(data[at : at + size])
    return b"".join(whole)
