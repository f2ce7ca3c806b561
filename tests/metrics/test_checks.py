from __future__ import annotations

import numpy as np
import pytest

from forensic.metrics.checks import empty_side, flags_of, scores_of


@pytest.mark.parametrize("values", [[1, 2], (0.5, 0.25), np.float32([1.5, 2.0])])
def test_scores_become_float64(values) -> None:
    scores = scores_of(values, "known")
    assert scores.dtype == np.float64
    assert scores.tolist() == list(values)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([0.0, np.nan, -np.inf], "known: expected finite scores, got 2 that are not"),
        ([[0.0]], r"known: expected one axis, got shape \(1, 1\)"),
        (1.0, r"known: expected one axis, got shape \(\)"),
    ],
)
def test_wrong_scores_are_named(values, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        scores_of(values, "known")


def test_wrong_flags_are_named() -> None:
    assert flags_of([1, 0], "correct", 2).tolist() == [True, False]
    with pytest.raises(ValueError, match=r"correct: expected shape \(3,\), got \(2,\)"):
        flags_of([True, False], "correct", 3)
    with pytest.raises(ValueError, match=r"accepted: expected one axis, got shape \(1, 2\)"):
        flags_of([[True, False]], "accepted")


def test_the_side_without_images_is_named() -> None:
    nothing, something = np.zeros(0), np.zeros(2)
    assert empty_side(nothing, something) == "no known images"
    assert empty_side(something, nothing) == "no unknown images"
    assert empty_side(nothing, nothing) == "no known images"
    assert empty_side(something, something) is None
