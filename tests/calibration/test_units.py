from __future__ import annotations

import numpy as np
import pytest

from forensic.calibration.units import side


def test_each_unit_has_the_same_share_and_its_images_share_it() -> None:
    made = side([1.0, 2.0, 3.0], ["a", "a", "b"])
    assert made.weights.tolist() == [0.25, 0.25, 0.5]
    assert made.count == 2


def test_images_without_units_are_units_of_their_own() -> None:
    assert side([1.0, 2.0]).weights.tolist() == [0.5, 0.5]


def test_a_unit_can_be_left_out() -> None:
    made = side([1.0, 2.0, 3.0], ["a", "b", "a"]).without("a")
    assert (made.values.tolist(), made.units) == ([2.0], ("b",))


def test_lowest_number_of_each_unit_rising() -> None:
    assert side([5.0, 2.0, 3.0, 4.0], ["a", "b", "a", "b"]).lowest().tolist() == [2.0, 3.0]


@pytest.mark.parametrize(("values", "units"), [([1.0], ["a", "b"]), ([np.nan], ["a"])])
def test_what_is_no_side_is_refused(values, units) -> None:
    with pytest.raises(ValueError, match="values: expected"):
        side(values, units)
