from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic.metrics.measure import Measure
from forensic.metrics.reliability import ece, reliability_bins

pairs = st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=30)
"""Confidences in sixtieths, so that many lie on an edge; and whether right."""


def ece_by_hand(rows, bins: int) -> float:
    """The definition over exact fractions: (b/B, (b+1)/B], and 0 in the first."""
    total = Fraction(0)
    for b in range(bins):
        inside = [(Fraction(c, 60), r) for c, r in rows if b < Fraction(c, 60) * bins <= b + 1 or (c == 0 and b == 0)]
        if inside:
            total += abs(sum(Fraction(r) for _, r in inside) - sum(c for c, _ in inside))
    return float(total / len(rows))


@given(pairs, st.sampled_from([1, 2, 4, 5, 10, 15, 20]), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_equal_to_the_definition_in_any_order(rows, bins, random) -> None:
    found = ece([c / 60 for c, _ in rows], [r for _, r in rows], bins)
    assert found.value == pytest.approx(ece_by_hand(rows, bins), abs=1e-12)
    shuffled = random.sample(rows, len(rows))
    assert ece([c / 60 for c, _ in shuffled], [r for _, r in shuffled], bins) == found


def test_an_edge_belongs_to_the_lower_bin() -> None:
    rows = reliability_bins([0.0, 0.2, 0.4, 0.4000001, 1.0], [True, False, True, True, True], bins=5)
    assert [row.n for row in rows] == [2, 1, 1, 0, 1]
    assert [(row.low, row.high) for row in rows] == [(0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0)]
    assert rows[0].confidence == pytest.approx(0.1)
    assert rows[0].accuracy == 0.5
    assert (rows[3].confidence, rows[3].accuracy) == (None, None)


@pytest.mark.parametrize("bins", [3, 7, 10, 15, 49, 100])
def test_every_edge_as_a_confidence_falls_below_itself(bins: int) -> None:
    edges = [number / bins for number in range(1, bins + 1)]
    assert [row.n for row in reliability_bins(edges, [True] * bins, bins)] == [1] * bins


def test_sure_and_right_is_calibrated_and_sure_and_wrong_is_not() -> None:
    assert ece([1.0, 1.0], [True, True]) == Measure(0.0)
    assert ece([1.0, 1.0], [False, False]) == Measure(1.0)
    # a bin of four at 0.75 of which three are right, and one of two at 0.5 of which none is
    assert ece([0.75] * 4 + [0.5] * 2, [True] * 3 + [False] * 3) == Measure(pytest.approx(2 / 6 * 0.5))


def test_calibrated_draws_have_a_small_error(seeded) -> None:
    draws = seeded(6)
    sure = draws.random(20000)
    assert ece(sure, draws.random(20000) < sure).value < 0.02
    assert ece(sure, draws.random(20000) < sure**3).value > 0.2


def test_no_images_have_no_error_but_all_bins() -> None:
    assert ece([], []) == Measure(None, "no known images")
    assert [row.n for row in reliability_bins([], [], 3)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("confidence", "correct", "bins", "told"),
    [
        ([0.5, 1.5], [True, True], 15, "confidence: expected 0 to 1, got 0.5 to 1.5"),
        ([0.5, np.nan], [True, True], 15, "confidence: expected 0 to 1"),
        ([0.5], [True, True], 15, r"correct: expected shape \(1,\), got \(2,\)"),
        ([[0.5]], [[True]], 15, "confidence: expected one axis"),
        ([0.5], [True], 0, "bins: expected at least 1, got 0"),
    ],
)
def test_wrong_arguments_are_named(confidence, correct, bins, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ece(confidence, correct, bins)
