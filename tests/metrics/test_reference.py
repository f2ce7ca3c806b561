"""Against the authors' recorded values, loops written from the description of their program, and all orders of ties."""

from __future__ import annotations

import json
from itertools import groupby, pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, recall_score

from forensic.metrics import openset, reference
from forensic.metrics.measure import Measure

CASES = ("hand_no_ties", "hand_separated", "hand_ties", "all_equal", "hash_ties_q8", "hash_no_ties")
PER_CENT = {
    "AUROC_percent": reference.auroc,
    "TNR_at_TPR95_percent": reference.tnr_at_tpr95,
    "DTACC_percent": reference.dtacc,
    "AUIN_percent": reference.auin,
    "AUOUT_percent": reference.auout,
}

few_scores = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=6)


@pytest.fixture(params=CASES)
def case(request, golden) -> tuple:
    """Scores of known, correct, scores of unknown, labels, predictions, the authors' values."""
    row = json.loads((golden / "metrics.json").read_text())["cases"][request.param]
    known, unknown = np.array(row["known_scores"]), np.array(row["unknown_scores"])
    labels, predicted = np.array(row["known_labels"]), known.argmax(axis=1)
    return known.max(axis=1), predicted == labels, unknown.max(axis=1), labels, predicted, row["authors"]


@pytest.mark.parametrize("name", PER_CENT)
def test_golden_values_over_removals(case, name: str) -> None:
    known, _, unknown, _, _, authors = case
    assert 100 * PER_CENT[name](known, unknown).value == pytest.approx(authors[name], abs=1e-12)


def test_golden_oscr_and_its_range_over_orders(case) -> None:
    known, correct, unknown, _, _, authors = case
    stable = reference.oscr(known, correct, unknown).value
    assert stable == pytest.approx(authors["OSCR_stable_sort_known_first"], abs=1e-15)
    least, largest = reference.oscr_range(known, correct, unknown)
    assert least.value == pytest.approx(authors["OSCR_min_over_tie_orders"], abs=1e-15)
    assert largest.value == pytest.approx(authors["OSCR_max_over_tie_orders"], abs=1e-15)
    assert least.value - 1e-15 <= authors["OSCR_default_argsort_this_run"] <= largest.value + 1e-15


def test_golden_closed_set_values(case) -> None:
    _, _, _, labels, predicted, authors = case
    assert reference.accuracy(labels, predicted).value == round(authors["accuracy"], 4)
    assert reference.macro_f1(labels, predicted).value == pytest.approx(authors["macro_f1"], abs=1e-15)
    assert reference.macro_recall(labels, predicted).value == pytest.approx(authors["macro_recall"], abs=1e-15)


def removals(known, unknown) -> list[tuple[int, int]]:
    """Known and unknown left, from none removed on; of equal scores the known go first."""
    queue = sorted([(score, 0) for score in known] + [(score, 1) for score in unknown])
    kept, passed = len(known), len(unknown)
    rows = [(kept, passed)]
    for _, is_unknown in queue:
        kept, passed = (kept, passed - 1) if is_unknown else (kept - 1, passed)
        rows.append((kept, passed))
    return rows


def trapezoid(points) -> float:
    return sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))


def by_loops(known, unknown) -> dict:
    """Each measure over removals, in plain loops, and its value."""
    rows, n, m = removals(known, unknown), len(known), len(unknown)
    nearest = min(rows, key=lambda row: abs(row[0] / n - 0.95))
    inner = [(1, 0.5), *((k / n, k / (k + u)) for k, u in rows[:-1]), (0, 0)]
    outer = [(0, 0), *((1 - u / m, (m - u) / (n - k + m - u)) for k, u in rows[1:]), (1, 0.5)]
    return {
        reference.auroc: sum(k > u for k in known for u in unknown) / (n * m),
        reference.tnr_at_tpr95: 1 - nearest[1] / m,
        reference.dtacc: max((k / n + 1 - u / m) / 2 for k, u in rows),
        reference.auin: -trapezoid(inner),
        reference.auout: trapezoid(outer),
    }


