"""What counts once: a photograph on the known side, a generator on the unknown one; its images are not independent.

Every figure of this room weighs images so that each unit has the same share, however many images it has.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """Numbers of images that speak for one proposition: scores, or log10 of likelihood ratios."""

    values: Floats = field(repr=False)
    """(N,); a ratio may be infinite, nothing is NaN."""
    units: tuple[str, ...] = field(repr=False)
    """(N,) the photograph or generator of each."""

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.units),):
            raise ValueError(f"values: expected ({len(self.units)},), got {self.values.shape}")
        if np.isnan(self.values).any():
            raise ValueError("values: expected numbers, got NaN")

    @cached_property
    def count(self) -> int:
        """How many units there are."""
        return len(set(self.units))

    @cached_property
    def weights(self) -> Floats:
        """(N,) that sum to 1: each unit has the same share, and its images share it."""
        images = Counter(self.units)
        return np.array([1 / (len(images) * images[unit]) for unit in self.units], dtype=np.float64)

    def with_values(self, values: Floats) -> Side:
        """The same images with other numbers, (N,)."""
        return Side(values, self.units)

    def only(self, kept: NDArray[np.bool_]) -> Side:
        """Some of the images; (N,) bool."""
        return Side(self.values[kept], tuple(unit for unit, is_kept in zip(self.units, kept, strict=True) if is_kept))

    def without(self, unit: str) -> Side:
        """All images but those of one unit."""
        return self.only(~self.of(unit))

    def of(self, unit: str) -> NDArray[np.bool_]:
        """(N,) whether an image belongs to the unit."""
        return np.array([one == unit for one in self.units], dtype=bool)

    def names(self) -> list[str]:
        """The units, sorted."""
        return sorted(set(self.units))

    def lowest(self) -> Floats:
        """(U,) the lowest number of each unit, rising."""
        least: dict[str, float] = {}
        for value, unit in zip(self.values.tolist(), self.units, strict=True):
            least[unit] = min(value, least.get(unit, value))
        return np.array(sorted(least.values()), dtype=np.float64)


def side(values: ArrayLike, units: Sequence[str] | None = None) -> Side:
    """A side from any sequence of numbers; every image is a unit of its own where none are given.

    Args:
        values: (N,) numbers.
        units: (N,) names, or None.

    Raises:
        ValueError: lengths differ, or a value is NaN.
    """
    numbers = np.asarray(values, dtype=np.float64)
    return Side(numbers, tuple(str(place) for place in range(numbers.size)) if units is None else tuple(units))
