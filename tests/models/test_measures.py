"""Threshold and metrics of a card, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from forensic.models.measures import LEAST_WHOLE, Judged, measures_of, threshold_of
from forensic.models.scorer import Scored


def image(
    label: int, score: float, said: int = 0, *, tiles: int = 1, whole: bool = False, form: str = "stored"
) -> Judged:
    nothing = np.zeros(0, dtype=np.float32)
    return Judged(
        form, label, str(label), f"{label} {score} {tiles}", tiles, Scored(said, score, np.zeros(2)), nothing, whole
    )


def test_whole_pictures_choose_their_own_row_where_they_are_enough() -> None:
    whole = [image(0, -3.0 - number / 100, tiles=8, whole=True) for number in range(LEAST_WHOLE)]
    whole += [image(-1, -9.0, tiles=5, whole=True), image(0, -20.0, said=1, tiles=8, whole=True)]
    threshold = threshold_of([0.0, 1.0], [-2.0], whole, "first: ")
    assert threshold.at(1) == -1.0
    assert -9 < threshold.at(2) < -3.19  # the picture that is named wrongly chooses nothing
    assert threshold.chosen_by.startswith("one tile: first: ")
    assert "more (5 to 8 tiles were seen)" in threshold.chosen_by
    few = threshold_of([0.0, 1.0], [-2.0], whole[2:-1])
    assert few.by_tiles == ()


def test_measures() -> None:
    crops = [image(0, 1.0), image(1, 2.0, said=1), image(1, -5.0, said=0), image(-1, -6.0), image(-1, 3.0)]
    whole = [image(0, -2.5, tiles=8, whole=True), image(-1, -2.5, tiles=8, whole=True)]
    threshold = threshold_of([0.0], [], [])
    found = measures_of([*crops, *whole], ["stored", "jpeg"], threshold, seed=0)
    stored = found["stored"]
    assert (stored["images"], stored["unknown"]) == (3, 2)
    assert stored["closed_accuracy"]["value"] == pytest.approx(2 / 3)
    assert stored["known_accepted"]["value"] == pytest.approx(2 / 3)
    assert stored["unknown_rejected"]["value"] == pytest.approx(1 / 2)
    assert stored["auroc"]["value"] == pytest.approx(3 / 6)
    assert found["jpeg"]["auroc"] == {"reason": "no known images"}
    assert found["whole_stored"] == {"known": 1, "named": 0, "unknown": 1, "rejected": 1}
