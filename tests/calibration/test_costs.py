from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensic.calibration.costs import EMPTY, INFINITE, NO_OVERLAP, cllr, cllr_min, dev_pav, entropy, neutral_entropy
from forensic.calibration.units import side

ratios = st.lists(st.integers(-32, 32).map(lambda eighths: eighths / 8), min_size=1, max_size=12)


def logs(values):
    return side(np.log10(np.array(values, dtype=float)))


def test_cllr_of_a_case_by_hand() -> None:
    # the first side costs log2(4/3) and one bit, the second log2(4/3)
    expected = ((math.log2(4 / 3) + 1) / 2 + math.log2(4 / 3)) / 2
    assert cllr(logs([3, 1]), logs([1 / 3])).value == pytest.approx(expected, abs=1e-12)


def test_ratios_of_one_cost_one_bit_and_misleading_ones_more() -> None:
    assert cllr(logs([1, 1]), logs([1])).value == pytest.approx(1.0)
    assert cllr(logs([0.1]), logs([10])).value == pytest.approx(math.log2(11))


def test_units_weigh_the_same_however_many_images_they_have() -> None:
    many = side(np.log10([3.0, 3.0, 3.0, 1.0]), ["a", "a", "a", "b"])
    assert cllr(many, logs([1 / 3])).value == pytest.approx(cllr(logs([3, 1]), logs([1 / 3])).value)


@pytest.mark.parametrize("first", [[-np.inf, 1.0], [-np.inf]])
def test_a_ratio_of_zero_for_the_truth_has_a_reason_in_place_of_a_cost(first) -> None:
    assert cllr(side(first), side([0.0])) == (None, INFINITE)
    assert cllr(side([0.0]), side([np.inf])) == (None, INFINITE)


def test_infinite_ratios_on_the_right_side_cost_nothing() -> None:
    assert cllr(side([np.inf]), side([-np.inf])).value == 0.0


def test_no_images_no_cost() -> None:
    for measure in (cllr, cllr_min, dev_pav):
        assert measure(side([]), side([1.0])) == (None, EMPTY)


def test_least_cost_of_a_case_by_hand() -> None:
    # PAV: the value 1 is shared by one image of each side of two: ratio 1; the others are infinite and 0
    first, second = side([1.0, 2.0]), side([0.0, 1.0])
    assert cllr_min(first, second).value == pytest.approx((0.5 * 1 + 0.5 * 1) / 2)
    assert cllr_min(side([5.0, 6.0]), side([1.0])).value == 0.0


@given(ratios, ratios)
def test_no_cost_is_below_the_least_and_scale_does_not_matter_to_it(first, second) -> None:
    one, other = side(first), side(second)
    least = cllr_min(one, other).value
    assert least <= cllr(one, other).value + 1e-9
    assert 0 <= least <= 1 + 1e-9
    stretched = cllr_min(side([2 * value + 1 for value in first]), side([2 * value + 1 for value in second])).value
    assert stretched == pytest.approx(least, abs=1e-9)


def test_entropy_at_even_odds_is_the_cost_and_elsewhere_by_hand() -> None:
    first, second = logs([3]), logs([1 / 2])
    even, odds_of_nine = entropy(first, second, [0.0, math.log10(9)])
    assert even == pytest.approx(cllr(first, second).value)
    assert odds_of_nine == pytest.approx(0.9 * math.log2(1 + 1 / 27) + 0.1 * math.log2(1 + 4.5))


def test_without_evidence_entropy_is_that_of_the_prior() -> None:
    assert neutral_entropy([0.0, math.log10(3)]).tolist() == pytest.approx(
        [1.0, -0.75 * math.log2(0.75) - 0.25 * math.log2(0.25)]
    )
    assert entropy(logs([1]), logs([1]), [0.3]) == pytest.approx(neutral_entropy([0.3]))


def test_distance_from_pav_of_a_case_by_hand() -> None:
    # first -1, 0, 1, 2 and second -2, -1, 0, 1: at -1, 0 and 1 one image of each side, so PAV is 0 all the way; the
    # identity is away from it by 1, 0 and 1: two triangles of 1/2 over a range of 2
    first, second = side([-1.0, 0.0, 1.0, 2.0]), side([-2.0, -1.0, 0.0, 1.0])
    assert dev_pav(first, second).value == pytest.approx(0.5)


def test_distance_where_the_line_stays_on_one_side() -> None:
    # the same ratios, all ten times too large: away by 0, 1 and 2, a triangle of 2 over a range of 2
    first, second = side([0.0, 1.0, 2.0, 3.0]), side([-1.0, 0.0, 1.0, 2.0])
    assert dev_pav(first, second).value == pytest.approx(1.0)


def test_distance_where_a_line_crosses_the_identity_within_a_step() -> None:
    # PAV is 0 at -1 and at 2: two triangles of 1/2 and of 2 over a range of 3
    first, second = side([-1.0, 2.0, 5.0]), side([-5.0, -1.0, 2.0])
    assert dev_pav(first, second).value == pytest.approx((0.5 + 2) / 3)


def test_sides_that_do_not_overlap_have_no_distance() -> None:
    assert dev_pav(side([3.0, 4.0]), side([1.0, 2.0])) == (None, NO_OVERLAP)
