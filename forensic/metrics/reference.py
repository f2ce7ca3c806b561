"""The measures as the authors of POSE compute them, with what looks like a mistake: for comparison with their tables.

Positive is *known*, larger = more surely known, as everywhere here; the values are shares where their program prints
per cent. What differs from the tie-aware measures of `openset.py`:

    auroc           a tie counts 0 and not 1/2: all scores equal give 0
    tnr_at_tpr95    at the removal whose share of known is nearest to 0.95, be it below; perfect separation of a few
                    images gives 0
    dtacc           over single removals: images of one score are parted, the known removed first
    auin, auout     trapezoids with invented end points (1, 1/2) and (0, 0), (0, 0) and (1, 1/2)
    oscr            an element counts as unknown accepted and not as known accepted at once; with ties the value depends
                    on the order in which a sort leaves them. Every other function here is independent of the order.
    accuracy        rounded to four decimals

A removal takes the lowest score left; l removals leave tp_l known and fp_l unknown images, l = 0 .. N + M.

Source: TianyunYoung/POSE, utils/evaluation.py, commit 185b25d (after Chen et al. 2021); written anew from what it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forensic.metrics.checks import empty_side, flags_of, scores_of
from forensic.metrics.closedset import accuracy as plain_accuracy
from forensic.metrics.measure import NO_KNOWN, Measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def auroc(known: ArrayLike, unknown: ArrayLike) -> Measure:
    """Share of pairs whose known image scores strictly higher.

    Args:
        known: scores (N,), finite.
        unknown: scores (M,), finite.

    Returns:
        In [0, 1]; None with a reason where a side is empty.

    Raises:
        ValueError: a score is not finite, or an array is not of one axis.
    """
    inside, outside = scores_of(known, "known"), scores_of(unknown, "unknown")
    if (reason := empty_side(inside, outside)) is not None:
        return Measure(None, reason)
    below = np.searchsorted(np.sort(outside), inside, side="left")
    return Measure(int(below.sum()) / (len(inside) * len(outside)))


def tnr_at_tpr95(known: ArrayLike, unknown: ArrayLike) -> Measure:
    """Share of unknown images removed when the share of known ones left is nearest to 0.95, the first such removal.

    Arguments, result and errors as for `auroc`.
    """
    inside, outside = scores_of(known, "known"), scores_of(unknown, "unknown")
    if (reason := empty_side(inside, outside)) is not None:
        return Measure(None, reason)
    kept, passed = _left(inside, outside)
    nearest = int(np.argmin(np.abs(kept / len(inside) - 0.95)))
    return Measure(float(1 - passed[nearest] / len(outside)))


def dtacc(known: ArrayLike, unknown: ArrayLike) -> Measure:
    """Largest mean of the share of known left and the share of unknown removed, over removals.

    Arguments, result and errors as for `auroc`.
    """
    inside, outside = scores_of(known, "known"), scores_of(unknown, "unknown")
    if (reason := empty_side(inside, outside)) is not None:
        return Measure(None, reason)
    kept, passed = _left(inside, outside)
    return Measure(float((kept / len(inside) + 1 - passed / len(outside)).max() / 2))


def auin(known: ArrayLike, unknown: ArrayLike) -> Measure:
    """Area under precision over recall of the known images: (1, 1/2), the removals but the last, (0, 0).

    Arguments, result and errors as for `auroc`.
    """
    inside, outside = scores_of(known, "known"), scores_of(unknown, "unknown")
    if (reason := empty_side(inside, outside)) is not None:
        return Measure(None, reason)
    kept, passed = (left[:-1] for left in _left(inside, outside))
    recall = np.concatenate([[1.0], kept / len(inside), [0.0]])
    precision = np.concatenate([[0.5], kept / (kept + passed), [0.0]])
    return Measure(_trapezoid(recall[::-1], precision[::-1]))


def auout(known: ArrayLike, unknown: ArrayLike) -> Measure:
    """Area under precision over recall of the unknown images: (0, 0), the removals but none, (1, 1/2).

    Arguments, result and errors as for `auroc`.
    """
    inside, outside = scores_of(known, "known"), scores_of(unknown, "unknown")
    if (reason := empty_side(inside, outside)) is not None:
        return Measure(None, reason)
    kept, passed = (left[1:] for left in _left(inside, outside))
    lost, caught = len(inside) - kept, len(outside) - passed
    recall = np.concatenate([[0.0], caught / len(outside), [1.0]])
    precision = np.concatenate([[0.0], caught / (lost + caught), [0.5]])
    return Measure(_trapezoid(recall, precision))


def oscr(known: ArrayLike, correct: ArrayLike, unknown: ArrayLike, order: ArrayLike | None = None) -> Measure:
    """Area under correct known left over unknown left, element by element in an order of rising scores.

    At element k the known images after it count, and the unknown images from it on: it is in one and not in the other.
    Without ties the value is up to 1 / (2 max(N, M)) under the tie-aware one, so that perfect separation is not 1.

    Args:
        known: scores (N,), finite.
        correct: (N,) bool, whether the known image's label is right.
        unknown: scores (M,), finite.
        order: (N + M,) places in known and unknown, one after the other, by rising score; images of equal scores may
            stand in any order, and the value depends on it. By default the stable one, known first. The authors take
            numpy's unstable sort, which differs between builds and processors: see `oscr_range`.

    Returns:
        In [0, closed-set accuracy]; None with a reason where a side is empty.

    Raises:
        ValueError: a score is not finite, lengths differ, or the order is not one of rising scores.
    """
    inside, outside = scores_of(known, "known"), scores_of(unknown, "unknown")
    right = flags_of(correct, "correct", len(inside))
    if (reason := empty_side(inside, outside)) is not None:
        return Measure(None, reason)
    scores = np.concatenate([inside, outside])
    places = np.argsort(scores, kind="stable") if order is None else _checked_order(order, scores)
    hit = np.concatenate([right, np.zeros(len(outside), dtype=bool)])[places]
    new = places >= len(inside)
    after = int(hit.sum()) - np.cumsum(hit)
    from_here = len(outside) - np.cumsum(new) + new
    ccr = np.concatenate([after[:-1] / len(inside), [0.0, 0.0, 1.0]])
    fpr = np.concatenate([from_here[:-1] / len(outside), [0.0, 0.0, 1.0]])
    rising = np.lexsort((ccr, fpr))
    return Measure(_trapezoid(fpr[rising], ccr[rising]))


def oscr_range(known: ArrayLike, correct: ArrayLike, unknown: ArrayLike) -> tuple[Measure, Measure]:
    """The least and the largest value that `oscr` has over all orders of equal scores.

    In closed form the value of an order is (P - U/2) / (N M): P pairs with a correct known above an unknown, U unknown
    images whose next higher neighbour is a correct known. A pair weighs twice what a neighbour does, so the least has
    the unknown images of a score above its correct ones, and the largest has them below, with a wrong known between
    where there is one.

    Arguments and errors as for `oscr`.

    Returns:
        Least and largest; both None with a reason where a side is empty. Equal where nothing ties.
    """
    inside, outside = scores_of(known, "known"), scores_of(unknown, "unknown")
    right = flags_of(correct, "correct", len(inside))
    if (reason := empty_side(inside, outside)) is not None:
        return Measure(None, reason), Measure(None, reason)
    values = np.unique(np.concatenate([inside, outside]))
    hits, wrongs, news = (
        np.bincount(np.searchsorted(values, some), minlength=len(values))
        for some in (inside[right], inside[~right], outside)
    )
    strictly = int((hits * (np.cumsum(news) - news)).sum())
    hits_above, others_above = np.append(hits[1:], 0), np.append((wrongs + news)[1:], 0)
    # least: the topmost of its unknown meets a correct known of the next score, which that score puts first
    most_met = int(((news > 0) & (hits_above > 0)).sum())
    # largest: a wrong known of the same score, or anything but a correct one of the next, keeps them apart
    forced = (hits > 0) | ((hits_above > 0) & (others_above == 0))
    least_met = int(((news > 0) & (wrongs == 0) & forced).sum())
    pairs = len(inside) * len(outside)
    largest = strictly + int((hits * news).sum())
    return Measure((strictly - most_met / 2) / pairs), Measure((largest - least_met / 2) / pairs)


def accuracy(labels: ArrayLike, predicted: ArrayLike) -> Measure:
    """Share of images whose predicted label is the true one, to four decimals.

    Args:
        labels: (N,) integers, the true ones.
        predicted: (N,) integers.

    Returns:
        In [0, 1]; None with a reason where N is 0.

    Raises:
        ValueError: the lengths differ.
    """
    share = plain_accuracy(labels, predicted)
    return share if share.value is None else Measure(round(share.value, 4))


def macro_f1(labels: ArrayLike, predicted: ArrayLike) -> Measure:
    """Mean of F1 over the classes that occur, be it among the predictions alone: such a class counts 0.

    Arguments, result and errors as for `accuracy`.
    """
    return _mean_over_classes(labels, predicted, lambda hit, true, guess: 2 * hit / (true + guess))


def macro_recall(labels: ArrayLike, predicted: ArrayLike) -> Measure:
    """Mean of recall over the classes that occur, be it among the predictions alone: such a class counts 0.

    Arguments, result and errors as for `accuracy`.
    """
    return _mean_over_classes(labels, predicted, lambda hit, true, _: hit / max(true, 1))


def _mean_over_classes(labels: ArrayLike, predicted: ArrayLike, one: Callable[[int, int, int], float]) -> Measure:
    if plain_accuracy(labels, predicted).value is None:
        return Measure(None, NO_KNOWN)
    true, guess = np.asarray(labels), np.asarray(predicted)
    values = [
        one(int(((true == label) & (guess == label)).sum()), int((true == label).sum()), int((guess == label).sum()))
        for label in np.union1d(true, guess)
    ]
    return Measure(sum(values) / len(values))


def _left(known: Floats, unknown: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Known and unknown images left after 0 .. N + M removals of the lowest score, known first; (N + M + 1,) each."""
    new = np.repeat([False, True], [len(known), len(unknown)])
    new = new[np.argsort(np.concatenate([known, unknown]), kind="stable")]
    removed = np.concatenate([[0], np.cumsum(new)])
    return len(known) - (np.arange(len(new) + 1) - removed), len(unknown) - removed


def _trapezoid(x: Floats, y: Floats) -> float:
    return float((np.diff(x) * (y[1:] + y[:-1])).sum() / 2)


def _checked_order(order: ArrayLike, scores: Floats) -> NDArray[np.int64]:
    places = np.asarray(order)
    if places.shape != scores.shape or not np.array_equal(np.sort(places), np.arange(len(scores))):
        raise ValueError(f"order: expected each of 0 to {len(scores) - 1} once, got shape {places.shape}")
    places = places.astype(np.int64)
    if (np.diff(scores[places]) < 0).any():
        raise ValueError("order: expected rising scores, got a lower one after a higher one")
    return places
