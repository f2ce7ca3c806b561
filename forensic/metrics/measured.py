"""Measures with their intervals, as cards and evaluations print them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from forensic.metrics.bootstrap import percentile_interval, photograph_weights, wilson
from forensic.metrics.measure import Interval, Measure
from forensic.metrics.openset import (
    auroc,
    auroc_replicates,
    fpr95,
    fpr95_replicates,
    oscr,
    oscr_replicates,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy as np
    from numpy.typing import NDArray

REPLICATES = 1000
"""Of a bootstrap: the ends of a 95 % interval are then good to about a tenth of its length."""


class Measured(NamedTuple):
    """A value with its 95 % interval, or the reason why there is none."""

    measure: Measure
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """{value, low, high}, or {reason}."""
        if self.measure.value is None:
            return {"reason": self.measure.reason}
        row: dict[str, Any] = {"value": self.measure.value}
        return row if self.interval.low is None else row | {"low": self.interval.low, "high": self.interval.high}


@dataclass(frozen=True)
class Side:
    """The known or the unknown images of a measurement."""

    scores: NDArray[np.float64]
    """(N,) larger = more surely known."""
    photographs: Sequence[Hashable]
    """(N,) the source photograph of each, or anything that is the image's own."""


@dataclass(frozen=True)
class OpenSet:
    """Known against unknown, with 95 % intervals over photographs."""

    auroc: Measured
    oscr: Measured
    fpr95: Measured


def measure_openset(
    known: Side, correct: NDArray[np.bool_], unknown: Side, *, seed: int, replicates: int = REPLICATES
) -> OpenSet:
    """AUROC, OSCR and FPR95 with a bootstrap over photographs, drawn for known and unknown images together.

    Args:
        known: may be empty; then every measure is None with a reason.
        unknown: may be empty, likewise.
        correct: (N,) whether the known image's label is right.
        seed: of the bootstrap.
        replicates: of the bootstrap.

    Raises:
        ValueError: a score is not finite, or lengths differ.
    """
    values = (
        auroc(known.scores, unknown.scores),
        oscr(known.scores, correct, unknown.scores),
        fpr95(known.scores, unknown.scores),
    )
    if values[0].value is None:
        nothing = Interval(None, None, values[0].reason)
        return OpenSet(*(Measured(value, nothing) for value in values))
    weights = photograph_weights([*known.photographs, *unknown.photographs], replicates, seed)
    sides = (weights[:, : len(known.scores)], weights[:, len(known.scores) :])
    spreads = (
        auroc_replicates(known.scores, unknown.scores, *sides),
        oscr_replicates(known.scores, correct, unknown.scores, *sides),
        fpr95_replicates(known.scores, unknown.scores, *sides),
    )
    return OpenSet(
        *(Measured(value, percentile_interval(spread)) for value, spread in zip(values, spreads, strict=True))
    )


def measure_share(flags: NDArray[np.bool_], nothing: str) -> Measured:
    """Share of True with Wilson's interval.

    Args:
        flags: (N,) bool.
        nothing: the reason where N is 0.
    """
    if flags.size == 0:
        return Measured(Measure(None, nothing), Interval(None, None, nothing))
    return Measured(Measure(float(flags.mean())), wilson(int(flags.sum()), int(flags.size)))


def measure_share_by_photograph(
    flags: NDArray[np.bool_], photographs: Sequence[Hashable], nothing: str, *, seed: int, replicates: int = REPLICATES
) -> Measured:
    """Share of True: Wilson's interval for images of their own, else a bootstrap over their photographs.

    Args:
        flags: (N,) bool.
        photographs: (N,) of each image.
        nothing: the reason where N is 0.
        seed: of the bootstrap.
        replicates: of the bootstrap.
    """
    distinct = len(set(photographs))
    if distinct == len(photographs):
        return measure_share(flags, nothing)
    share = Measure(float(flags.mean()))
    if flags.all() or not flags.any():
        # every replicate would be the same; so many photographs without one exception say so much
        return Measured(share, wilson(distinct if flags.all() else 0, distinct))
    weights = photograph_weights(photographs, replicates, seed)
    return Measured(share, percentile_interval(weights @ flags / weights.sum(axis=1)))
