"""The likelihood ratio of one class: its own score, fitted with one generator left out at a time, and bounded.

    H1  made by the class       images of it, each photograph counts once
    H2  made by a generator that none of the known classes is
                                images of unknown generators stand in for it, each generator counts once

Each generator's ratios come from a fit without it, each photograph's from a fit without that photograph (in folds where
there are many). These ratios, of images that took no part, give bounds and costs; what a scan uses is fitted to all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forensic.calibration.bounds import Bounds, elub
from forensic.calibration.costs import cllr, cllr_min, dev_pav
from forensic.calibration.logistic import Logistic, fit_logistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forensic.calibration.units import Side
    from forensic.metrics.measure import Measure

    Floats = NDArray[np.float64]

LEAST_GENERATORS = 3
"""Fewer unknown generators give no ratio: with one of two left out a single one would stand for all there are."""
LEAST_PHOTOGRAPHS = 5
"""Fewer photographs of a class give no ratio for it."""
FOLDS = 25
"""Fits without some photographs, at most."""


@dataclass(frozen=True)
class LeftOut:
    """What one unknown generator does to a class's ratios."""

    name: str
    images: int
    misleading: float
    """Share of its images with a ratio above 1 from the fit without it, within the bounds."""
    upper_without: float
    """log10 of the upper bound that the ratios of the other generators alone carry."""


@dataclass(frozen=True)
class Ratio:
    """A class's calibration."""

    logistic: Logistic
    bounds: Bounds
    generators: tuple[LeftOut, ...]
    c_llr: Measure
    """Of the ratios left out, within the bounds; the same for the next two."""
    c_llr_min: Measure
    dev_pav: Measure

    def llr(self, score: float) -> float:
        """log10 of the ratio for a class's own score, within the bounds."""
        return float(np.clip(self.logistic.ratios(np.array([score]))[0], *self.bounds))


def fit_ratio(known: Side, unknown: Side, least_generators: int = LEAST_GENERATORS) -> Ratio | str:
    """The ratio of one class.

    Args:
        known: the class's own score on its images; units are photographs.
        unknown: the same class's score on images of unknown generators; units are generators.
        least_generators: of unknown ones; at least `LEAST_GENERATORS`.

    Returns:
        The ratio, or the reason why there is none.

    Raises:
        ValueError: a score is not finite, or fewer generators are asked for than there must be.
    """
    if least_generators < LEAST_GENERATORS:
        raise ValueError(f"least_generators: expected at least {LEAST_GENERATORS}, got {least_generators}")
    if unknown.count < least_generators:
        return f"{_count(unknown.count, 'unknown generator')}, at least {least_generators} are needed"
    if known.count < LEAST_PHOTOGRAPHS:
        return f"{_count(known.count, 'photograph')} of the class, at least {LEAST_PHOTOGRAPHS} are needed"
    ours, others = left_out_ratios(known, unknown)
    bounds = elub(ours, others)
    claimed = ours.with_values(ours.values.clip(*bounds)), others.with_values(others.values.clip(*bounds))
    generators = []
    for name in unknown.names():
        those = others.of(name)
        generators.append(
            LeftOut(
                name,
                int(those.sum()),
                float((claimed[1].values[those] > 0).mean()),
                elub(ours, others.without(name)).upper,
            )
        )
    return Ratio(
        fit_logistic(known, unknown),
        bounds,
        tuple(generators),
        cllr(*claimed),
        cllr_min(*claimed),
        dev_pav(*claimed),
    )


def left_out_ratios(known: Side, unknown: Side) -> tuple[Side, Side]:
    """log10 ratios of both sides, each image's from a fit that its photograph or generator took no part in.

    Args:
        known: scores (N,), of at least two photographs.
        unknown: scores (M,), of at least two generators.

    Raises:
        ValueError: a side has fewer than two units.
    """
    if known.count < 2 or unknown.count < 2:
        raise ValueError("known, unknown: expected at least two units each")
    ours, others = np.empty(len(known.units)), np.empty(len(unknown.units))
    for name in unknown.names():
        those = unknown.of(name)
        others[those] = fit_logistic(known, unknown.only(~those)).ratios(unknown.values[those])
    names = known.names()
    folds = {name: place % FOLDS for place, name in enumerate(names)}
    fold_of = np.array([folds[unit] for unit in known.units])
    for fold in range(min(FOLDS, len(names))):
        those = fold_of == fold
        ours[those] = fit_logistic(known.only(~those), unknown).ratios(known.values[those])
    return known.with_values(ours), unknown.with_values(others)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
