from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from forensic.metrics.bootstrap import photograph_weights
from forensic.metrics.closedset import accuracy
from forensic.metrics.measured import Side, measure_openset
from forensic.metrics.openset import aupr_known, aupr_unknown, auroc, auroc_replicates, dtacc, fpr95, oscr
from forensic.metrics.paired import ScoredImages, paired_difference, paired_openset, share_replicates

KNOWN = [f"p{n % 20}" for n in range(60)]
UNKNOWN = [f"p{n % 20}" for n in range(40)]


def scored(draws, hard_known, hard_unknown, shift: float) -> ScoredImages:
    """Photographs are easy or hard for everybody; a little noise is each set's own."""
    known = shift + hard_known + 0.1 * draws.normal(size=60)
    return ScoredImages(known, draws.random(60) < 0.9, hard_unknown + 0.1 * draws.normal(size=40))


@pytest.fixture
def two(seeded) -> tuple[ScoredImages, ScoredImages]:
    draws = seeded(11)
    photographs = draws.normal(size=20)
    hard = np.tile(photographs, 3) + draws.normal(size=60), np.tile(photographs, 2) + draws.normal(size=40)
    return scored(draws, *hard, 1.0), scored(draws, *hard, 1.3)


def test_values_are_differences_of_the_measures_and_turn_with_the_sets(two) -> None:
    a, b = two
    found = paired_openset(a, b, KNOWN, UNKNOWN, seed=0, replicates=200)
    for name, measure in (
        ("auroc", auroc),
        ("fpr95", fpr95),
        ("aupr_known", aupr_known),
        ("aupr_unknown", aupr_unknown),
        ("dtacc", dtacc),
    ):
        expected = measure(b.known, b.unknown).value - measure(a.known, a.unknown).value
        assert found[name].measure.value == pytest.approx(expected, abs=1e-12), name
    expected = oscr(b.known, b.correct, b.unknown).value - oscr(a.known, a.correct, a.unknown).value
    assert found["oscr"].measure.value == pytest.approx(expected, abs=1e-12)
    expected = accuracy(np.ones(60), b.correct).value - accuracy(np.ones(60), a.correct).value
    assert found["closed_accuracy"].measure.value == pytest.approx(expected, abs=1e-12)
    turned = paired_openset(b, a, KNOWN, UNKNOWN, seed=0, replicates=200)
    for name, measured in found.items():
        assert measured.interval.low <= measured.measure.value <= measured.interval.high
        assert turned[name].measure.value == -measured.measure.value
        assert turned[name].interval[:2] == pytest.approx((-measured.interval.high, -measured.interval.low), abs=1e-12)


def test_replicates_are_the_measure_on_the_drawn_images(two) -> None:
    a, b = two
    first, second = (partial(auroc_replicates, some.known, some.unknown) for some in two)
    found = paired_difference(first, second, KNOWN, UNKNOWN, seed=3, replicates=41)
    # by hand: each draw repeats images as often as its photograph came, on both sides and in both sets alike
    differences = []
    for row in photograph_weights([*KNOWN, *UNKNOWN], 41, seed=3).astype(int):
        times_known, times_unknown = row[:60], row[60:]
        values = [
            auroc(np.repeat(some.known, times_known), np.repeat(some.unknown, times_unknown)).value for some in (a, b)
        ]
        differences.append(values[1] - values[0])
    assert found.interval[:2] == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])), abs=1e-12)


def test_pairing_cancels_what_is_hard_for_both(two) -> None:
    a, b = two
    paired = paired_openset(a, b, KNOWN, UNKNOWN, seed=0, replicates=300)["auroc"].interval
    alone = [
        measure_openset(Side(some.known, KNOWN), some.correct, Side(some.unknown, UNKNOWN), seed=0, replicates=300)
        for some in two
    ]
    apart = sum((one.auroc.interval.high - one.auroc.interval.low) ** 2 for one in alone) ** 0.5
    assert paired.high - paired.low < apart / 2
    assert paired.low > 0


def test_a_set_does_not_differ_from_itself(two) -> None:
    for measured in paired_openset(two[0], two[0], KNOWN, UNKNOWN, seed=0, replicates=50).values():
        assert measured.to_dict() == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_interval_covers_as_often_as_it_says(seeded) -> None:
    # both sets from one distribution, so that the difference to be covered is 0
    inside = 0
    photographs = [f"k{n}" for n in range(50)], [f"u{n}" for n in range(50)]
    for seed in range(60):
        draws = seeded(seed)
        known, unknown = draws.normal(1, 1, 50), draws.normal(0, 1, 50)
        first, second = (
            partial(auroc_replicates, known + draws.normal(size=50), unknown + draws.normal(size=50)) for _ in range(2)
        )
        found = paired_difference(first, second, *photographs, seed=seed, replicates=200).interval
        inside += found.low <= 0 <= found.high
    # 95 % of 60 is 57; 50 or fewer has probability under 0.001
    assert inside > 50


def test_the_order_of_images_changes_nothing(two) -> None:
    turned = [ScoredImages(some.known[::-1], some.correct[::-1], some.unknown[::-1]) for some in two]
    found = paired_openset(*turned, KNOWN[::-1], UNKNOWN[::-1], seed=0, replicates=60)
    for name, measured in paired_openset(*two, KNOWN, UNKNOWN, seed=0, replicates=60).items():
        assert found[name].measure.value == pytest.approx(measured.measure.value, abs=1e-12)
        assert found[name].interval[:2] == pytest.approx(measured.interval[:2], abs=1e-12)


def test_one_side_only(two) -> None:
    nothing, flags = np.zeros(0), np.zeros(0, dtype=bool)
    known_only = [ScoredImages(some.known, some.correct, nothing) for some in two]
    found = paired_openset(*known_only, KNOWN, [], seed=0, replicates=50)
    assert found["closed_accuracy"].interval.low is not None
    assert {name: measured.to_dict() for name, measured in found.items() if name != "closed_accuracy"} == {
        name: {"reason": "no unknown images"}
        for name in ("auroc", "oscr", "fpr95", "aupr_known", "aupr_unknown", "dtacc")
    }
    unknown_only = [ScoredImages(nothing, flags, some.unknown) for some in two]
    for measured in paired_openset(*unknown_only, [], UNKNOWN, seed=0, replicates=50).values():
        assert measured.to_dict() == {"reason": "no known images"}


def test_shares_of_either_side() -> None:
    flags = np.array([True, False, True])
    weights = np.array([[1.0, 1.0, 2.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    other = np.ones((3, 2))
    for found in (
        share_replicates(flags, weights, other, known=True),
        share_replicates(flags, other, weights, known=False),
    ):
        assert found[:2].tolist() == [0.75, 0.0]
        assert np.isnan(found[2])


def test_images_and_photographs_must_be_equally_many(two) -> None:
    a, b = two
    with pytest.raises(ValueError, match="first: expected 59 known and 40 unknown images as there are photographs"):
        paired_openset(a, b, KNOWN[1:], UNKNOWN, seed=0)
    fewer = ScoredImages(b.known, b.correct, b.unknown[1:])
    with pytest.raises(ValueError, match="second: expected 60 known and 40 unknown"):
        paired_openset(a, fewer, KNOWN, UNKNOWN, seed=0)
    short = ScoredImages(b.known, b.correct[1:], b.unknown)
    with pytest.raises(ValueError, match=r"second.correct: expected shape \(60,\), got \(59,\)"):
        paired_openset(a, short, KNOWN, UNKNOWN, seed=0)
