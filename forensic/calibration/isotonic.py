"""Pool adjacent violators: the best calibration that only keeps the order, for diagnosis.

Its ratios are steps, 0 and infinite at the ends where the sides do not overlap, and as good as the very data they are
fitted to: they measure how much of a cost is due to discrimination, and are never given as a finding's ratio.

Source: Brümmer and du Preez 2006, "Application-independent evaluation of speaker detection".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from forensic.calibration.units import Side

    Floats = NDArray[np.float64]


class Steps(NamedTuple):
    """PAV's log10 ratio at each distinct value."""

    values: Floats
    """(D,) rising."""
    ratios: Floats
    """(D,) log10; never falling, from -inf to +inf."""

    def at(self, values: Floats) -> Floats:
        """The ratios at some of the same values, (N,) -> (N,)."""
        found: Floats = self.ratios[np.searchsorted(self.values, values)]
        return found


def isotonic(targets: ArrayLike, weights: ArrayLike) -> Floats:
    """The non-falling sequence nearest to the targets, by weighted squares.

    Args:
        targets: (N,) in the order of what they depend on.
        weights: (N,) above 0.

    Returns:
        (N,): means of runs of targets.
    """
    # runs as (mean, weight, length); a run that lies below the one before it is merged with it
    runs: list[tuple[float, float, int]] = []
    for target, weight in zip(
        np.asarray(targets, dtype=np.float64), np.asarray(weights, dtype=np.float64), strict=True
    ):
        mean, total, length = float(target), float(weight), 1
        while runs and runs[-1][0] >= mean:
            before, heavy, many = runs.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, length = total + heavy, length + many
        runs.append((mean, total, length))
    fitted: Floats = np.repeat([run[0] for run in runs], [run[2] for run in runs]).astype(np.float64)
    return fitted


def pav(first: Side, second: Side) -> Steps:
    """PAV's ratios at even prior odds: each side has half of the weight, each unit of a side the same share of it.

    Args:
        first: of images for which the first proposition is true; at least one.
        second: likewise the second.

    Raises:
        ValueError: a side is empty.
    """
    if not first.units or not second.units:
        raise ValueError("first, second: expected at least one value each")
    values = np.unique(np.concatenate([first.values, second.values]))
    # equal values get one ratio: they are pooled before anything else
    ours = np.bincount(np.searchsorted(values, first.values), first.weights, len(values))
    others = np.bincount(np.searchsorted(values, second.values), second.weights, len(values))
    shares = isotonic(ours / (ours + others), ours + others)
    # runs without one side are exact, whatever the sums round to
    run = np.cumsum(np.concatenate([[0], np.diff(shares) != 0]).astype(np.int64))
    ours, others = np.bincount(run, ours)[run], np.bincount(run, others)[run]
    with np.errstate(divide="ignore"):
        return Steps(values, np.log10(ours) - np.log10(others))
