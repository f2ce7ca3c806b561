from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from forensic.metrics.bootstrap import percentile_interval, photograph_weights, wilson
from forensic.metrics.measure import Interval


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (1, 1), (57, 60), (190, 210), (0, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_is_scipys(successes: int, n: int, level: float) -> None:
    expected = binomtest(successes, n).proportion_ci(level, method="wilson")
    found = wilson(successes, n, level)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found.low <= successes / n <= found.high <= 1


def test_wilson_of_nothing() -> None:
    assert wilson(0, 0) == Interval(None, None, "no images")
    with pytest.raises(ValueError, match="successes: expected 0 to 3, got 4"):
        wilson(4, 3)


def test_images_of_a_photograph_stand_and_fall_together() -> None:
    photographs = ["p2", "p1", "p2", "p3", "p1", "p2"]
    weights = photograph_weights(photographs, 50, seed=3)
    assert weights.shape == (50, 6)
    for photograph in set(photographs):
        columns = weights[:, [place for place, name in enumerate(photographs) if name == photograph]]
        assert (columns == columns[:, :1]).all()
    # as many photographs are drawn as there are
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert len({tuple(row) for row in weights}) > 5


def test_draws_depend_on_the_seed_and_not_on_the_order_of_images() -> None:
    photographs = [f"p{number % 7}" for number in range(30)]
    weights = photograph_weights(photographs, 20, seed=1)
    np.testing.assert_array_equal(photograph_weights(photographs[::-1], 20, seed=1), weights[:, ::-1])
    assert not np.array_equal(photograph_weights(photographs, 20, seed=2), weights)


def test_percentiles_leave_out_what_is_undefined() -> None:
    values = np.r_[np.arange(101.0), np.full(40, np.nan)]
    assert percentile_interval(values, 0.9)[:2] == pytest.approx((5.0, 95.0))
    assert percentile_interval(np.r_[1.0, np.full(5, np.nan)]).low is None
    assert percentile_interval(np.array([])).reason == "too few photographs to resample"