@given(few_scores, few_scores, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_equal_to_loops_over_removals_in_any_order(known, unknown, random) -> None:
    for measure, value in by_loops(known, unknown).items():
        assert measure(known, unknown).value == pytest.approx(value, abs=1e-12)
        again = random.sample(known, len(known)), random.sample(unknown, len(unknown))
        assert measure(*again) == measure(known, unknown)


@pytest.mark.parametrize("count", [19, 20, 21, 59, 60, 61])
def test_equal_to_loops_where_95_per_cent_is_a_count(count: int, seeded) -> None:
    # unknown images lie among the lowest known ones, so that a neighbouring removal has another value
    draws = seeded(count)
    known, unknown = draws.normal(0.3, 1, count).round(1).tolist(), draws.normal(0, 1, 200).round(1).tolist()
    for measure, value in by_loops(known, unknown).items():
        assert measure(known, unknown).value == pytest.approx(value, abs=1e-12)


def closed_form(known, correct, unknown, order) -> float:
    """(pairs with a correct known above an unknown, less half a point for each unknown right below one) / pairs."""
    kinds = ["right" if place < len(known) and correct[place] else "wrong" for place in order]
    kinds = ["new" if place >= len(known) else kind for place, kind in zip(order, kinds, strict=True)]
    won = sum(kinds[i] == "new" and kind == "right" for j, kind in enumerate(kinds) for i in range(j))
    met = sum(pair == ("new", "right") for pair in pairwise(kinds))
    return (won - met / 2) / (len(known) * len(unknown))


def all_orders(scores) -> list[list[int]]:
    places = sorted(range(len(scores)), key=scores.__getitem__)
    groups = [list(permutations(group)) for _, group in groupby(places, key=scores.__getitem__)]
    return [[place for group in choice for place in group] for choice in product(*groups)]


@given(
    st.lists(st.tuples(st.integers(0, 3).map(float), st.booleans()), min_size=1, max_size=4),
    st.lists(st.integers(0, 3).map(float), min_size=1, max_size=3),
)
@settings(max_examples=80, deadline=None)
def test_oscr_of_every_order_and_the_range_of_them(rows, unknown) -> None:
    known, correct = [score for score, _ in rows], [right for _, right in rows]
    values = []
    for order in all_orders(known + unknown):
        value = reference.oscr(known, correct, unknown, order).value
        assert value == pytest.approx(closed_form(known, correct, unknown, order), abs=1e-12)
        values.append(value)
    least, largest = reference.oscr_range(known, correct, unknown)
    assert (least.value, largest.value) == pytest.approx((min(values), max(values)), abs=1e-12)
    assert least.value - 1e-12 <= reference.oscr(known, correct, unknown).value <= largest.value + 1e-12


def test_what_ties_and_small_counts_do_by_hand() -> None:
    even = [0.5, 0.5, 0.5]
    assert reference.auroc(even, [0.5]) == Measure(0.0)
    assert openset.auroc(even, [0.5]) == Measure(0.5)
    # perfect separation: all four known left is nearest to 95 %, and the first removal that leaves them is none
    known, unknown = [0.9, 0.8, 0.7, 0.6], [0.2, 0.1]
    assert reference.tnr_at_tpr95(known, unknown) == Measure(0.0)
    assert openset.fpr95(known, unknown) == Measure(0.0)
    assert reference.oscr(known, [True] * 4, unknown).value == pytest.approx(1 - 1 / 16)
    assert openset.oscr(known, [True] * 4, unknown) == Measure(1.0)


@pytest.mark.parametrize("seed", range(3))
def test_without_ties_the_two_ways_differ_by_what_is_said(seed: int, seeded) -> None:
    draws = seeded(seed)
    known, unknown, correct = draws.normal(1, 1, 30), draws.normal(0, 1, 50), draws.random(30) < 0.8
    assert reference.auroc(known, unknown).value == pytest.approx(openset.auroc(known, unknown).value, abs=1e-12)
    assert reference.dtacc(known, unknown).value == pytest.approx(openset.dtacc(known, unknown).value, abs=1e-12)
    short = openset.oscr(known, correct, unknown).value - reference.oscr(known, correct, unknown).value
    assert 0 < short <= 1 / (2 * 50)


@pytest.mark.parametrize("seed", range(3))
def test_closed_set_values_are_scikit_learns(seed: int, seeded) -> None:
    # class 6 is predicted and never true, class 5 true and never predicted
    labels, predicted = seeded(seed).integers(0, 6, 40), seeded(seed + 9).choice([0, 1, 2, 3, 4, 6], 40)
    found = reference.macro_f1(labels, predicted).value, reference.macro_recall(labels, predicted).value
    assert found[0] == pytest.approx(f1_score(labels, predicted, average="macro", zero_division=0))
    assert found[1] == pytest.approx(recall_score(labels, predicted, average="macro", zero_division=0))
    assert reference.accuracy([0, 1, 1], [0, 1, 0]) == Measure(0.6667)


@pytest.mark.parametrize(
    ("known", "unknown", "reason"), [([1.0], [], "no unknown images"), ([], [1.0], "no known images")]
)
def test_one_side_only_has_no_value(known, unknown, reason: str) -> None:
    correct = [True] * len(known)
    for measure in PER_CENT.values():
        assert measure(known, unknown) == Measure(None, reason)
    assert reference.oscr(known, correct, unknown) == Measure(None, reason)
    assert reference.oscr_range(known, correct, unknown) == (Measure(None, reason),) * 2


def test_no_images_have_no_closed_set_values() -> None:
    for measure in (reference.accuracy, reference.macro_f1, reference.macro_recall):
        assert measure([], []) == Measure(None, "no known images")


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ([0, 1], "order: expected each of 0 to 2 once"),
        ([0, 0, 1], "order: expected each of 0 to 2 once"),
        ([0, 1, 2], "order: expected rising scores"),
    ],
)
def test_an_order_that_is_none_is_refused(order, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        reference.oscr([0.5, 0.9], [True, True], [0.1], order)


def test_the_caller_keeps_his_arrays() -> None:
    known, unknown = np.array([0.3, 0.9, 0.1]), np.array([0.7, 0.2])
    reference.oscr(known, [True] * 3, unknown)
    reference.auin(known, unknown)
    assert known.tolist() == [0.3, 0.9, 0.1]
    assert unknown.tolist() == [0.7, 0.2]
