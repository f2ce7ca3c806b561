"""Known against unknown, over all thresholds and at the operating point.

Positive is *known*, and a larger score means more surely known, everywhere in this file; `aupr_unknown` alone asks how
well the unknown are found. An image is accepted where its score is at or above the threshold. Ties count one half, and
sums and maxima run over distinct thresholds, so that no value depends on the order of the images. The `_replicates`
forms take weights, one row a replicate, for the bootstrap.

    AUROC         sum over pairs of [s_k > s_u] + [s_k = s_u]/2, divided by the number of pairs
    OSCR          the same sum over known images that are labelled right, divided by the same number of pairs
    FPR95         share of unknown images at or above the highest threshold that accepts 95 % of the known
    AUPR known    average precision: sum over distinct thresholds of the gain in recall of known images times the share
                  of known among the accepted
    AUPR unknown  the same for unknown images among the rejected, with the scores turned round
    DTACC         highest mean of the share of known accepted and the share of unknown rejected

Source: POSE, section 4.1 (Vaze et al. 2022 for OSCR, Wang et al. 2022 for OpenAUC); the tie-aware forms are the
trapezoids over distinct thresholds, and average precision is scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from forensic.metrics.checks import empty_side, flags_of, scores_of
from forensic.metrics.measure import NO_KNOWN, NO_UNKNOWN, Measure

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_Replicates = TypeVar("_Replicates", bound=Callable[..., "Floats"])

_BLOCK = 1 << 18
"""Weights that are looked at together: 2 MiB stay in a cache, and memory doesn't grow with the replicates."""


