"""The boxes of an ISO base media file: one inside the other, each with its size and its kind.

Source: ISO/IEC 14496-12 section 4.2.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from forensic.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator


_AT_THE_TOP = frozenset(b"ftyp meta mdat moov moof mfra free skip wide uuid idat pdin styp sidx ssix emsg prft".split())
"""Kinds that stand at the top of a file: one of these that reaches beyond it is cut off, anything else is no box."""


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
            if top and at and kind not in _AT_THE_TOP:
                return
            box = kind.decode() if kind.isalnum() else "a box"
            raise Unreadable(f"truncated: {box} ends at byte {at + size} of {end}")
        yield kind, begin, at + size
        at += size
