"""The scans of a JPEG: whether all are there, and each goes on from what those before it left.

A decoder takes scans as they come. Where one is left out it warns at most, and of the first thing alone that it does
not like, which need not be harm; so harm is looked for here, and what is none is put right before a decoder sees it.

Source: ITU-T T.81 sections B.2.2 and B.2.3 (headers), E.1.4 (restart intervals), G.1.1.1 (progression).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from forensic.errors import Unreadable

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_WHOLE = b"\x00\x3f\x00"
"""What the header of a sequential scan ends with: all coefficients, all bits. Some programs write other numbers."""


class _Component(NamedTuple):
    """Its sampling factors."""

    across: int
    down: int


class Scans:
    """What the scans of one frame have told so far.

    Args:
        frame: the body of the frame's header, whose length fits its number of components.
        progressive: whether scans refine one another.
    """

    def __init__(self, frame: bytes, *, progressive: bool) -> None:
        self._height, self._width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
        fields = [frame[6 + 3 * index : 9 + 3 * index] for index in range(frame[5])]
        self._components = {each[0]: _Component(each[1] >> 4, each[1] & 15) for each in fields}
        self._progressive = progressive
        self._left: dict[tuple[int, int], int | None] = {
            (component, k): None for component in self._components for k in range(64 if progressive else 1)
        }
        self.count = 0
        self.intervals_missing = 0
        """Restart intervals that scans lack; a decoder fills them with grey."""

    @property
    def missing(self) -> bool:
        """Whether bits of any coefficient have not come."""
        return any(left is None or left for left in self._left.values())

    def add(self, body: bytes, data: bytes, packed: tuple[int, int], interval: int) -> bytes:
        """Takes one scan.

        Args:
            body: of its header.
            data: the whole file.
            packed: where the scan's data begins and ends.
            interval: units between restart markers, 0 for none.

        Returns:
            The body as a decoder takes it without a word.

        Raises:
            Unreadable: its header is damaged, or it does not go on from what those before it left.
        """
        count = body[0] if body else 0
        if len(body) < 4 + 2 * count or not count:
            raise Unreadable("damaged JPEG: scan header")
        named = [body[1 + 2 * index] for index in range(count)]
        first, last, bits = body[1 + 2 * count : 4 + 2 * count]
        for component in named:
            if self._progressive:
                self._refine(component, range(first, last + 1), bits >> 4, bits & 15)
            elif self._left.get((component, 0)) == 0:
                raise Unreadable(f"damaged JPEG: two scans of component {component}")
            elif (component, 0) in self._left:
                self._left[component, 0] = 0
        self.count += 1
        if interval:
            there = sum(1 for _ in _RESTART.finditer(data, *packed))
            self.intervals_missing += max(-(-self._units(named) // interval) - 1 - there, 0)
        return body if self._progressive else body[: 1 + 2 * count] + _WHOLE + body[4 + 2 * count :]

    def _refine(self, component: int, coefficients: range, above: int, below: int) -> None:
        for k in coefficients:
            if (component, k) not in self._left:
                continue
            left = self._left[component, k]
            if left == 0 or above != (left or 0) or (k > 0 and self._left[component, 0] is None):
                what = f"coefficient {k} of component {component}"
                raise Unreadable(f"damaged JPEG: a scan does not go on from those before it ({what})")
            self._left[component, k] = below

    def _units(self, named: list[int]) -> int:
        """Of a scan, between which restart markers may stand."""
        across = max(component.across for component in self._components.values())
        down = max(component.down for component in self._components.values())
        own = self._components.get(named[0])
        if not across or not down or own is None:
            return 0  # a decoder refuses it
        if len(named) > 1:
            return -(-self._width // (8 * across)) * -(-self._height // (8 * down))
        return -(-self._width * own.across // (8 * across)) * -(-self._height * own.down // (8 * down))


def quiet_segment(segment: bytes, components: int) -> bytes:
    """An APP0 or APP14 segment as a decoder takes it without a word, and with the same colours.

    Args:
        segment: whole, its marker included.
        components: of the frame.

    Returns:
        The same length: JFIF of any version as version 1, an unknown Adobe transform as what it is taken for.
    """
    known, taken = {3: ((0, 1), 1), 4: ((0, 2), 2)}.get(components, ((), 0))
    if segment[1] == 0xE0 and segment[4:9] == b"JFIF\0" and len(segment) > 9:
        return segment[:9] + b"\1" + segment[10:]
    if segment[1] == 0xEE and segment[4:9] == b"Adobe" and len(segment) > 15 and known and segment[15] not in known:
        return segment[:15] + bytes((taken,)) + segment[16:]
    return segment