def _in_blocks(replicates: _Replicates) -> _Replicates:
    """The same function, called with a few rows at a time of the weights, its last two arguments."""

    @wraps(replicates)
    def blocked(*arguments: Any) -> Floats:  # noqa: ANN401 - scores, and flags where a measure takes some
        *scores, known_weights, unknown_weights = arguments
        rows = max(1, _BLOCK // max(1, known_weights.shape[1] + unknown_weights.shape[1]))
        starts = range(0, max(1, len(known_weights)), rows)
        return np.concatenate(
            [replicates(*scores, known_weights[at : at + rows], unknown_weights[at : at + rows]) for at in starts]
        )

    return cast("_Replicates", blocked)


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
    return _measured(auroc_replicates, known, unknown)


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
    scores_known, scores_unknown = scores_of(known, "known"), scores_of(unknown, "unknown")
    right = flags_of(correct, "correct", len(scores_known))
    if (reason := empty_side(scores_known, scores_unknown)) is not None:
        return Measure(None, reason)
    weights = _ones(scores_known, scores_unknown)
    return Measure(float(oscr_replicates(scores_known, right, scores_unknown, *weights)[0]))


def fpr95(known: ArrayLike, unknown: ArrayLike) -> Measure:
    """The smallest share of unknown images accepted over distinct thresholds that accept at least 95 % of the known.

    No interpolation between thresholds. Arguments, result and errors as for `auroc`.
    """
    return _measured(fpr95_replicates, known, unknown)


def aupr_known(known: ArrayLike, unknown: ArrayLike) -> Measure:
    """Average precision of finding the known images: how pure the accepted are, from the strictest threshold down.

    No interpolation; the share of known images among all is what a coin would reach. Arguments, result and errors as
    for `auroc`.
    """
    return _measured(aupr_known_replicates, known, unknown)


def aupr_unknown(known: ArrayLike, unknown: ArrayLike) -> Measure:
    """Average precision of finding the unknown images: how pure the rejected are, from the lowest score up.

    The one measure here whose positive side is the unknown; `known` still comes first. Arguments, result and errors as
    for `auroc`.
    """
    return _measured(aupr_unknown_replicates, known, unknown)


def dtacc(known: ArrayLike, unknown: ArrayLike) -> Measure:
    """Detection accuracy: the best that one threshold can do if known and unknown weigh the same.

    Largest (share of known accepted + share of unknown rejected) / 2 over distinct thresholds; images with equal scores
    are accepted or rejected together. The threshold is chosen on these very images: a bound, not a forecast.
    Arguments and errors as for `auroc`.

    Returns:
        In [1/2, 1]; None with a reason where a side is empty.
    """
    return _measured(dtacc_replicates, known, unknown)


def open_auc(known: ArrayLike, correct: ArrayLike, unknown: ArrayLike) -> Measure:
    """OpenAUC: probability that a known image is labelled right and scores higher than an unknown one.

    Wang et al. 2022 define it over pairs: the mean of [label of k right] [s_k > s_u], the area under the rate of known
    images right and accepted over the rate of unknown ones accepted. Their program takes ties as one half, and so does
    this: then it equals the tie-aware `oscr` identically. It differs from OSCR as commonly programmed (see
    `reference.oscr`), whose staircase loses up to 1 / (2 max(N, M)) without ties, and depends on the order with them.

    Arguments, result and errors as for `oscr`.
    """
    return oscr(known, correct, unknown)


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


@_in_blocks
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


@_in_blocks
def fpr95_replicates(known: Floats, unknown: Floats, known_weights: Floats, unknown_weights: Floats) -> Floats:
    """FPR95 of R weightings at once; arguments and result as for `auroc_replicates`."""
    if known.size == 0:
        return np.full(len(known_weights), np.nan)
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


@_in_blocks
def aupr_known_replicates(known: Floats, unknown: Floats, known_weights: Floats, unknown_weights: Floats) -> Floats:
    """AUPR of the known images of R weightings at once; arguments and result as for `auroc_replicates`."""
    hit, missed = _accepted(known, unknown, known_weights, unknown_weights)
    total = hit[:, -1] if hit.shape[1] else np.zeros(len(hit))
    other = missed[:, -1] if missed.shape[1] else total
    precision = np.divide(hit, hit + missed, out=np.zeros(hit.shape), where=hit > 0)
    area = (np.diff(hit, axis=1, prepend=0.0) * precision).sum(axis=1)
    return np.where(other > 0, _divided(area, total), np.nan)


def aupr_unknown_replicates(known: Floats, unknown: Floats, known_weights: Floats, unknown_weights: Floats) -> Floats:
    """AUPR of the unknown images of R weightings at once; arguments and result as for `auroc_replicates`."""
    return aupr_known_replicates(-unknown, -known, unknown_weights, known_weights)


@_in_blocks
def dtacc_replicates(known: Floats, unknown: Floats, known_weights: Floats, unknown_weights: Floats) -> Floats:
    """DTACC of R weightings at once; arguments and result as for `auroc_replicates`."""
    kept, passed = _accepted(known, unknown, known_weights, unknown_weights)
    if kept.shape[1] == 0:
        return np.full(len(kept), np.nan)
    lead = _divided(kept, kept[:, -1:]) - _divided(passed, passed[:, -1:])
    # accepting nothing has no threshold of its own and reaches one half, as accepting everything does
    best: Floats = 0.5 + lead.max(axis=1) / 2
    return best


def rejection(accepted: ArrayLike) -> Measure:
    """Share of unknown images that are rejected at the operating point.

    Args:
        accepted: (M,) bool, whether the score of the unknown image reaches the threshold.

    Returns:
        In [0, 1], larger is better; None with a reason where there are no unknown images.

    Raises:
        ValueError: the array is not of one axis.
    """
    flags = flags_of(accepted, "accepted")
    return Measure(float(np.mean(~flags))) if flags.size else Measure(None, NO_UNKNOWN)


def wrong_known(accepted: ArrayLike, correct: ArrayLike) -> Measure:
    """Share of known images that are accepted as another known class: a wrong name given as a sure one.

    Args:
        accepted: (N,) bool, whether the score of the known image reaches the threshold.
        correct: (N,) bool, whether its label is right.

    Returns:
        In [0, 1], smaller is better, over all known images; None with a reason where there are none.

    Raises:
        ValueError: the lengths differ, or an array is not of one axis.
    """
    flags = flags_of(accepted, "accepted")
    right = flags_of(correct, "correct", len(flags))
    return Measure(float(np.mean(flags & ~right))) if flags.size else Measure(None, NO_KNOWN)


def false_real(verdict_known: ArrayLike, label_real: ArrayLike) -> Measure:
    """Share of unknown images that come out as known `real`.

    Args:
        verdict_known: (M,) bool, whether the score reaches the threshold.
        label_real: (M,) bool, whether the best class is `real`.

    Returns:
        In [0, 1], smaller is better; None with a reason where there are no unknown images.

    Raises:
        ValueError: the lengths differ, or an array is not of one axis.
    """
    known = flags_of(verdict_known, "verdict_known")
    real = flags_of(label_real, "label_real", len(known))
    return Measure(float(np.mean(known & real))) if known.size else Measure(None, NO_UNKNOWN)


def _measured(
    replicates: Callable[[Floats, Floats, Floats, Floats], Floats], known: ArrayLike, unknown: ArrayLike
) -> Measure:
    scores_known, scores_unknown = scores_of(known, "known"), scores_of(unknown, "unknown")
    if (reason := empty_side(scores_known, scores_unknown)) is not None:
        return Measure(None, reason)
    return Measure(float(replicates(scores_known, scores_unknown, *_ones(scores_known, scores_unknown))[0]))


def _accepted(known: Floats, unknown: Floats, known_weights: Floats, unknown_weights: Floats) -> tuple[Floats, Floats]:
    """Weight of known and of unknown images at or above each distinct score, from the highest down; (R, T) each."""
    thresholds = np.unique(np.concatenate([known, unknown]))[::-1]
    counts = []
    for scores, weights in ((known, known_weights), (unknown, unknown_weights)):
        order = np.argsort(-scores, kind="stable")
        above = np.zeros((len(weights), len(scores) + 1))
        np.cumsum(weights[:, order], axis=1, out=above[:, 1:])
        counts.append(above[:, np.searchsorted(-scores[order], -thresholds, side="right")])
    return counts[0], counts[1]


def _ones(known: Floats, unknown: Floats) -> tuple[Floats, Floats]:
    return np.ones((1, len(known))), np.ones((1, len(unknown)))


def _divided(numerator: Floats, denominator: Floats) -> Floats:
    quotient: Floats = np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0)
    return quotient
