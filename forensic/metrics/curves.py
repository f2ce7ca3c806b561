"""The curves behind AUROC and OSCR, over distinct thresholds.

Positive is *known*: an image is accepted where its score is at or above the threshold. The trapezoids under the curves
are `openset.auroc` and `openset.oscr`, ties included: images of one score are accepted together, which makes a slope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forensic.metrics.checks import empty_side, flags_of, scores_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Points of a curve, from (0, 0) where nothing is accepted to the right end where everything is."""

    x: Floats
    """(T + 1,) share of unknown images accepted, rising from 0 to 1."""
    y: Floats
    """(T + 1,) share of known images accepted (ROC), or labelled right and accepted (OSCR); never falling."""
    thresholds: Floats
    """(T + 1,) the distinct scores, falling; the first is infinity and accepts nothing."""
    reason: str | None = None
    """Why there is no curve: then the arrays are empty."""


def roc(known: ArrayLike, unknown: ArrayLike) -> Curve:
    """Share of known images accepted over the share of unknown ones accepted.

    Args:
        known: scores (N,), finite, larger = more surely known.
        unknown: scores (M,), finite.

    Returns:
        A point for each of the T distinct scores, and (0, 0); empty with a reason where a side is empty.

    Raises:
        ValueError: a score is not finite, or an array is not of one axis.
    """
    scores = scores_of(known, "known")
    return oscr_curve(scores, np.ones(len(scores), dtype=bool), unknown)


def oscr_curve(known: ArrayLike, correct: ArrayLike, unknown: ArrayLike) -> Curve:
    """Share of known images labelled right and accepted over the share of unknown ones accepted.

    Args:
        known: scores (N,), finite, larger = more surely known.
        correct: (N,) bool, whether the known image's label is right, whatever the threshold.
        unknown: scores (M,), finite.

    Returns:
        As for `roc`; the right end is (1, closed-set accuracy).

    Raises:
        ValueError: a score is not finite, an array is not of one axis, or the lengths differ.
    """
    inside, outside = scores_of(known, "known"), scores_of(unknown, "unknown")
    right = flags_of(correct, "correct", len(inside))
    if (reason := empty_side(inside, outside)) is not None:
        nothing = np.zeros(0)
        return Curve(nothing, nothing, nothing, reason)
    thresholds = np.concatenate([[np.inf], np.unique(np.concatenate([inside, outside]))[::-1]])
    return Curve(
        _reaching(outside, thresholds) / len(outside), _reaching(inside[right], thresholds) / len(inside), thresholds
    )


def _reaching(scores: Floats, thresholds: Floats) -> NDArray[np.int64]:
    """How many scores are at or above each threshold."""
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")
