"""Against hand-made tables, brute force over pairs, recorded values and scikit-learn."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from forensic.metrics.measure import Measure
from forensic.metrics.openset import (
    auroc,
    auroc_replicates,
    false_real,
    fpr95,
    fpr95_replicates,
    oscr,
    oscr_replicates,
)

CASES = ("hand_no_ties", "hand_separated", "hand_ties", "all_equal", "hash_ties_q8", "hash_no_ties")

few_scores = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=12)
"""So few values that most of them tie."""


def pairs_won(known, unknown, correct=None) -> float:
    """The definition: a loop over pairs."""
    correct = [True] * len(known) if correct is None else correct
    won = Fraction(0)
    for k, right in zip(known, correct, strict=True):
        for u in unknown:
            won += right * (Fraction(k > u) + Fraction(k == u, 2))
    return float(won / (len(known) * len(unknown)))


def fpr95_by_hand(known, unknown) -> float:
    """The definition: every distinct threshold, the smallest share of unknown among those that keep 95 %."""
    keeping = [t for t in known + unknown if 20 * sum(k >= t for k in known) >= 19 * len(known)]
    return float(min(Fraction(sum(u >= t for u in unknown), len(unknown)) for t in keeping))


@pytest.mark.parametrize("name", CASES)
def test_recorded_values_with_ties(name: str, golden) -> None:
    case = json.loads((golden / "metrics.json").read_text())["cases"][name]
    known, unknown = np.array(case["known_scores"]), np.array(case["unknown_scores"])
    correct = known.argmax(axis=1) == np.array(case["known_labels"])
    expected = case["tie_aware"]
    assert auroc(known.max(axis=1), unknown.max(axis=1)).value == pytest.approx(
        float(Fraction(expected["AUROC_fraction"])), abs=1e-15
    )
    assert oscr(known.max(axis=1), correct, unknown.max(axis=1)).value == pytest.approx(
        float(Fraction(expected["OSCR_fraction"])), abs=1e-15
    )
    assert correct.mean() == pytest.approx(expected["accuracy"])


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_ties_do_not_depend_on_order(order: tuple[int, ...]) -> None:
    # labels 0, 1, 1 with scores .5, .9, .5: one pair won, one tied
    labels, scores = np.array([0, 1, 1])[list(order)], np.array([0.5, 0.9, 0.5])[list(order)]
    assert auroc(scores[labels == 1], scores[labels == 0]) == Measure(0.75)


@pytest.mark.parametrize(("known", "unknown"), [(1, 1), (3, 2), (7, 11)])
def test_all_scores_equal_is_a_coin_flip(known: int, unknown: int) -> None:
    assert auroc(np.full(known, 0.25), np.full(unknown, 0.25)) == Measure(0.5)


def test_direction_both_ways_by_hand() -> None:
    known, unknown = [0.9, 0.8, 0.1], [0.5, 0.2]
    # larger is more known: .9 and .8 beat both unknown, .1 beats none: 4 of 6 pairs
    assert auroc(known, unknown).value == pytest.approx(4 / 6)
    # read the other way round, an unknown image wins where it scores higher: 2 of 6 pairs
    assert auroc(unknown, known).value == pytest.approx(2 / 6)
    assert fpr95(known, unknown) == Measure(1.0)


@pytest.mark.parametrize(
    ("known", "unknown", "expected"),
    [
        # 20 known: 95 % are 19, so the lowest may be lost
        (list(range(1, 21)), [1.5, 1.0, 0.5, 30.0], 0.25),
        # 19 known: 18 of 19 are 94.7 %, none may be lost
        (list(range(1, 20)), [1.5, 1.0, 0.5, 30.0], 0.75),
        # a tie with the threshold counts as accepted
        ([1.0, 1.0], [1.0, 0.0], 0.5),
    ],
)
def test_fpr95_by_hand(known, unknown, expected: float) -> None:
    assert fpr95(known, unknown) == Measure(expected)


@given(few_scores, few_scores, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_equal_to_loops_over_pairs(known, unknown, random) -> None:
    correct = [random.random() < 0.7 for _ in known]
    assert auroc(known, unknown).value == pytest.approx(pairs_won(known, unknown), abs=1e-15)
    assert oscr(known, correct, unknown).value == pytest.approx(pairs_won(known, unknown, correct), abs=1e-15)
    assert fpr95(known, unknown).value == fpr95_by_hand(known, unknown)
    shuffled = list(zip(known, correct, strict=True))
    random.shuffle(shuffled)
    again, right = [k for k, _ in shuffled], [c for _, c in shuffled]
    assert oscr(again, right, unknown) == oscr(known, correct, unknown)
    assert auroc(again, sorted(unknown)) == auroc(known, unknown)


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_scikit_learn(seed: int, seeded) -> None:
    draws = seeded(seed)
    known, unknown = draws.normal(0.5, 1, 80).round(1), draws.normal(0, 1, 60).round(1)
    expected = roc_auc_score(np.r_[np.ones(80), np.zeros(60)], np.r_[known, unknown])
    assert auroc(known, unknown).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("measure", [auroc, fpr95, lambda k, u: oscr(k, np.ones(len(k), bool), u)])
@pytest.mark.parametrize(
    ("known", "unknown", "reason"), [([1.0], [], "no unknown images"), ([], [1.0], "no known images")]
)
def test_one_side_only_has_no_value(measure, known, unknown, reason: str) -> None:
    assert measure(np.array(known), np.array(unknown)) == Measure(None, reason)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(broken: float) -> None:
    with pytest.raises(ValueError, match="unknown: expected finite scores, got 1"):
        auroc([1.0, 2.0], [0.0, broken])


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match=r"correct: expected shape \(2,\), got \(3,\)"):
        oscr([1.0, 2.0], [True, True, False], [0.0])


@pytest.mark.parametrize("seed", range(3))
def test_weights_count_like_copies(seed: int, seeded) -> None:
    draws = seeded(seed)
    known, unknown = draws.integers(0, 5, 9).astype(float), draws.integers(0, 5, 7).astype(float)
    correct = draws.random(9) < 0.6
    times_known, times_unknown = draws.integers(0, 4, (5, 9)), draws.integers(0, 4, (5, 7))
    weights = (times_known.astype(float), times_unknown.astype(float))
    for row in range(5):
        some_known, some_unknown = np.repeat(known, times_known[row]), np.repeat(unknown, times_unknown[row])
        right = np.repeat(correct, times_known[row])
        assert auroc_replicates(known, unknown, *weights)[row] == pytest.approx(auroc(some_known, some_unknown).value)
        expected = oscr(some_known, right, some_unknown).value
        assert oscr_replicates(known, correct, unknown, *weights)[row] == pytest.approx(expected)
        assert fpr95_replicates(known, unknown, *weights)[row] == pytest.approx(fpr95(some_known, some_unknown).value)


def test_a_replicate_without_a_side_is_undefined() -> None:
    nothing, something = np.zeros((1, 2)), np.ones((1, 2))
    scores = np.array([1.0, 2.0])
    assert np.isnan(auroc_replicates(scores, scores, nothing, something)[0])
    assert np.isnan(fpr95_replicates(scores, scores, nothing, something)[0])
    assert np.isnan(fpr95_replicates(scores, scores, something, nothing)[0])


def test_false_real_needs_verdict_and_label() -> None:
    assert false_real([True, True, False, False], [True, False, True, False]) == Measure(0.25)
    assert false_real([], []) == Measure(None, "no unknown images")
