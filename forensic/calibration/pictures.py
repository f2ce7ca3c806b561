"""What is known of a picture that fits or measures something: its bytes' hash, its unit, its scores, its condition.

A condition is what error rates depend on besides the content: container, size, number of tiles, JPEG quality. A
calibration covers what *both* sides have: where all photographs are JPEG and all generated images PNG, a ratio would be
one of containers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Condition:
    """Of one picture."""

    format: str
    """As findings name it."""
    width: int
    height: int
    tiles: int
    """How many its score is of."""
    jpeg_quality: int | None = None
    """As libjpeg counts, from the quantisation table; None where it is no JPEG."""


@dataclass(frozen=True)
class Picture:
    """A picture with its scores."""

    sha256: str
    unit: str
    """The photograph it was made from, or the file's own hash."""
    source: str
    """Name of the class or generator."""
    label: int
    """Of its class, or -1."""
    best: int
    """The class that the weights name."""
    per_class: NDArray[np.float64] = field(repr=False, compare=False)
    """(K,) each class's own score."""
    condition: Condition

    @property
    def score(self) -> float:
        """Of the best class: what is held against the threshold."""
        return float(self.per_class[self.best])


@dataclass(frozen=True)
class Coverage:
    """The conditions that figures hold for."""

    formats: tuple[str, ...]
    sides: tuple[int, int]
    """Least and greatest side in pixels."""
    tiles: tuple[int, int]
    jpeg_quality: tuple[int, int] | None = None

    def outside(self, condition: Condition) -> str | None:
        """In what a picture is none of those: `format`, `size`, `tiles` or `jpeg-quality`; None where it is covered."""
        if condition.format not in self.formats:
            return "format"
        if condition.jpeg_quality is not None and not _within(condition.jpeg_quality, self.jpeg_quality):
            return "jpeg-quality"
        least, greatest = sorted((condition.width, condition.height))
        if least < self.sides[0] or greatest > self.sides[1]:
            return "size"
        return None if _within(condition.tiles, self.tiles) else "tiles"

    @property
    def sentence(self) -> str:
        """In words."""
        quality = "" if self.jpeg_quality is None else f" of quality {_span(self.jpeg_quality)}"
        formats = " and ".join(name + (quality if name == "JPEG" else "") for name in self.formats)
        tiles = "tile" if self.tiles == (1, 1) else "tiles"
        return f"{formats}, sides of {_span(self.sides)} px, scores over {_span(self.tiles)} {tiles}"


def coverage_of(sides: Sequence[Sequence[Picture]]) -> Coverage | None:
    """What every side has; None where they have nothing in common.

    Args:
        sides: the pictures of each; sides without any are passed over, at least one has some.
    """
    found = [_range(side) for side in sides if side]
    formats = tuple(sorted(set.intersection(*(set(one.formats) for one in found))))
    ranges = [_common([one.sides for one in found]), _common([one.tiles for one in found])]
    qualities = [one.jpeg_quality for one in found]
    quality = _common([one for one in qualities if one is not None]) if None not in qualities else None
    if quality is None:
        formats = tuple(name for name in formats if name != "JPEG")
    if not formats or ranges[0] is None or ranges[1] is None:
        return None
    return Coverage(formats, ranges[0], ranges[1], quality)


def _range(side: Sequence[Picture]) -> Coverage:
    conditions = [picture.condition for picture in side]
    lengths = [length for one in conditions for length in (one.width, one.height)]
    qualities = [one.jpeg_quality for one in conditions if one.jpeg_quality is not None]
    tiles = [one.tiles for one in conditions]
    return Coverage(
        tuple(sorted({one.format for one in conditions})),
        (min(lengths), max(lengths)),
        (min(tiles), max(tiles)),
        (min(qualities), max(qualities)) if qualities else None,
    )


def _common(ranges: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    low, high = max(one[0] for one in ranges), min(one[1] for one in ranges)
    return (low, high) if low <= high else None


def _within(value: int, span: tuple[int, int] | None) -> bool:
    return span is not None and span[0] <= value <= span[1]


def _span(span: tuple[int, int]) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]} to {span[1]}"
