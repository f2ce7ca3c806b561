"""What likelihood ratios are worth: Cllr and its parts, empirical cross-entropy, distance from the PAV line.

    Cllr      1/2 mean log2(1 + 1/LR) where the first proposition is true + 1/2 mean log2(1 + LR) where the second is;
              0 perfect, 1 says nothing, above 1 misleads
    Cllr_min  the same of PAV's ratios: discrimination alone. Cllr - Cllr_min: the loss by calibration
    ECE(o)    P mean log2(1 + 1 / (LR o)) + (1 - P) mean log2(1 + LR o) at prior odds o, P = o / (1 + o); Cllr at o = 1
    devPAV    mean over the ratios' range of |PAV - identity|, both log10, lines between PAV's points; finite ones only

Means weigh units, not images (`units`). Sources: Brümmer and du Preez 2006; Ramos and Gonzalez-Rodriguez 2013,
"Reliable support"; Vergeer et al. 2021, "Measuring calibration of likelihood-ratio systems".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forensic.calibration.isotonic import pav
from forensic.metrics.measure import Measure

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from forensic.calibration.units import Side

    Floats = NDArray[np.float64]

INFINITE = "a ratio of 0 or infinity speaks for the wrong proposition: the cost is infinite"
EMPTY = "one of the propositions has no images"
NO_OVERLAP = "the two sides overlap in fewer than two finite ratios"


def cllr(first: Side, second: Side) -> Measure:
    """Cost of ratios.

    Args:
        first: log10 ratios of images for which the first proposition is true.
        second: likewise the second.

    Returns:
        None with a reason where a side is empty, or the cost is infinite.
    """
    if not first.units or not second.units:
        return Measure(None, EMPTY)
    cost = float(entropy(first, second, [0.0])[0])
    return Measure(cost) if np.isfinite(cost) else Measure(None, INFINITE)


def cllr_min(first: Side, second: Side) -> Measure:
    """Cost of PAV's ratios of scores or ratios; arguments as for `cllr`."""
    if not first.units or not second.units:
        return Measure(None, EMPTY)
    steps = pav(first, second)
    return cllr(first.with_values(steps.at(first.values)), second.with_values(steps.at(second.values)))


def entropy(first: Side, second: Side, prior_log10_odds: ArrayLike) -> Floats:
    """Empirical cross-entropy in bits over prior odds.

    Args:
        first: log10 ratios, at least one, of images for which the first proposition is true.
        second: likewise the second.
        prior_log10_odds: (O,) for the first proposition.

    Returns:
        (O,); infinite where a ratio of 0 or infinity speaks for the wrong proposition.
    """
    odds = np.asarray(prior_log10_odds, dtype=np.float64)
    share = 1 / (1 + 10.0**-odds)
    ours = _bits(-(first.values[:, None] + odds)) * first.weights[:, None]
    others = _bits(second.values[:, None] + odds) * second.weights[:, None]
    bits: Floats = share * ours.sum(axis=0) + (1 - share) * others.sum(axis=0)
    return bits


def neutral_entropy(prior_log10_odds: ArrayLike) -> Floats:
    """The same of ratios that are all 1; (O,) -> (O,)."""
    odds = np.asarray(prior_log10_odds, dtype=np.float64)
    share = 1 / (1 + 10.0**-odds)
    bits: Floats = share * _bits(-odds) + (1 - share) * _bits(odds)
    return bits


def dev_pav(first: Side, second: Side) -> Measure:
    """Distance of ratios from PAV's.

    Args:
        first: log10 ratios of images for which the first proposition is true.
        second: likewise the second.

    Returns:
        In powers of ten; None with a reason where a side is empty or PAV has fewer than two finite points.
    """
    if not first.units or not second.units:
        return Measure(None, EMPTY)
    steps = pav(first, second)
    finite = np.isfinite(steps.values) & np.isfinite(steps.ratios)
    x, away = steps.values[finite], (steps.ratios - steps.values)[finite]
    if len(x) < 2:
        return Measure(None, NO_OVERLAP)
    left, right, wide = away[:-1], away[1:], np.diff(x)
    both = np.abs(left) + np.abs(right)
    crossing = left * right < 0
    # a line that crosses the identity leaves two triangles, else a trapezium
    area = np.where(crossing, (left**2 + right**2) / np.where(both > 0, both, 1.0), both) / 2 * wide
    return Measure(float(area.sum() / (x[-1] - x[0])))


def _bits(log10: Floats) -> Floats:
    """log2(1 + 10^x)."""
    bits: Floats = np.logaddexp2(0.0, log10 * np.log2(10.0))
    return bits
