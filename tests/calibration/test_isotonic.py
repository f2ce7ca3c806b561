from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from forensic.calibration.isotonic import isotonic, pav
from forensic.calibration.units import side

numbers = st.integers(-3, 5).map(float)


def test_violators_are_pooled_by_weight() -> None:
    # 3 and 1 violate the order: (3 * 1 + 1 * 3) / 4 = 1.5, which then lies below nothing
    assert isotonic([0.0, 3.0, 1.0, 2.0], [1.0, 1.0, 3.0, 1.0]).tolist() == [0.0, 1.5, 1.5, 2.0]


@given(st.lists(st.tuples(numbers, st.sampled_from([0.5, 1.0, 3.0])), min_size=1, max_size=20))
def test_it_is_scikit_learns(rows) -> None:
    targets, weights = np.array(rows).T
    expected = IsotonicRegression().fit_transform(np.arange(len(targets)), targets, sample_weight=weights)
    assert isotonic(targets, weights) == pytest.approx(expected, abs=1e-6)  # scikit-learn works in float32 inside


def test_ratios_of_a_case_by_hand() -> None:
    # order 0: second; 1: second, first; 2: first. Shares 0, then 1/2 : 1/2, then all
    steps = pav(side([1.0, 2.0]), side([0.0, 1.0]))
    assert steps.values.tolist() == [0.0, 1.0, 2.0]
    assert steps.ratios.tolist() == [-np.inf, 0.0, np.inf]


def test_more_images_on_one_side_are_no_prior() -> None:
    once = pav(side([1.0, 2.0]), side([0.0, 1.0]))
    often = pav(side([1.0, 2.0] * 5), side([0.0, 1.0]))
    assert often.ratios == pytest.approx(once.ratios)


def test_units_count_once() -> None:
    # unit a has three images at 1, unit b one at 2: each is half of the side
    steps = pav(side([1.0, 1.0, 1.0, 2.0], ["a", "a", "a", "b"]), side([0.0, 1.0]))
    assert steps.ratios == pytest.approx([-np.inf, 0.0, np.inf])


def test_a_side_that_is_empty_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        pav(side([]), side([1.0]))
