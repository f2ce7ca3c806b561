"""What a card measures on validation images, and the threshold that they choose; of scores, whoever gave them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forensic.calibration.threshold import choose_threshold
from forensic.data.sample import UNKNOWN
from forensic.metrics.measure import NO_KNOWN, NO_UNKNOWN
from forensic.metrics.measured import Side, measure_openset, measure_share
from forensic.models.card import Threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from forensic.models.scorer import Scored

LEAST_WHOLE = 20
"""Whole pictures of known classes, all forms counted, from which a threshold of their own is chosen."""


@dataclass(frozen=True)
class Judged:
    """One validation image in one form, and what was said of it."""

    form: str
    """`stored` or `jpeg`."""
    label: int
    """Its class, or `UNKNOWN`."""
    source: str
    """Name of the class or generator."""
    photo: str
    """The photograph it was made from, or anything that is the image's own."""
    tiles: int
    scored: Scored
    features: NDArray[np.float32]
    """(F,) mean over the tiles."""
    whole: bool = False
    """A whole picture, and no crop."""

    @property
    def known(self) -> bool:
        """Whether its class is among the known ones."""
        return self.label != UNKNOWN

    @property
    def right(self) -> bool:
        """Whether the best class is its own."""
        return self.scored.label == self.label


def threshold_of(
    known: Sequence[float], unknown: Sequence[float], whole: Sequence[Judged], before: str = ""
) -> Threshold:
    """The threshold, with a row for images of two tiles and more where there are whole pictures enough.

    Args:
        known: scores of images of known classes; at least one.
        unknown: scores of images of none of them.
        whole: whole pictures, which choose their row by the same rule.
        before: what the sentence begins with.
    """
    chosen = choose_threshold(known, unknown)
    threshold = Threshold(chosen.value, before + chosen.chosen_by)
    if sum(picture.known for picture in whole) < LEAST_WHOLE:
        return threshold
    more = choose_threshold(
        [picture.scored.score for picture in whole if picture.known and picture.right],
        [picture.scored.score for picture in whole if not picture.known],
    )
    tiles = sorted({picture.tiles for picture in whole})
    sentence = f"one tile: {threshold.chosen_by}; more ({tiles[0]} to {tiles[-1]} tiles were seen): {more.chosen_by}"
    return Threshold(threshold.value, sentence, ((2, more.value),))


def measures_of(judged: Sequence[Judged], forms: Iterable[str], threshold: Threshold, seed: int) -> dict[str, Any]:
    """The card's metrics: a row for each form of crops, then one for each form of whole pictures that there are."""
    crops = {form: [one for one in judged if one.form == form and not one.whole] for form in forms}
    measured = {form: _measures(some, threshold.value, seed) for form, some in crops.items()}
    return measured | _whole_counts([one for one in judged if one.whole], threshold)


def _measures(judged: Sequence[Judged], threshold: float, seed: int) -> dict[str, Any]:
    known = [one for one in judged if one.known]
    unknown = [one for one in judged if not one.known]
    correct = np.array([one.right for one in known], dtype=bool)
    known_side, unknown_side = _side(known), _side(unknown)
    opened = measure_openset(known_side, correct, unknown_side, seed=seed)
    return {
        "images": len(known),
        "unknown": len(unknown),
        "closed_accuracy": measure_share(correct, NO_KNOWN).to_dict(),
        "known_accepted": measure_share(known_side.scores >= threshold, NO_KNOWN).to_dict(),
        "unknown_rejected": measure_share(unknown_side.scores < threshold, NO_UNKNOWN).to_dict(),
        "auroc": opened.auroc.to_dict(),
        "oscr": opened.oscr.to_dict(),
        "fpr95": opened.fpr95.to_dict(),
    }


def _side(judged: Sequence[Judged]) -> Side:
    scores = np.array([one.scored.score for one in judged], dtype=np.float64)
    return Side(scores, [one.photo for one in judged])


def _whole_counts(whole: Sequence[Judged], threshold: Threshold) -> dict[str, Any]:
    """How many whole pictures come out right, in every form."""
    rows: dict[str, dict[str, int]] = {}
    for picture in whole:
        row = rows.setdefault(f"whole_{picture.form}", {"known": 0, "named": 0, "unknown": 0, "rejected": 0})
        accepted = picture.scored.score >= threshold.at(picture.tiles)
        if picture.known:
            row["known"] += 1
            row["named"] += accepted and picture.right
        else:
            row["unknown"] += 1
            row["rejected"] += not accepted
    return rows
