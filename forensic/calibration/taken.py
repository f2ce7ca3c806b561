"""What the thresholds of a calibration do with images of generators that are none of the known classes.

Thresholds keep a share of photographs and have seen no image of a generator: these images chose nothing of them. They
chose the ratios. Images of one generator are not independent of each other, so that what counts is the range over the
generators; one that was not seen may do anything in it, or worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forensic.calibration.pictures import Picture


@dataclass(frozen=True)
class Taken:
    """Of one generator."""

    images: int
    known: float
    """Share of its images that are taken for a known class, whichever."""
    real: float
    """Share of its images that come out as class real; 0 where no class is."""


def taken_of(unknown: Sequence[Picture], thresholds: Sequence[float | None], real: int | None) -> dict[str, Taken]:
    """Generator -> what becomes of its images, by name.

    Args:
        unknown: pictures of unknown generators.
        thresholds: of each class in label order; None where the calibration has none.
        real: label of class real; None where no class is.

    Returns:
        Empty where a picture's best class has no threshold here: what decides about it is not known to a calibration.
    """
    found: dict[str, list[int]] = {}
    for picture in sorted(unknown, key=lambda one: one.source):
        threshold = thresholds[picture.best]
        if threshold is None:
            return {}
        counts = found.setdefault(picture.source, [0, 0, 0])
        counts[0] += 1
        if picture.score >= threshold:
            counts[1] += 1
            counts[2] += picture.best == real
    return {name: Taken(images, known / images, as_real / images) for name, (images, known, as_real) in found.items()}
