"""Known against unknown: AUROC, OSCR, FPR95 and the share taken for real.

Positive is *known*, and a larger score means more surely known, everywhere in this file. Ties count one half, so that
no value depends on the order of the images. Each measure takes weights, one row a replicate, for the bootstrap.

    AUROC  sum over pairs of [s_k > s_u] + [s_k = s_u]/2, divided by the number of pairs
    OSCR   the same sum over known images that are labelled right, divided by the same number of pairs
    FPR95  share of unknown images at or above the highest threshold that accepts 95 % of the known

Source: POSE, section 4.1 (Vaze et al. 2022 for OSCR); the tie-aware forms are the trapezoids over distinct thresholds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forensic.metrics.measure import NO_KNOWN, NO_UNKNOWN, Measure

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def auroc(known: ArrayLike, unknown: ArrayLike) -> Measure:
    """Probability that a known image scores higher than an unknown one, ties one half.

    Args:
        known: scores (N,), finite.
        unknown: scores (M,), finite.

    Returns:
        In [0, 1]; None with a reason where a side is empty.

    Raises:
        ValueError: a score is not finite, or an array is not of one axis.
    """
    scores_known, scores_unknown = _scores(known, "known"), _scores(unknown, "unknown")
    if (nothing := _empty(scores_known, scores_unknown)) is not None:
        return nothing
    return Measure(float(auroc_replicates(scores_known, scores_unknown, *_ones(scores_known, scores_unknown))[0]))


def oscr(known: ArrayLike, correct: ArrayLike, unknown: ArrayLike) -> Measure:
    """Area under the rate of known images labelled right and accepted, over the rate of unknown ones accepted.

    Args:
        known: scores (N,), finite.
        correct: (N,) bool, whether the known image's label is right, whatever the threshold.
        unknown: scores (M,), finite.

    Returns:
        In [0, closed-set accuracy]; None with a reason where a side is empty.

    Raises:
        ValueError: a score is not finite, or the lengths differ.
    """
    scores_known, scores_unknown = _scores(known, "known"), _scores(unknown, "unknown")
    right = np.asarray(correct, dtype=bool)
    if right.shape != scores_known.shape:
        raise ValueError(f"correct: expected shape {scores_known.shape}, got {right.shape}")
    if (nothing := _empty(scores_known, scores_unknown)) is not None:
        return nothing
    weights = _ones(scores_known, scores_unknown)
    return Measure(float(oscr_replicates(scores_known, right, scores_unknown, *weights)[0]))


def fpr95(known: ArrayLike, unknown: ArrayLike) -> Measure:
    """The smallest share of unknown images accepted over distinct thresholds that accept at least 95 % of the known.

    No interpolation between thresholds. Arguments, result and errors as for `auroc`.
    """
    scores_known, scores_unknown = _scores(known, "known"), _scores(unknown, "unknown")
    if (nothing := _empty(scores_known, scores_unknown)) is not None:
        return nothing
    return Measure(float(fpr95_replicates(scores_known, scores_unknown, *_ones(scores_known, scores_unknown))[0]))


def auroc_replicates(known: Floats, unknown: Floats, known_weights: Floats, unknown_weights: Floats) -> Floats:
    """AUROC of R weightings at once.

    Args:
        known: scores (N,).
        unknown: scores (M,).
        known_weights: (R, N), at least 0.
        unknown_weights: (R, M), at least 0.

    Returns:
        (R,); NaN where a side of a replicate has no weight.
    """
    everybody = np.ones(known.shape, dtype=bool)
    return oscr_replicates(known, everybody, unknown, known_weights, unknown_weights)


def oscr_replicates(
    known: Floats, correct: NDArray[np.bool_], unknown: Floats, known_weights: Floats, unknown_weights: Floats
) -> Floats:
    """OSCR of R weightings at once; arguments and result as for `auroc_replicates`, `correct` (N,) bool."""
    order = np.argsort(unknown, kind="stable")
    ranked = unknown[order]
    below = np.zeros((unknown_weights.shape[0], len(unknown) + 1))
    np.cumsum(unknown_weights[:, order], axis=1, out=below[:, 1:])
    strictly = np.searchsorted(ranked, known, side="left")
    at_most = np.searchsorted(ranked, known, side="right")
    won = 0.5 * (below[:, strictly] + below[:, at_most])  # weight of the unknown below each known, ties one half
    pairs = known_weights.sum(axis=1) * unknown_weights.sum(axis=1)
    return _divided((known_weights * correct * won).sum(axis=1), pairs)


def fpr95_replicates(known: Floats, unknown: Floats, known_weights: Floats, unknown_weights: Floats) -> Floats:
    """FPR95 of R weightings at once; arguments and result as for `auroc_replicates`."""
    order = np.argsort(-known, kind="stable")
    accepted = np.cumsum(known_weights[:, order], axis=1)
    total = accepted[:, -1:]
    # 20 a >= 19 n is a/n >= 0.95 without rounding; argmax finds the first, the highest threshold
    first = np.argmax(20.0 * accepted >= 19.0 * total, axis=1)
    thresholds = known[order][first]
    ranked_order = np.argsort(unknown, kind="stable")
    below = np.zeros((unknown_weights.shape[0], len(unknown) + 1))
    np.cumsum(unknown_weights[:, ranked_order], axis=1, out=below[:, 1:])
    rejected = np.searchsorted(unknown[ranked_order], thresholds, side="left")
    passed = below[:, -1] - below[np.arange(len(below)), rejected]
    shares = _divided(passed, below[:, -1])
    return np.where(total[:, 0] > 0, shares, np.nan)


def false_real(verdict_known: ArrayLike, label_real: ArrayLike) -> Measure:
    """Share of unknown images that come out as known `real`.

    Args:
        verdict_known: (M,) bool, whether the score reaches the threshold.
        label_real: (M,) bool, whether the best class is `real`.

    Returns:
        In [0, 1]; None with a reason where there are no unknown images.
    """
    known = np.asarray(verdict_known, dtype=bool)
    if known.size == 0:
        return Measure(None, NO_UNKNOWN)
    return Measure(float(np.mean(known & np.asarray(label_real, dtype=bool))))


def _scores(values: ArrayLike, name: str) -> Floats:
    scores: Floats = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1:
        raise ValueError(f"{name}: expected one axis, got shape {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{name}: expected finite scores, got {int((~np.isfinite(scores)).sum())} that are not")
    return scores


def _empty(known: Floats, unknown: Floats) -> Measure | None:
    if known.size == 0:
        return Measure(None, NO_KNOWN)
    return Measure(None, NO_UNKNOWN) if unknown.size == 0 else None


def _ones(known: Floats, unknown: Floats) -> tuple[Floats, Floats]:
    return np.ones((1, len(known))), np.ones((1, len(unknown)))


def _divided(numerator: Floats, denominator: Floats) -> Floats:
    quotient: Floats = np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0)
    return quotient
