"""What a second set of scores of the same images changes, with an interval.

Two sets of weights are compared on one set of images. The photographs are drawn once for both sides and both sets, so
that what a hard photograph does to both cancels; the interval of a difference is then far shorter than the two
intervals of the values suggest. A difference whose interval holds 0 is not shown by these images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forensic.metrics.bootstrap import percentile_interval, photograph_weights
from forensic.metrics.checks import flags_of, scores_of
from forensic.metrics.measure import NO_KNOWN, NO_UNKNOWN, Interval, Measure
from forensic.metrics.measured import REPLICATES, Measured
from forensic.metrics.openset import (
    aupr_known_replicates,
    aupr_unknown_replicates,
    auroc_replicates,
    dtacc_replicates,
    fpr95_replicates,
    oscr_replicates,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

Replicates = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""A measure of R weightings at once: (R, N) of known and (R, M) of unknown images to (R,), NaN where undefined."""

_Sides = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class ScoredImages:
    """What one set of weights says about the known and the unknown images."""

    known: NDArray[np.float64]
    """(N,) larger = more surely known."""
    correct: NDArray[np.bool_]
    """(N,) whether the label is right."""
    unknown: NDArray[np.float64]
    """(M,)."""


def paired_difference(
    first: Replicates,
    second: Replicates,
    known_photographs: Sequence[Hashable],
    unknown_photographs: Sequence[Hashable],
    *,
    seed: int,
    replicates: int = REPLICATES,
) -> Measured:
    """Second less first of one measure, with a 95 % bootstrap over photographs drawn for everything together.

    Args:
        first: the measure on the first set of scores; images in the order of the photographs.
        second: the same measure on the second set of scores of the same images.
        known_photographs: (N,) the source photograph of each known image, or anything that is the image's own.
        unknown_photographs: (M,) likewise.
        seed: of the bootstrap.
        replicates: of the bootstrap.

    Returns:
        Positive where the second is larger, whether or not larger is better; None with a reason where the measure is
        undefined because a side is empty.
    """
    weights = _draw(known_photographs, unknown_photographs, replicates, seed)
    return _difference(first, second, weights)


def paired_openset(
    first: ScoredImages,
    second: ScoredImages,
    known_photographs: Sequence[Hashable],
    unknown_photographs: Sequence[Hashable],
    *,
    seed: int,
    replicates: int = REPLICATES,
) -> dict[str, Measured]:
    """Second less first of closed accuracy, AUROC, OSCR, FPR95, AUPR both ways and DTACC, by these names.

    Arguments and result as for `paired_difference`; every measure sees the same draws.

    Raises:
        ValueError: a score is not finite, or the images of the two sets and the photographs are not equally many.
    """
    counts = len(known_photographs), len(unknown_photographs)
    measures = [_measures(scored, *counts, name) for scored, name in ((first, "first"), (second, "second"))]
    weights = _draw(known_photographs, unknown_photographs, replicates, seed)
    return {name: _difference(measures[0][name], measures[1][name], weights) for name in measures[0]}


def share_replicates(
    flags: NDArray[np.bool_], known_weights: NDArray[np.float64], unknown_weights: NDArray[np.float64], *, known: bool
) -> NDArray[np.float64]:
    """Share of flagged images of one side, of R weightings at once.

    Args:
        flags: (N,) or (M,) bool.
        known_weights: (R, N), at least 0.
        unknown_weights: (R, M), at least 0.
        known: whether the flags are of the known images, else of the unknown.

    Returns:
        (R,); NaN where a replicate has no weight.
    """
    weights = known_weights if known else unknown_weights
    total = weights.sum(axis=1)
    shares: NDArray[np.float64] = np.divide(
        (weights * flags).sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0
    )
    return shares


def _draw(known: Sequence[Hashable], unknown: Sequence[Hashable], replicates: int, seed: int) -> _Sides:
    weights = photograph_weights([*known, *unknown], replicates, seed)
    return weights[:, : len(known)], weights[:, len(known) :]


def _difference(first: Replicates, second: Replicates, weights: _Sides) -> Measured:
    known, unknown = (np.ones((1, side.shape[1])) for side in weights)
    value = float(second(known, unknown)[0] - first(known, unknown)[0])
    if not np.isfinite(value):
        reason = NO_UNKNOWN if known.size else NO_KNOWN
        return Measured(Measure(None, reason), Interval(None, None, reason))
    return Measured(Measure(value), percentile_interval(second(*weights) - first(*weights)))


def _measures(scored: ScoredImages, known_count: int, unknown_count: int, name: str) -> dict[str, Replicates]:
    known, unknown = scores_of(scored.known, f"{name}.known"), scores_of(scored.unknown, f"{name}.unknown")
    correct = flags_of(scored.correct, f"{name}.correct", len(known))
    if (len(known), len(unknown)) != (known_count, unknown_count):
        raise ValueError(
            f"{name}: expected {known_count} known and {unknown_count} unknown images as there are photographs, "
            f"got {len(known)} and {len(unknown)}"
        )
    return {
        "closed_accuracy": partial(share_replicates, correct, known=True),
        "auroc": partial(auroc_replicates, known, unknown),
        "oscr": partial(oscr_replicates, known, correct, unknown),
        "fpr95": partial(fpr95_replicates, known, unknown),
        "aupr_known": partial(aupr_known_replicates, known, unknown),
        "aupr_unknown": partial(aupr_unknown_replicates, known, unknown),
        "dtacc": partial(dtacc_replicates, known, unknown),
    }
