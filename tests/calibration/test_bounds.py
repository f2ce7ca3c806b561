from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensic.calibration.bounds import NO_INFORMATION, elub
from forensic.calibration.units import side

ratios = st.lists(st.one_of(st.floats(-4, 4), st.sampled_from([-np.inf, np.inf, 0.0])), min_size=0, max_size=15)
eighths = st.lists(st.integers(-24, 24).map(lambda number: number / 8), min_size=1, max_size=10)


def logs(values, units=None):
    return side(np.log10(np.array(values, dtype=float)), units)


def test_bounds_of_a_case_by_hand() -> None:
    # 1..2: 4/5 of the first, (1 + 1)/5 of the second above: carries 2; 2..4: 3/5 and 1/5: carries 3, and no more.
    # turned over, the second are 2, 2, 4, 1/2: 1..2: 3/5 and 1/5, carries 3; 2..4: 1/5 and 1/5, which carries 1 only
    bounds = elub(logs([2, 4, 8, 8]), logs([0.5, 0.5, 0.25, 2]))
    assert [10**value for value in bounds] == pytest.approx([0.5, 3.0])
    assert bounds.sentence == "ratios from 0.5 to 3 are carried by the data"


def test_generators_count_and_not_their_images() -> None:
    # of two generators one has its single image above 1, of 101 images: S2 = (1 + 1)/3 below 2, as for one of two
    few = elub(logs([4.0] * 50), logs([2, 0.1], ["a", "b"]))
    many = elub(logs([4.0] * 50), logs([2] + [0.1] * 100, ["a"] + ["b"] * 100))
    assert many == pytest.approx(few)


@pytest.mark.parametrize("generators", [1, 2, 3, 10])
def test_m_generators_never_carry_a_ratio_of_m_plus_one(generators) -> None:
    units = [str(place % generators) for place in range(2000)]
    bounds = elub(side([9.0] * 5000), side([-9.0] * 2000, units))
    assert 10**bounds.upper < generators + 1
    assert 10**bounds.upper == pytest.approx((generators + 1) * 5000 / 5001)


def test_photographs_bound_the_other_end() -> None:
    units = [str(place % 22) for place in range(3000)]
    bounds = elub(side([9.0] * 3000, units), side([-9.0] * 100))
    assert 10**bounds.lower == pytest.approx(101 / 100 / 23)


def test_ratios_that_are_the_same_on_both_sides_carry_no_information() -> None:
    bounds = elub(logs([10] * 20), logs([10] * 20))
    assert bounds == (0, 0)
    assert bounds.sentence.startswith(NO_INFORMATION)


@pytest.mark.parametrize("end", [np.inf, -np.inf])
def test_a_ratio_of_zero_and_one_of_infinity_more_raise_nothing(end) -> None:
    bounds = elub(side([1.0] * 20 + [end]), side([1.0] * 20 + [-end]))
    assert bounds == (0, 0)
    assert NO_INFORMATION in bounds.sentence


def test_ratios_that_mislead_carry_no_information() -> None:
    assert elub(logs([0.1] * 9), logs([10] * 9)) == (0, 0)


@given(ratios, ratios)
def test_bounds_hold_one_between_them_and_turn_over_with_the_propositions(first, second) -> None:
    bounds = elub(side(first), side(second))
    assert bounds.lower <= 0 <= bounds.upper
    assert np.isfinite(bounds).all()
    turned = elub(side([-value for value in second]), side([-value for value in first]))
    assert turned == pytest.approx((-bounds.upper, -bounds.lower))


@given(eighths, eighths)
def test_within_the_bounds_a_decision_is_of_use_and_just_beyond_it_is_not(first, second) -> None:
    one, other = np.array(first), np.array(second)
    upper = elub(side(one), side(other)).upper

    def carried(at: float) -> float:
        ours, others = (one >= at).sum() / (len(one) + 1), ((other >= at).sum() + 1) / (len(other) + 1)
        return -np.inf if ours == 0 else float(np.log10(ours / others))

    for at in np.linspace(0, upper, 7)[1:] if upper > 1e-9 else []:
        assert at <= carried(at) + 1e-9
    beyond = upper + 1e-7
    assert beyond > carried(beyond)
