"""Against hand-made tables, brute force over pairs, recorded values and scikit-learn."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from forensic.metrics.closedset import accuracy
from forensic.metrics.measure import Measure
from forensic.metrics.openset import (
    aupr_known,
    aupr_known_replicates,
    aupr_unknown,
    aupr_unknown_replicates,
    auroc,
    auroc_replicates,
    dtacc,
    dtacc_replicates,
    false_real,
    fpr95,
    fpr95_replicates,
    open_auc,
    oscr,
    oscr_replicates,
    rejection,
    wrong_known,
)

CASES = ("hand_no_ties", "hand_separated", "hand_ties", "all_equal", "hash_ties_q8", "hash_no_ties")

PAIRED = [
    (auroc, auroc_replicates),
    (fpr95, fpr95_replicates),
    (aupr_known, aupr_known_replicates),
    (aupr_unknown, aupr_unknown_replicates),
    (dtacc, dtacc_replicates),
]

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


def average_precision_by_hand(positive, other) -> float:
    """The definition: at each distinct threshold, gain in recall times share of positives among those above."""
    area, before = Fraction(0), 0
    for t in sorted(set(positive + other), reverse=True):
        hit, missed = sum(p >= t for p in positive), sum(o >= t for o in other)
        area += Fraction(hit - before, len(positive)) * Fraction(hit, hit + missed)
        before = hit
    return float(area)


def dtacc_by_hand(known, unknown) -> float:
    """The definition: every distinct threshold, and one above all."""
    best = Fraction(0)
    for t in [*known, *unknown, float("inf")]:
        kept = Fraction(sum(k >= t for k in known), len(known))
        best = max(best, (kept + Fraction(sum(u < t for u in unknown), len(unknown))) / 2)
    return float(best)


@pytest.mark.parametrize("name", CASES)
def test_golden_tie_aware_values(name: str, golden) -> None:
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
    assert open_auc(known.max(axis=1), correct, unknown.max(axis=1)).value == pytest.approx(expected["OSCR"], abs=1e-15)
    assert accuracy(case["known_labels"], known.argmax(axis=1)).value == pytest.approx(expected["accuracy"])
    won = auroc(known.max(axis=1), unknown.max(axis=1)).value
    tied = np.mean(known.max(axis=1)[:, None] == unknown.max(axis=1))
    assert 100 * (won - tied / 2) == pytest.approx(expected["AUROC_strict_percent_ties_count_zero"], abs=1e-12)


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
    # known found: 1/1, then 2/2, then 3/5, a third of the recall each
    assert aupr_known(known, unknown).value == pytest.approx((1 + 1 + 3 / 5) / 3)
    # unknown found, from the lowest score up: .2 after .1 is 1/2, .5 is 2/3, half of the recall each
    assert aupr_unknown(known, unknown).value == pytest.approx((1 / 2 + 2 / 3) / 2)
    # at .8 two of three known are accepted and both unknown rejected
    assert dtacc(known, unknown).value == pytest.approx((2 / 3 + 1) / 2)


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
    assert aupr_known(known, unknown).value == pytest.approx(average_precision_by_hand(known, unknown), abs=1e-15)
    turned = [[-score for score in side] for side in (unknown, known)]
    assert aupr_unknown(known, unknown).value == pytest.approx(average_precision_by_hand(*turned), abs=1e-15)
    assert dtacc(known, unknown).value == pytest.approx(dtacc_by_hand(known, unknown), abs=1e-15)
    shuffled = list(zip(known, correct, strict=True))
    random.shuffle(shuffled)
    again, right = [k for k, _ in shuffled], [c for _, c in shuffled]
    assert oscr(again, right, unknown) == oscr(known, correct, unknown)
    for measure in (auroc, fpr95, aupr_known, aupr_unknown, dtacc):
        assert measure(again, sorted(unknown)) == measure(known, unknown)


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_scikit_learn(seed: int, seeded) -> None:
    draws = seeded(seed)
    known, unknown = draws.normal(0.5, 1, 80).round(1), draws.normal(0, 1, 60).round(1)
    expected = roc_auc_score(np.r_[np.ones(80), np.zeros(60)], np.r_[known, unknown])
    assert auroc(known, unknown).value == pytest.approx(expected, abs=1e-12)
    truth, scores = np.r_[np.ones(80), np.zeros(60)], np.r_[known, unknown]
    found = aupr_known(known, unknown).value, aupr_unknown(known, unknown).value
    assert found[0] == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    assert found[1] == pytest.approx(average_precision_score(1 - truth, -scores), abs=1e-12)
    best = max(balanced_accuracy_score(truth, scores >= t) for t in np.unique(scores))
    assert dtacc(known, unknown).value == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_openauc_is_auroc_with_the_mistaken_below_every_unknown(seed: int, seeded) -> None:
    # as the program of Wang et al. 2022 computes it; scores of one decimal tie
    draws = seeded(seed)
    known, unknown = draws.normal(0.5, 1, 50).round(1), draws.normal(0, 1, 40).round(1)
    correct = draws.random(50) < 0.8
    lowered = np.where(correct, known, unknown.min() - 1)
    expected = roc_auc_score(np.r_[np.ones(50), np.zeros(40)], np.r_[lowered, unknown])
    assert open_auc(known, correct, unknown).value == pytest.approx(expected, abs=1e-12)


def test_all_scores_equal_leaves_the_share_of_known_and_a_coin() -> None:
    known, unknown = np.full(3, 0.5), np.full(1, 0.5)
    assert (aupr_known(known, unknown), aupr_unknown(known, unknown)) == (Measure(0.75), Measure(0.25))
    assert (dtacc(known, unknown), fpr95(known, unknown)) == (Measure(0.5), Measure(1.0))


def test_worse_than_a_coin_is_no_better_than_accepting_everything() -> None:
    assert dtacc([0.1, 0.2], [0.8, 0.9]) == Measure(0.5)


@pytest.mark.parametrize(
    "measure",
    [
        auroc,
        fpr95,
        aupr_known,
        aupr_unknown,
        dtacc,
        lambda k, u: oscr(k, np.ones(len(k), bool), u),
        lambda k, u: open_auc(k, np.ones(len(k), bool), u),
    ],
)
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
        expected = oscr(some_known, right, some_unknown).value
        assert oscr_replicates(known, correct, unknown, *weights)[row] == pytest.approx(expected)
        for measure, replicates in PAIRED:
            expected = measure(some_known, some_unknown).value
            assert replicates(known, unknown, *weights)[row] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("_", "replicates"), PAIRED, ids=lambda function: function.__name__)
def test_many_replicates_are_each_as_if_alone(_, replicates, seeded) -> None:
    # so many images that a few rows are looked at together
    draws = seeded(8)
    known, unknown = draws.normal(1, 1, 5000), draws.normal(0, 1, 4000)
    weights = draws.integers(0, 3, (61, 5000)).astype(float), draws.integers(0, 3, (61, 4000)).astype(float)
    together = replicates(known, unknown, *weights)
    alone = [replicates(known, unknown, *(side[row : row + 1] for side in weights))[0] for row in range(61)]
    # sums of 9,000 terms in another order
    np.testing.assert_allclose(together, alone, rtol=1e-13)
    assert replicates(known, unknown, *(side[:0] for side in weights)).shape == (0,)


@pytest.mark.parametrize(("measure", "replicates"), PAIRED, ids=lambda function: function.__name__)
def test_a_replicate_without_a_side_is_undefined(measure, replicates) -> None:
    nothing, something = np.zeros((1, 2)), np.ones((1, 2))
    scores, no_scores, no_images = np.array([1.0, 2.0]), np.zeros(0), np.zeros((1, 0))
    assert np.isnan(replicates(scores, scores, nothing, something)[0])
    assert np.isnan(replicates(scores, scores, something, nothing)[0])
    assert np.isnan(replicates(scores, no_scores, something, no_images)[0])
    assert np.isnan(replicates(no_scores, scores, no_images, something)[0])
    assert np.isnan(replicates(no_scores, no_scores, no_images, no_images)[0])
    assert measure(scores, scores).value == replicates(scores, scores, something, something)[0]


def test_operating_point_by_hand() -> None:
    assert rejection([True, False, False, False]) == Measure(0.75)
    assert rejection([]) == Measure(None, "no unknown images")
    # of five known images one is accepted under a wrong name; a rejected one counts against nobody
    accepted, correct = [True, True, True, False, False], [True, True, False, True, False]
    assert wrong_known(accepted, correct) == Measure(0.2)
    assert wrong_known([], []) == Measure(None, "no known images")
    with pytest.raises(ValueError, match=r"correct: expected shape \(2,\), got \(1,\)"):
        wrong_known([True, False], [True])


def test_false_real_needs_verdict_and_label() -> None:
    assert false_real([True, True, False, False], [True, False, True, False]) == Measure(0.25)
    assert false_real([], []) == Measure(None, "no unknown images")
    with pytest.raises(ValueError, match=r"label_real: expected shape \(2,\), got \(1,\)"):
        false_real([True, True], [True])
