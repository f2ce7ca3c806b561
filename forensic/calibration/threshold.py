"""Where to cut: a threshold from validation or calibration scores. Test images never come here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LEAST_KNOWN_ACCEPTED = 0.9
"""An examiner who is told `unknown` about one in ten images of a known generator stops listening."""
KNOWN_QUANTILE = 0.05
"""Without validation unknowns: the share of known validation images given up."""


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold and what it did on the images that chose it; known if and only if score >= value."""

    value: float
    known_accepted: float
    unknown_rejected: float | None
    """None where no unknown images took part."""
    chosen_by: str
    """A sentence for the card."""


def choose_threshold(
    known: ArrayLike, unknown: ArrayLike, *, least_known_accepted: float = LEAST_KNOWN_ACCEPTED
) -> ChosenThreshold:
    """The cut that does best on validation images.

    With unknown images: the mean of the shares of known accepted and unknown rejected is largest, among the cuts that
    accept at least `least_known_accepted` of the known; equal ones give the one that accepts more. Without: the cut
    that gives up at most `KNOWN_QUANTILE` of the known. Cuts lie midway between neighbouring scores.

    Args:
        known: scores (N,), finite, N >= 1.
        unknown: scores (M,), finite.
        least_known_accepted: share, 0..1.

    Raises:
        ValueError: no known score, or one that is not finite.
    """
    accepted_scores = np.sort(np.asarray(known, dtype=np.float64))
    rejected_scores = np.sort(np.asarray(unknown, dtype=np.float64))
    if accepted_scores.size == 0:
        raise ValueError("known: expected at least one score, got none")
    if not (np.isfinite(accepted_scores).all() and np.isfinite(rejected_scores).all()):
        raise ValueError("known, unknown: expected finite scores, got some that are not")
    cuts = _cuts(np.concatenate([accepted_scores, rejected_scores]))
    known_accepted = 1 - np.searchsorted(accepted_scores, cuts, side="left") / len(accepted_scores)
    if rejected_scores.size == 0:
        allowed = math.floor(KNOWN_QUANTILE * len(accepted_scores))
        best = int(np.flatnonzero(np.searchsorted(accepted_scores, cuts, side="left") <= allowed)[-1])
        sentence = (
            f"accepts {1 - KNOWN_QUANTILE:.0%} of {len(accepted_scores)} scores of known validation images; "
            "no unknown images took part"
        )
        return ChosenThreshold(float(cuts[best]), float(known_accepted[best]), None, sentence)
    unknown_rejected = np.searchsorted(rejected_scores, cuts, side="left") / len(rejected_scores)
    balance = np.where(known_accepted >= least_known_accepted, (known_accepted + unknown_rejected) / 2, -1.0)
    best = int(np.argmax(balance))
    sentence = (
        f"largest mean of known accepted and unknown rejected with at least {least_known_accepted:.0%} of the known "
        f"accepted, over {len(accepted_scores)} scores of known and {len(rejected_scores)} of unknown validation images"
    )
    return ChosenThreshold(float(cuts[best]), float(known_accepted[best]), float(unknown_rejected[best]), sentence)


def threshold_keeping(known: ArrayLike, share: float) -> ChosenThreshold:
    """The highest cut that keeps at least a stated share of known photographs.

    Args:
        known: (n,) one score a photograph, finite, n >= 1.
        share: above 0, at most 1.

    Raises:
        ValueError: no score, one that is not finite, or a share that is none.
    """
    scores = np.sort(np.asarray(known, dtype=np.float64))
    if scores.size == 0 or not np.isfinite(scores).all():
        raise ValueError("known: expected at least one score, and finite ones")
    if not 0 < share <= 1:
        raise ValueError(f"share: expected above 0 and at most 1, got {share}")
    # 1e-9: 0.95 of 20 is one photograph given up, whatever (1 - 0.95) * 20 rounds to
    allowed = math.floor((1 - share) * scores.size + 1e-9)
    cuts = _cuts(scores)
    given_up = np.searchsorted(scores, cuts, side="left")
    best = int(np.flatnonzero(given_up <= allowed)[-1])
    kept = 1 - float(given_up[best]) / scores.size
    sentence = f"keeps {scores.size - given_up[best]} of {scores.size} known photographs, {share:.4g} was asked"
    return ChosenThreshold(float(cuts[best]), kept, None, sentence)


def _cuts(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ascending: the lowest score itself (accepts everything), then midway between neighbours."""
    distinct = np.unique(scores)
    middle = distinct[:-1] + (distinct[1:] - distinct[:-1]) / 2
    # two neighbouring floats have nothing between them: the upper one parts them
    middle = np.where(middle <= distinct[:-1], distinct[1:], middle)
    cuts: NDArray[np.float64] = np.concatenate([distinct[:1], middle])
    return cuts
