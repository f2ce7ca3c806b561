from __future__ import annotations

import numpy as np
import pytest

from forensic.metrics.bootstrap import wilson
from forensic.metrics.measured import Side, measure_openset, measure_share, measure_share_by_photograph
from forensic.metrics.openset import auroc, fpr95, oscr


def side(scores, photographs=None) -> Side:
    scores = np.asarray(scores, dtype=float)
    return Side(scores, list(range(len(scores))) if photographs is None else photographs)


@pytest.fixture
def sides(seeded) -> tuple[Side, np.ndarray, Side]:
    draws = seeded(5)
    known = side(draws.normal(1, 1, 60), [f"p{n % 20}" for n in range(60)])
    unknown = side(draws.normal(0, 1, 40), [f"p{n % 20}" for n in range(40)])
    return known, draws.random(60) < 0.9, unknown


def test_values_are_those_of_the_measures(sides) -> None:
    known, correct, unknown = sides
    found = measure_openset(known, correct, unknown, seed=0, replicates=200)
    assert found.auroc.measure == auroc(known.scores, unknown.scores)
    assert found.oscr.measure == oscr(known.scores, correct, unknown.scores)
    assert found.fpr95.measure == fpr95(known.scores, unknown.scores)
    for measured in found.__dict__.values():
        assert measured.interval.low <= measured.measure.value <= measured.interval.high
        assert measured.to_dict().keys() == {"value", "low", "high"}


def test_interval_covers_as_often_as_it_says(seeded) -> None:
    # AUROC of N(1, 1) against N(0, 1) is Phi(1 / sqrt 2)
    truth, inside = 0.76025, 0
    for seed in range(60):
        draws = seeded(seed)
        known, unknown = side(draws.normal(1, 1, 50)), side(draws.normal(0, 1, 50), [f"u{n}" for n in range(50)])
        found = measure_openset(known, np.ones(50, bool), unknown, seed=seed, replicates=200).auroc.interval
        inside += found.low <= truth <= found.high
    # 95 % of 60 is 57; 50 or fewer has probability under 0.001
    assert inside > 50


def test_the_order_of_images_changes_nothing(sides) -> None:
    known, correct, unknown = sides
    turned = measure_openset(
        side(known.scores[::-1], known.photographs[::-1]),
        correct[::-1],
        side(unknown.scores[::-1], unknown.photographs[::-1]),
        seed=0,
        replicates=100,
    )
    assert turned == measure_openset(known, correct, unknown, seed=0, replicates=100)


def test_known_images_only() -> None:
    found = measure_openset(side([1.0, 2.0]), np.array([True, False]), side([]), seed=0)
    assert found.auroc.measure == (None, "no unknown images")
    assert found.fpr95.to_dict() == {"reason": "no unknown images"}


def test_shares() -> None:
    assert measure_share(np.array([True, True, False, True]), "none").measure.value == 0.75
    assert measure_share(np.array([], dtype=bool), "no known images").to_dict() == {"reason": "no known images"}


def test_a_share_of_images_of_their_own_has_wilson_s_interval() -> None:
    flags = np.array([True, True, False, True])
    found = measure_share_by_photograph(flags, ["a", "b", "c", "d"], "nothing", seed=0)
    assert found == measure_share(flags, "nothing")
    assert measure_share_by_photograph(flags[:0], [], "nothing", seed=0).measure == (None, "nothing")


def test_a_share_without_exception_speaks_for_its_photographs_only() -> None:
    flags, photographs = np.ones(600, dtype=bool), [str(n % 6) for n in range(600)]
    assert measure_share_by_photograph(flags, photographs, "", seed=0).interval == wilson(6, 6)
    assert measure_share_by_photograph(~flags, photographs, "", seed=0).interval == wilson(0, 6)


def test_images_of_one_photograph_stand_and_fall_together() -> None:
    flags = np.repeat([True, True, False, True], 50)
    found = measure_share_by_photograph(flags, np.repeat(["a", "b", "c", "d"], 50).tolist(), "", seed=0)
    assert found.measure.value == 0.75
    assert (found.interval.low, found.interval.high) == (0.25, 1.0)
    assert measure_share(flags, "").interval.low > 0.6
