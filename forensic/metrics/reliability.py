"""Whether a confidence of 0.8 is right four times in five: reliability diagram and expected calibration error.

Over known images alone, since an unknown one has no right label. Bins are of equal width, and bin b of B holds the
confidences in (b/B, (b+1)/B]; exactly 0 belongs to the first. On an edge the lower bin has it: 1 is in the last.

    ECE  sum over bins of n_b / N |accuracy_b - mean confidence_b|

Source: Guo et al. 2017, "On calibration of modern neural networks", equations 2 and 3.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forensic.metrics.measure import NO_KNOWN, Measure

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

BINS = 15
"""As Guo et al. 2017 have it."""


class Bin(NamedTuple):
    """The images whose confidence lies in (low, high]; 0 lies in the first."""

    low: float
    high: float
    n: int
    confidence: float | None
    """Mean of the bin; None where it is empty."""
    accuracy: float | None
    """Share of the bin that is right; None where it is empty."""


def reliability_bins(confidence: ArrayLike, correct: ArrayLike, bins: int = BINS) -> list[Bin]:
    """All bins from 0 to 1, the empty ones too.

    Args:
        confidence: (N,) in [0, 1], of the label that was given.
        correct: (N,) bool, whether it is right.
        bins: how many, at least 1.

    Raises:
        ValueError: a confidence is not in [0, 1], the lengths differ, an array is not of one axis, or there is no bin.
    """
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=bool)
    if sure.ndim != 1:
        raise ValueError(f"confidence: expected one axis, got shape {sure.shape}")
    if right.shape != sure.shape:
        raise ValueError(f"correct: expected shape {sure.shape}, got {right.shape}")
    if bins < 1:
        raise ValueError(f"bins: expected at least 1, got {bins}")
    if not ((sure >= 0) & (sure <= 1)).all():
        raise ValueError(f"confidence: expected 0 to 1, got {sure.min()} to {sure.max()}")
    # divided one by one, so that an edge such as 3/15 is the float nearest to it, as a confidence of 0.2 is
    edges = np.arange(bins + 1) / bins
    place = np.maximum(np.searchsorted(edges, sure, side="left") - 1, 0)
    rows = []
    for number in range(bins):
        inside = place == number
        n = int(inside.sum())
        # an exact sum, so that the order of the images changes no bit
        mean = math.fsum(sure[inside]) / n if n else None
        share = float(right[inside].mean()) if n else None
        rows.append(Bin(float(edges[number]), float(edges[number + 1]), n, mean, share))
    return rows


def ece(confidence: ArrayLike, correct: ArrayLike, bins: int = BINS) -> Measure:
    """Expected calibration error: mean distance of accuracy from confidence, in bins.

    Arguments and errors as for `reliability_bins`.

    Returns:
        In [0, 1], smaller is better; None with a reason where there are no images.
    """
    filled = [
        (row.n, abs(row.accuracy - row.confidence))
        for row in reliability_bins(confidence, correct, bins)
        if row.accuracy is not None and row.confidence is not None
    ]
    if not filled:
        return Measure(None, NO_KNOWN)
    return Measure(math.fsum(n * gap for n, gap in filled) / sum(n for n, _ in filled))
