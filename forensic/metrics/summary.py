"""One number for several generators: the mean over them, and the worst of them.

The mean weighs every generator the same however many images it has; a pooled measure weighs the one with most images
most. An interval over generators says what a further generator of this kind would do, and with a handful of them it
says nothing: below ten there is none, and each generator is to be printed instead.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from forensic.metrics.bootstrap import percentile_interval
from forensic.metrics.measure import Interval, Measure

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_GENERATORS = 10
"""Fewer have no interval over generators."""

REPLICATES = 1000

NO_GENERATORS = "no generators"


def macro(values: Mapping[str, Measure]) -> Measure:
    """Mean over generators, each of the same weight.

    Args:
        values: the measure of each generator by its name.

    Returns:
        None with a reason where there are no generators, or where one has no value: a mean over fewer than it is said
        to be over would be another figure.
    """
    if not values:
        return Measure(None, NO_GENERATORS)
    for name in sorted(values):
        if values[name].value is None:
            return Measure(None, f"{name}: {values[name].reason}")
    # an exact sum, so that the order of the generators changes no bit
    return Measure(math.fsum(_numbers(values)) / len(values))


def worst(values: Mapping[str, Measure], *, larger_is_better: bool = True) -> tuple[str, Measure] | None:
    """The generator with the worst value, the first by name of equal ones.

    Args:
        values: the measure of each generator by its name; those without a value are passed over.
        larger_is_better: as for AUROC, OSCR and rejection; False for FPR95 and `false_real`.

    Returns:
        Its name and value; None where no generator has a value.
    """
    found: tuple[str, Measure] | None = None
    lowest = math.inf
    for name in sorted(values):
        value = values[name].value
        if value is not None and (value if larger_is_better else -value) < lowest:
            found, lowest = (name, values[name]), value if larger_is_better else -value
    return found


def generator_interval(values: Mapping[str, Measure], seed: int, replicates: int = REPLICATES) -> Interval:
    """95 % interval of `macro`, from a bootstrap over whole generators.

    Args:
        values: the measure of each generator by its name.
        seed: of the draws.
        replicates: of the bootstrap.

    Returns:
        None with a reason where fewer than `LEAST_GENERATORS` are given, or where one has no value.
    """
    if (mean := macro(values)).value is None:
        return Interval(None, None, mean.reason)
    if len(values) < LEAST_GENERATORS:
        return Interval(None, None, f"fewer than {LEAST_GENERATORS} generators")
    numbers = np.array(_numbers(values))
    drawn = np.random.default_rng(seed).integers(len(numbers), size=(replicates, len(numbers)))
    return percentile_interval(numbers[drawn].mean(axis=1))


def _numbers(values: Mapping[str, Measure]) -> list[float]:
    """The values in the order of the names, which must all have one."""
    return [value for name in sorted(values) if (value := values[name].value) is not None]
