"""Against scikit-learn, SciPy, all permutations, the recorded case and tables made by hand."""

from __future__ import annotations

import json
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from forensic.metrics.clustering import ari, best_assignment, contingency, hungarian_accuracy, nmi, purity
from forensic.metrics.measure import Measure

ALL = (purity, nmi, ari, hungarian_accuracy)

partitions = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=25)
"""(label, cluster) of each image."""


def test_golden_clustering_case(golden) -> None:
    case = json.loads((golden / "metrics.json").read_text())["cluster"]
    labels, clusters = case["targets"], case["predicted"]
    assert purity(labels, clusters).value == pytest.approx(case["purity"], abs=1e-15)
    assert nmi(labels, clusters).value == pytest.approx(case["nmi"], abs=1e-15)
    assert ari(labels, clusters).value == pytest.approx(case["ari"], abs=1e-15)


def ari_by_pairs(labels, clusters) -> float:
    """The definition over all pairs of images."""
    pairs = list(combinations(range(len(labels)), 2))
    same_label = [labels[i] == labels[j] for i, j in pairs]
    same_cluster = [clusters[i] == clusters[j] for i, j in pairs]
    together = sum(a and b for a, b in zip(same_label, same_cluster, strict=True))
    if not pairs or sum(same_label) == sum(same_cluster) == together in (0, len(pairs)):
        return 1.0
    chance = sum(same_label) * sum(same_cluster) / len(pairs)
    return (together - chance) / ((sum(same_label) + sum(same_cluster)) / 2 - chance)


def hungarian_by_permutations(table) -> int:
    """The definition: every way to name the clusters, with cells of nothing so that both are equally many."""
    side = max(table.shape)
    square = np.zeros((side, side), dtype=int)
    square[: table.shape[0], : table.shape[1]] = table
    return max(sum(square[row, column] for row, column in enumerate(names)) for names in permutations(range(side)))


@given(partitions, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_equal_to_scikit_learn_and_to_brute_force(images, random) -> None:
    labels, clusters = [label for label, _ in images], [cluster for _, cluster in images]
    expected = normalized_mutual_info_score(labels, clusters, average_method="arithmetic")
    # scikit-learn's own sums leave 1e-16 of a share where this is exactly 0 or 1
    assert nmi(labels, clusters).value == pytest.approx(expected, abs=1e-12)
    assert ari(labels, clusters).value == pytest.approx(ari_by_pairs(labels, clusters), abs=1e-12)
    commonest = sum(max(sum(pair == (label, cluster) for pair in images) for label in range(5)) for cluster in range(6))
    assert purity(labels, clusters) == Measure(commonest / len(images))
    named = hungarian_by_permutations(contingency(labels, clusters)) / len(images)
    assert hungarian_accuracy(labels, clusters) == Measure(named)
    assert named <= purity(labels, clusters).value
    # neither the order of the images nor the names of the clusters matter
    names = random.sample(range(6), 6)
    shuffled = random.sample(images, len(images))
    for measure in ALL:
        again = measure([label for label, _ in shuffled], [names[cluster] for _, cluster in shuffled])
        assert again == measure(labels, clusters)


@pytest.mark.parametrize("seed", range(3))
def test_many_images(seed: int, seeded) -> None:
    draws = seeded(seed)
    labels = draws.integers(0, 40, 5000)
    clusters = np.where(draws.random(5000) < 0.6, (labels * 7) % 40, draws.integers(0, 60, 5000))
    assert nmi(labels, clusters).value == pytest.approx(normalized_mutual_info_score(labels, clusters), abs=1e-12)
    assert ari(labels, clusters).value == pytest.approx(adjusted_rand_score(labels, clusters), abs=1e-12)
    table = contingency(labels, clusters)
    rows, columns = linear_sum_assignment(table, maximize=True)
    assert hungarian_accuracy(labels, clusters).value == table[rows, columns].sum() / 5000


@given(
    st.integers(0, 7).flatmap(
        lambda rows: st.integers(0, 7).flatmap(
            lambda columns: st.lists(
                st.lists(st.integers(-4, 4), min_size=columns, max_size=columns), min_size=rows, max_size=rows
            ).map(lambda cells: np.array(cells, dtype=float).reshape(rows, columns))
        )
    )
)
@settings(max_examples=150, deadline=None)
def test_assignment_has_the_sum_of_scipys(table) -> None:
    rows, columns = best_assignment(table)
    assert len(rows) == len(columns) == min(table.shape)
    assert len(set(rows)) == len(set(columns)) == len(rows)
    assert rows.tolist() == sorted(rows)
    assert table[rows, columns].sum() == table[linear_sum_assignment(table, maximize=True)].sum()


@pytest.mark.parametrize("shape", [(60, 60), (40, 90), (90, 40)], ids=str)
def test_assignment_of_random_gains_is_scipys(shape, seeded) -> None:
    table = seeded(2).normal(size=shape)
    rows, columns = best_assignment(table)
    expected = linear_sum_assignment(table, maximize=True)
    np.testing.assert_array_equal(rows, expected[0])
    np.testing.assert_array_equal(columns, expected[1])


def test_a_greedy_naming_is_not_the_best() -> None:
    # taking the largest cell, 5, first leaves 0; both 4s make 8
    table = np.array([[5, 4], [4, 0]])
    rows, columns = best_assignment(table)
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 0])


def test_by_hand() -> None:
    labels = ["a", "a", "a", "b", "b", "c"]
    # the same partition under other names
    assert [measure(labels, [2, 2, 2, 0, 0, 1]) for measure in ALL] == [Measure(1.0)] * 4
    # everything in one cluster: half of the images are named right, and nothing is told
    assert [measure(labels, [0] * 6).value for measure in ALL] == [0.5, 0.0, 0.0, 0.5]
    # every image a cluster of its own: pure, and no more than one of each label named
    assert purity(labels, range(6)) == Measure(1.0)
    assert hungarian_accuracy(labels, range(6)) == Measure(0.5)
    assert ari(labels, range(6)) == Measure(0.0)


def test_worse_than_chance_is_negative() -> None:
    assert ari([0, 0, 1, 1], [0, 1, 0, 1]).value == pytest.approx(-0.5)


@pytest.mark.parametrize("groups", [[0], [0, 0, 0], [0, 1, 2]], ids=str)
def test_where_only_one_partition_is_possible_it_is_right(groups) -> None:
    assert [measure(groups, groups) for measure in ALL] == [Measure(1.0)] * 4


def test_no_images_have_no_value() -> None:
    assert [measure([], []) for measure in ALL] == [Measure(None, "no images")] * 4


@pytest.mark.parametrize("measure", ALL, ids=lambda measure: measure.__name__)
def test_wrong_arguments_are_named(measure) -> None:
    with pytest.raises(ValueError, match=r"clusters: expected shape \(2,\), got \(1,\)"):
        measure([0, 1], [0])
    with pytest.raises(ValueError, match=r"labels: expected one axis, got shape \(1, 1\)"):
        measure([[0]], [[0]])


def test_gains_must_be_finite_and_a_table() -> None:
    with pytest.raises(ValueError, match="gains: expected finite numbers"):
        best_assignment([[0.0, np.nan]])
    with pytest.raises(ValueError, match=r"gains: expected two axes, got shape \(2,\)"):
        best_assignment([0.0, 1.0])
