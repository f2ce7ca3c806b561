from __future__ import annotations

import pytest

from forensic.errors import MissingError


def test_it_fits_the_weights_it_was_made_with(make_calibration) -> None:
    made = make_calibration()
    made.check_fits("x", made.weights, made.preprocessing)
    assert made.short_hash == made.hash[:12]


@pytest.mark.parametrize(
    ("weights", "preprocessing", "reason"),
    [
        ("cd" * 32, "tiles-128-v2", "was fitted with weights abababababab, and these are cdcdcdcdcdcd"),
        ("ab" * 32, "tiles-128-v1", "was fitted with preprocessing tiles-128-v2, and here it is tiles-128-v1"),
    ],
)
def test_others_are_an_error_of_data_that_do_not_fit(make_calibration, weights, preprocessing, reason) -> None:
    with pytest.raises(MissingError, match=reason) as raised:
        make_calibration().check_fits("x", weights, preprocessing)
    assert raised.value.exit_code == 5


def test_a_hash_that_begins_alike_is_another(make_calibration) -> None:
    with pytest.raises(MissingError, match="was fitted with weights"):
        make_calibration().check_fits("x", "ab" * 31 + "cd", "tiles-128-v2")
