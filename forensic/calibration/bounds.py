"""How far ratios may go: empirical lower and upper bound, with one misleading unit added on each side (ELUB).

A decision at the odds where a ratio of t tips the scale must cost no more than one without any evidence, although one
more photograph speaks for the second proposition and one more generator for the first, as misleadingly as can be:

    upper   largest t >= 1 such that up to it    u <= S1(u) / S2(u)     S1 = n1 P(LR >= u | H1) / (n1 + 1)
                                                                        S2 = (n2 P(LR >= u | H2) + 1) / (n2 + 1)
    lower   the same with the propositions exchanged and every ratio turned over

n counts units and P weighs them alike, so that m generators never carry a ratio of m + 1, of however many images.
Where one added unit makes evidence useless at once the bounds are (1, 1): no information.

Source: Vergeer, van Es, de Jongh, Alberink, Stoel 2016, "Numerical likelihood ratios outputted by LR systems are often
based on extrapolation: when to stop extrapolating?"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from forensic.calibration.units import Side

NO_INFORMATION = "no information"


class Bounds(NamedTuple):
    """Of log10 ratios; `lower` <= 0 <= `upper`."""

    lower: float
    upper: float

    @property
    def sentence(self) -> str:
        """What the bounds say, in words."""
        if self.lower == self.upper == 0:
            return f"{NO_INFORMATION}: with one misleading unit more no ratio but 1 would be of use"
        return f"ratios from {10**self.lower:.3g} to {10**self.upper:.3g} are carried by the data"


def elub(first: Side, second: Side) -> Bounds:
    """Bounds of ratios that were computed for images which took no part in their fit.

    Args:
        first: log10 ratios of images for which the first proposition is true; ratios of 0 and infinity are welcome.
        second: likewise the second.

    Returns:
        (0, 0), no information, where a side is empty or the ratios are of no use.
    """
    turned = second.with_values(-second.values), first.with_values(-first.values)
    return Bounds(0.0 - _reach(*turned), _reach(first, second))


def _reach(first: Side, second: Side) -> float:
    """log10 of the upper bound."""
    if not first.units or not second.units:
        return 0.0
    both = np.concatenate([first.values, second.values])
    ends = np.unique(both[(both > 0) & np.isfinite(both)]).tolist()
    start = 0.0
    for end in [*ends, np.inf]:
        ours = first.count * float(first.weights[first.values > start].sum()) / (first.count + 1)
        others = (second.count * float(second.weights[second.values > start].sum()) + 1) / (second.count + 1)
        carried = float(np.log10(ours / others)) if ours > 0 else -np.inf
        if carried <= start:
            return start
        if carried < end:
            return carried
        start = end
    raise AssertionError("unreachable: the last end is infinite")  # pragma: no cover
