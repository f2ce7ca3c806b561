"""Class real is never told without how many images of unknown generators come out so, or that nobody measured it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from forensic.report.calibrated import Calibrated
from forensic.report.propositions import beside_real, propositions
from forensic.report.view import Survey

SAID = Calibrated((), (), "Of real: 1 of 60.")


def test_the_same_two_with_a_calibration_and_without(make_case: Any) -> None:
    first, second = propositions(make_case.header())
    assert first == "The class that the finding names made the image; of class real: that a camera made it."
    assert second == "A generator made the image that is none of the known classes."
    assert "camera" not in propositions(make_case.header(card={"real": ""}))[0]


def test_images_that_the_calibration_does_not_cover_are_counted_apart(make_case: Any) -> None:
    found = Survey()
    found.classes["real"], found.outside["alpha"] = 27, 3
    assert beside_real(make_case.header(), found, SAID) == SAID.real
    found.outside["real"] = 15
    said = beside_real(make_case.header(), found, SAID)
    assert said.startswith(SAID.real)
    assert "Of the 27 images attributed to it here, 15 are not in the condition of the calibration" in said
    assert beside_real(make_case.header(card={}), found, replace(SAID, real="")) == ""


def test_without_a_calibration_the_card_is_asked(make_case: Any) -> None:
    assert "0.058" not in beside_real(make_case.header(), Survey(), None)
    assert "val, 11.7 % (95 % interval 5.8 % to 22.2 %)" in beside_real(make_case.header(), Survey(), None)


def test_a_threshold_of_the_scan_s_own_has_no_error_rate(make_case: Any) -> None:
    header = make_case.header(configuration={"threshold": 0.0})
    assert header.own_threshold
    said = (
        "How many images of unknown generators come out as class real was not measured at the threshold of this scan."
    )
    assert beside_real(header, Survey(), None) == said
    assert not make_case.header(configuration={"threshold": None}).own_threshold
