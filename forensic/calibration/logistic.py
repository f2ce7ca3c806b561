"""Logistic regression of the proposition on a score, at even prior odds: two numbers, and no tail to go wild in.

    log LR = slope * score + intercept, slope >= 0

Targets are Platt's, (n + 1) / (n + 2) and 1 / (n + 2), so that sides which do not overlap give a finite slope. n is the
number of units of the side that has fewer: unlike targets would lean towards the other one.

Source: Platt 1999, "Probabilistic outputs for support vector machines"; Morrison 2013, "Tutorial on logistic-regression
calibration and fusion".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forensic.calibration.units import Side

    Floats = NDArray[np.float64]


class Logistic(NamedTuple):
    """A calibration."""

    slope: float
    """log10 of the ratio by unit of score; at least 0."""
    intercept: float

    def ratios(self, scores: Floats) -> Floats:
        """log10 of the ratios of scores, (N,) -> (N,)."""
        found: Floats = self.slope * scores + self.intercept
        return found


def fit_logistic(first: Side, second: Side) -> Logistic:
    """Fits to scores; each side has half of the weight, each unit of a side the same share of it.

    Args:
        first: finite scores of images for which the first proposition is true; at least one.
        second: likewise the second.

    Raises:
        ValueError: a side is empty, or a score is not finite.
    """
    if not first.units or not second.units:
        raise ValueError("first, second: expected at least one score each")
    values = np.concatenate([first.values, second.values])
    if not np.isfinite(values).all():
        raise ValueError("first, second: expected finite scores")
    ours, others = len(first.units), len(second.units)
    fewer = min(first.count, second.count)
    targets = np.repeat([(fewer + 1) / (fewer + 2), 1 / (fewer + 2)], [ours, others])
    weights = np.concatenate([first.weights, second.weights]) / 2
    centre, spread = float(np.median(values)), float(values.std()) or 1.0
    slope, intercept = newton((values - centre) / spread, targets, weights)
    if slope <= 0:  # scores that run the wrong way say nothing
        return Logistic(0.0, 0.0)
    return Logistic(float(slope / spread / np.log(10)), float((intercept - slope * centre / spread) / np.log(10)))


def newton(
    x: Floats, targets: Floats, weights: Floats, *, steps: int = 200, ridge: float = 1e-12, smallest: float = 1e-12
) -> tuple[float, float]:
    """Slope and intercept of the log-odds, by Newton's steps on weighted cross-entropy.

    Args:
        x: (N,) values, spread about 1.
        targets: (N,) chances in [0, 1].
        weights: (N,) at least 0.
        steps: at most so many.
        ridge: added to the curvature, so that it can be inverted.
        smallest: a step below which it is done.
    """
    design = np.stack([x, np.ones(len(x))], axis=1)
    parameters = np.zeros(2)
    for _ in range(steps):
        chances = 1 / (1 + np.exp(-(design @ parameters).clip(-500, 500)))
        gradient = design.T @ (weights * (chances - targets))
        curvature = (design * (weights * chances * (1 - chances))[:, None]).T @ design + ridge * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))  # far from the optimum the curvature is near 0
        parameters = parameters - step
        if np.abs(step).max() < smallest:
            break
    return float(parameters[0]), float(parameters[1])
