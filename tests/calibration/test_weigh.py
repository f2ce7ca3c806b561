from __future__ import annotations

from dataclasses import replace

import pytest

from forensic.calibration.pictures import Condition, Coverage
from forensic.calibration.weigh import weigh

PNG = Condition("PNG", 128, 128, 1)


def test_a_picture_gets_ratio_and_p_of_its_best_class(make_calibration) -> None:
    made = make_calibration()
    found = weigh(made, "alpha", 3.0, PNG)
    alpha = made.classes["alpha"]
    assert (found.threshold, found.llr, found.p) == (alpha.threshold, alpha.ratio.llr(3.0), alpha.p(3.0))
    assert found.llr > 0
    assert weigh(made, "alpha", -20.0, PNG).llr < 0


def test_a_picture_that_took_part_in_the_fit_gets_neither_ratio_nor_p(make_calibration) -> None:
    made = make_calibration()
    found = weigh(made, "alpha", 3.0, PNG, took_part=True)
    assert (found.threshold, found.llr, found.p) == (made.classes["alpha"].threshold, None, None)
    assert found.flags == ("llr-withheld=took-part", "p-withheld=took-part")
    assert made.took_part(made.files[0])
    assert made.took_part(made.files[-1])
    assert not any(made.took_part(other) for other in ("", "f" * 64, "~"))


def test_a_ratio_at_its_bound_says_so(make_calibration) -> None:
    made = make_calibration()
    bounds = made.classes["alpha"].ratio.bounds
    for score, bound in ((1e6, bounds.upper), (-1e6, bounds.lower)):
        found = weigh(made, "alpha", score, PNG)
        assert found.llr == bound
        assert "llr-at-bound" in found.flags
    assert 10**bounds.upper < 5


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        (Condition("WebP", 128, 128, 1), "format"),
        (Condition("PNG", 128, 129, 1), "size"),
        (Condition("PNG", 128, 128, 2), "tiles"),
        (Condition("JPEG", 128, 128, 1, 90), "format"),
    ],
)
def test_outside_of_what_was_covered_there_is_no_error_rate(make_calibration, condition, what) -> None:
    found = weigh(make_calibration(), "alpha", 3.0, condition)
    assert (found.threshold, found.llr, found.p) == (None, None, None)
    assert found.flags == (f"outside-calibration={what}", "llr-withheld=outside", "p-withheld=outside")


def test_a_jpeg_of_another_quality_is_outside(make_calibration) -> None:
    made = replace(make_calibration(), coverage=Coverage(("JPEG",), (128, 128), (1, 1), (70, 90)))
    assert weigh(made, "alpha", 3.0, Condition("JPEG", 128, 128, 1, 80)).llr is not None
    assert weigh(made, "alpha", 3.0, Condition("JPEG", 128, 128, 1, 60)).flags[0] == "outside-calibration=jpeg-quality"


def test_a_small_picture_gets_no_ratio(make_calibration) -> None:
    made = replace(make_calibration(), coverage=Coverage(("PNG",), (64, 256), (1, 1)))
    found = weigh(made, "alpha", 3.0, Condition("PNG", 127, 200, 1))
    assert (found.llr, found.flags) == (None, ("llr-withheld=small",))
    assert found.p is not None
    assert weigh(made, "alpha", 3.0, Condition("PNG", 128, 200, 1)).llr is not None


def test_a_class_that_was_not_calibrated_keeps_the_weights_threshold(make_calibration) -> None:
    found = weigh(make_calibration(), "gamma", 3.0, PNG)
    assert (found.threshold, found.llr, found.p) == (None, None, None)
    assert found.flags == ("llr-withheld=class-not-calibrated", "p-withheld=class-not-calibrated")


def test_without_generators_enough_there_is_p_and_no_ratio(make_calibration) -> None:
    found = weigh(make_calibration(generators=2), "alpha", 3.0, PNG)
    assert (found.llr, found.flags) == (None, ("llr-withheld=no-ratio",))
    assert found.p is not None


def test_scores_that_say_nothing_are_no_information(make_calibration) -> None:
    found = weigh(make_calibration(unknown_mean=9.0), "alpha", 3.0, PNG)
    assert (found.llr, found.flags) == (0.0, ("no-information",))


def test_where_p_and_threshold_disagree_the_threshold_decides_and_a_flag_says_so(make_calibration) -> None:
    made = make_calibration()
    alpha = made.classes["alpha"]
    # 22 photographs, one given up: between it and the threshold p is 2/23, above the 5 % that may be given up
    between = (alpha.lowest[0] + alpha.threshold) / 2
    found = weigh(made, "alpha", between, PNG)
    assert found.p == 2 / 23
    assert between < found.threshold
    assert "p-disagrees" in found.flags
    for score in (alpha.lowest[0] - 1, alpha.threshold, 9.0):
        assert "p-disagrees" not in weigh(made, "alpha", score, PNG).flags


def test_with_few_photographs_p_can_not_disagree(make_calibration) -> None:
    made = make_calibration(photographs=10)  # the least p is 1/11, above 5 %
    for score in (-50.0, 0.0, 3.0):
        assert "p-disagrees" not in weigh(made, "alpha", score, PNG).flags
