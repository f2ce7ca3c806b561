"""The fields of a TIFF: directories, their entries, values of every type; a block of EXIF is built the same way.

Source: TIFF 6.0 section 2, TIFF Technical Note 1 (trees); BigTIFF (the libtiff design note); CIPA DC-008.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from forensic.data.exif import TYPE_SIZES
from forensic.errors import Unreadable

_MOST_VALUES = 1 << 24
"""Of one tag that is read; more strips than that are no picture within the limits."""
_MOST_DIRECTORIES = 10_000
CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""`struct` codes of the field types that hold unsigned numbers."""
_DIRECTORIES = frozenset({330, 400, 34665, 34853, 40965})
"""Fields that point to further directories."""
_DATA = ((273, 279), (324, 325), (513, 514), (288, 289))
"""Fields that point to data, each with that of its sizes: strips, tiles, a thumbnail, bytes given free."""


class Entry(NamedTuple):
    """One field: its type, its number of values, where they stand."""

    kind: int
    length: int
    at: int


class Directory(NamedTuple):
    """One page's fields, and where the offset of the next page is stored."""

    entries: dict[int, Entry]
    next_at: int


class TiffFile:
    """A TIFF's bytes with their order and offset size; a block of EXIF is one too.

    Args:
        data: the whole file.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = "<" if data[:2] == b"II" else ">"
        self.big = data[2:4] in (b"+\0", b"\0+")
        self.offset = "Q" if self.big else "I"
        self.first_at = 8 if self.big else 4

    def integer(self, code: str, at: int) -> int:
        """One unsigned number by its `struct` code.

        Raises:
            Unreadable: it lies beyond the file.
        """
        if at + struct.calcsize("=" + code) > len(self.data):
            raise Unreadable("truncated in header")
        return int(struct.unpack_from(self.order + code, self.data, at)[0])

    def first(self) -> Directory:
        """The first directory.

        Raises:
            Unreadable: it lies beyond the file.
        """
        return self.directory(self.integer(self.offset, self.first_at))

    def directory(self, at: int) -> Directory:
        """The directory that begins there; of two fields with one tag the first counts.

        Raises:
            Unreadable: it reaches beyond the file.
        """
        size, inline = (20, 8) if self.big else (12, 4)
        count = self.integer("Q" if self.big else "H", at)
        begin = at + (8 if self.big else 2)
        if begin + size * count > len(self.data):
            raise Unreadable("damaged TIFF header: the directory reaches beyond the file")
        entries: dict[int, Entry] = {}
        for place in range(begin, begin + size * count, size):
            tag, kind = self.integer("H", place), self.integer("H", place + 2)
            values = self.integer(self.offset, place + 4)
            stored = place + 4 + inline
            wide = TYPE_SIZES.get(kind, 1) * values > inline
            entries.setdefault(tag, Entry(kind, values, self.integer(self.offset, stored) if wide else stored))
        return Directory(entries, begin + size * count)

    def stored(self, entry: Entry) -> bytes:
        """A field's bytes as they are.

        Raises:
            Unreadable: a type that is not known, or they reach beyond the file.
        """
        size = TYPE_SIZES.get(entry.kind, 0) * entry.length
        if not size or entry.at + size > len(self.data):
            raise Unreadable(f"a field of type {entry.kind} with {entry.length:,} values does not fit the file")
        return self.data[entry.at : entry.at + size]

    def values(self, directory: Directory, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """A field's unsigned numbers, or the default where it is absent.

        Raises:
            Unreadable: another type, no or too many values, or they reach beyond the file.
        """
        entry = directory.entries.get(tag)
        if entry is None:
            return default
        code = CODES.get(entry.kind)
        end = entry.at + TYPE_SIZES.get(entry.kind, 1) * entry.length
        if code is None or not 1 <= entry.length <= _MOST_VALUES or end > len(self.data):
            raise Unreadable(f"damaged TIFF header: tag {tag} has type {entry.kind} and {entry.length:,} values")
        return struct.unpack_from(f"{self.order}{entry.length}{code}", self.data, entry.at)

    def value(self, directory: Directory, tag: int, default: int | None = None) -> int:
        """A field's one number, or the default where it is absent.

        Raises:
            Unreadable: as `values`, or not one value.
        """
        values = self.values(directory, tag, () if default is None else (default,))
        if len(values) != 1:
            raise Unreadable(f"damaged TIFF header: tag {tag} has {len(values):,} values instead of one")
        return values[0]

    def end(self) -> int | None:
        """Behind the last byte that the directories speak of; None where one of them can not be read.

        A TIFF has no end marker, and its parts stand in any order; bytes behind them all belong to none.
        """
        end, seen, waiting = self.first_at, set[int](), [self.integer(self.offset, self.first_at)]
        try:
            while waiting:
                at = waiting.pop()
                if not at or at in seen:
                    continue
                if len(seen) == _MOST_DIRECTORIES:
                    return None
                seen.add(at)
                page = self.directory(at)
                end = max(end, page.next_at, self._end_of(page))
                if page.next_at + struct.calcsize("=" + self.offset) <= len(self.data):  # EXIF's may lack it
                    end = max(end, page.next_at + struct.calcsize("=" + self.offset))
                    waiting.append(self.integer(self.offset, page.next_at))
                for tag, entry in page.entries.items():
                    if tag in _DIRECTORIES or entry.kind in (13, 18):
                        waiting += self.values(page, tag)
        except Unreadable:
            return None
        return end

    def _end_of(self, page: Directory) -> int:
        """Of one directory's values, and of the data that its fields point to."""
        ends = [entry.at + TYPE_SIZES.get(entry.kind, 1) * entry.length for entry in page.entries.values()]
        for offsets, sizes in _DATA:
            if offsets in page.entries and sizes in page.entries:
                pairs = zip(self.values(page, offsets), self.values(page, sizes), strict=False)
                ends += [offset + size for offset, size in pairs]
        return max((end for end in ends if end <= len(self.data)), default=0)
