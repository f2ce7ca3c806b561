"""What a card says about strength, and what is said where it says nothing."""

from __future__ import annotations

from typing import Any

import pytest

from forensic.report.card import Rate, real_by_card, strength

CARD = {
    "metrics": {
        "val_png": {
            "closed_accuracy": {"value": 0.971, "low": 0.938, "high": 0.987},
            "some_other_rate": {"value": 0.5},
            "auroc": {"reason": "no unknown images"},
        },
        "whole_stored": {"known": 21, "named": 18, "unknown": 6, "rejected": 2},
        "overall": {"value": 1.0, "low": 0.9, "high": 1.0},
        "note": "not a measure",
    },
    "validated": {
        "formats": ["PNG", "JPEG"],
        "sides": [128, 640],
        "jpeg_quality": [60, 100],
        "images": 210,
        "unknown": 60,
    },
}


def test_rates_in_the_card_s_order() -> None:
    assert strength(CARD, [], 5).rates == (
        Rate("val png", "Known images whose nearest class is their own", "0.971", "0.938 to 0.987"),
        Rate("", "Some other rate", "0.500", ""),
        Rate("", "AUROC, known above unknown", "–", "no unknown images"),
        Rate("Whole images, as stored", "Known images accepted and rightly named", "18 of 21", ""),
        Rate("", "Unknown images attributed to no class", "2 of 6", ""),
        Rate("", "Overall", "1.000", "0.900 to 1.000"),
    )


def test_condition_of_the_rates_is_told() -> None:
    covered = strength(CARD, [], 5).covered
    assert (
        "210 known and 60 unknown validation images, PNG and JPEG, sides of 128 to 640 px, JPEG quality 60 to 100"
        in covered
    )
    assert "They also chose the threshold" in covered


def test_weights_that_were_not_validated() -> None:
    found = strength(
        {"metrics": {}, "validated": {"formats": [], "sides": [128, 128], "images": 0, "unknown": 0}}, [], 5
    )
    assert found.rates == ()
    assert "validated on no image" in found.covered
    assert "not-validated" in found.covered
    assert "They also chose the threshold" not in found.covered


def test_without_calibration_no_likelihood_ratio() -> None:
    found = strength(CARD, [], 5)
    assert found.head == "Not calibrated for this condition."
    assert "No likelihood ratio is given" in found.text


def test_with_calibration_its_range() -> None:
    found = strength(CARD, [1.5, -0.25], 7)
    assert found.head == "Likelihood ratios from 0.56 to 32, for 2 of 7 scored images."
    assert "below 1 it is the second" in found.text


def test_a_threshold_of_the_scan_s_own_takes_the_card_s_rates_away() -> None:
    found = strength(CARD, [], 5, own_threshold=True)
    assert found.own_threshold
    assert "does not hold for it, and no error rate is known" in found.text
    assert "was set for this scan" not in strength(CARD, [], 5).text


def test_class_real_by_a_card_that_states_its_share() -> None:
    rates = {"false_real": {"value": 0.077, "low": 0.01, "high": 0.2}, "unknown_rejected": {"value": 0.9}}
    card = {"metrics": {"stored": {"unknown": 60, **rates}, "jpeg": {"false_real": {"value": 0.17}}}}
    assert real_by_card(card, "real") == (
        "By the card of the weights images of unknown generators come out as class real: crops, as stored, "
        "7.7 % of 60 (95 % interval 1.0 % to 20.0 %); crops, re-encoded as JPEG, 17.0 %. Intervals are over those "
        "images, and say nothing of another generator."
    )


def test_class_real_by_a_card_that_states_rejections_alone() -> None:
    rejected = {"value": 0.9, "low": 0.8, "high": 0.95}
    said = real_by_card({"metrics": {"stored": {"unknown": 60, "unknown_rejected": rejected}}}, "r<b>")
    assert said == (
        "The card of the weights does not state how many images of unknown generators come out as class r<b>. It "
        "states how many were taken for any known class, this one among them: crops, as stored, 10.0 % of 60 (95 % "
        "interval 5.0 % to 20.0 %). Intervals are over those images, and say nothing of another generator."
    )


@pytest.mark.parametrize("card", [{}, {"metrics": {"stored": {"auroc": {"reason": "none"}}, "note": "x"}}])
def test_class_real_by_a_card_that_states_nothing(card: dict[str, Any]) -> None:
    said = "The card of the weights does not state how many images of unknown generators come out as class real."
    assert real_by_card(card, "real") == said


def test_empty_card() -> None:
    found = strength({}, [], 0)
    assert found.rates == ()
    assert "does not say" in found.covered


def test_enrolled_classes_are_told() -> None:
    entry = {"images": 20, "fitted_on": 10, "held_back": 10, "stored": {"held_back_named": 7}}
    covered = strength(CARD | {"enrolled": {"<new>": entry}}, [], 5).covered
    assert "was enrolled, not trained: it is the mean of 10 images; of 10 others 7 were accepted" in covered
    assert covered.startswith(strength(CARD, [], 5).covered)
