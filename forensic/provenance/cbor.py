"""CBOR: enough of it to read what a C2PA claim says, within limits.

Source: RFC 8949, sections 3 and 5.
"""

from __future__ import annotations

import math
import struct

from forensic.errors import Unreadable

_MOST_ITEMS = 100_000
_DEEPEST = 64
_BREAK = object()
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self._items = 0
        self._depth = 0

    def _take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise Unreadable("damaged CBOR: it ends early")
        self.at += size
        return self.data[self.at - size : self.at]

    def _argument(self, low: int) -> int | None:
        """The number behind a head; None for an indefinite length."""
        if low < 24:
            return low
        if low == 31:
            return None
        if low > 27:
            raise Unreadable("damaged CBOR: a head that does not exist")
        return int.from_bytes(self._take(1 << low - 24), "big")

    def item(self, *, may_break: bool = False) -> object:
        self._items += 1
        if self._items > _MOST_ITEMS:
            raise Unreadable(f"CBOR of more than {_MOST_ITEMS:,} items is not read")
        head = self._take(1)[0]
        major, low = head >> 5, head & 31
        if major == 7:
            return self._simple(low, may_break=may_break)
        argument = self._argument(low)
        if argument is None and major in (0, 1, 6):
            raise Unreadable("damaged CBOR: a number without a length")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unreadable(f"CBOR of more than {_DEEPEST} levels is not read")
        value = self._value(major, argument)
        self._depth -= 1
        return value

    def _value(self, major: int, argument: int | None) -> object:
        if major in (2, 3):
            return self._string(major, argument)
        if major == 4:
            return self._several(argument)
        if major == 5:
            return self._map(argument)
        number = argument or 0
        if major == 6:  # a tag says how to understand a value; here the value itself serves
            return self.item()
        return number if major == 0 else -1 - number

    def _simple(self, low: int, *, may_break: bool) -> object:
        if low == 31:
            if not may_break:
                raise Unreadable("damaged CBOR: an end where nothing is open")
            return _BREAK
        if low in _FLOATS:
            value = struct.unpack(_FLOATS[low], self._take(1 << low - 24))[0]
            return value if math.isfinite(value) else None
        if low == 24:
            self._take(1)
        return _SIMPLE.get(low)

    def _string(self, major: int, size: int | None) -> bytes | str:
        if size is not None:
            body = self._take(size)
            return body if major == 2 else body.decode("utf-8", errors="replace")
        octets: list[bytes] = []
        letters: list[str] = []
        while (piece := self.item(may_break=True)) is not _BREAK:
            if major == 2 and isinstance(piece, bytes):
                octets.append(piece)
            elif major == 3 and isinstance(piece, str):
                letters.append(piece)
            else:
                raise Unreadable("damaged CBOR: a string of several kinds")
        return b"".join(octets) if major == 2 else "".join(letters)

    def _several(self, count: int | None) -> list[object]:
        if count is not None:
            return [self.item() for _ in self._counted(count)]
        values = []
        while (value := self.item(may_break=True)) is not _BREAK:
            values.append(value)
        return values

    def _map(self, count: int | None) -> dict[object, object]:
        found: dict[object, object] = {}
        if count is not None:
            for _ in self._counted(count):
                self._pair(found, self.item())
            return found
        while (key := self.item(may_break=True)) is not _BREAK:
            self._pair(found, key)
        return found

    def _pair(self, found: dict[object, object], key: object) -> None:
        if isinstance(key, (list, dict)):
            raise Unreadable("CBOR with compound keys is not read")
        found.setdefault(key, self.item())

    def _counted(self, count: int) -> range:
        if count > len(self.data) - self.at:  # an item takes a byte at least
            raise Unreadable("damaged CBOR: it ends early")
        return range(count)


def read_cbor(data: bytes) -> object:
    """The first value of a CBOR sequence.

    Args:
        data: what stands behind the value is passed over.

    Returns:
        int, float, bool, None, bytes, str, list or dict; tags are dropped, undefined and infinite values are None.

    Raises:
        Unreadable: damaged, or beyond the limits.
    """
    return _Reader(data).item()
