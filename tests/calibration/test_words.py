from __future__ import annotations

import re

import pytest

from forensic.calibration.words import propositions, ratio_in_words, verdict_in_words

NEVER = re.compile(
    r"\b(fake|authentic|genuine|original|proves?|certain|match|identified|consistent|inconclusive|confidence|"
    r"probability that|\d+ %)\b"
)


def test_class_real_has_a_pair_of_propositions_of_its_own(make_calibration) -> None:
    made = make_calibration()
    first, second = propositions(made, "alpha")
    assert first == "alpha made the picture"
    assert second == (
        "a generator made it that is none of the known classes (4 of them stand in for it: g0, g1, g2, g3)"
    )
    assert propositions(made, "real")[0] == "a camera made the picture (class real)"
    assert "no pictures stand in" in propositions(make_calibration(known_alone=True), "real")[1]


@pytest.mark.parametrize("name", ["alpha", "real"])
@pytest.mark.parametrize(
    ("llr", "flags"),
    [
        (0.4, ()),
        (-0.4, ()),
        (0.0, ()),
        (0.6, ("llr-at-bound",)),
        (0.0, ("no-information",)),
        (None, ("llr-withheld=small",)),
    ],
)
def test_every_sentence_names_both_propositions_and_nothing_that_must_not_be_said(
    make_calibration, name, llr, flags
) -> None:
    made = make_calibration()
    said = ratio_in_words(made, name, llr, flags)
    for proposition in propositions(made, name):
        assert proposition in said
    assert not NEVER.search(said)


@pytest.mark.parametrize("known", [True, False])
def test_a_verdict_names_both_propositions(make_calibration, known) -> None:
    made = make_calibration()
    said = verdict_in_words(made, "alpha", known=known)
    for proposition in propositions(made, "alpha"):
        assert proposition in said
    assert not NEVER.search(said)
    assert said.startswith("Attributed to class alpha" if known else "Rejected by all known classes")


def test_number_and_phrase_stand_together_and_a_bound_has_no_phrase(make_calibration) -> None:
    made = make_calibration()
    assert "is 2.5 times more probable if alpha made" in ratio_in_words(made, "alpha", 0.4, ())
    assert ratio_in_words(made, "alpha", 0.4, ()).endswith(": weak support for the former.")
    turned = ratio_in_words(made, "alpha", -0.4, ())
    assert "is 2.5 times more probable if a generator made it that is none" in turned
    bounded = ratio_in_words(made, "alpha", 0.6, ("llr-at-bound",))
    assert "at least 4 times" in bounded
    assert "support" not in bounded


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("llr-withheld=outside",), "no error rate for this condition"),
        (("llr-withheld=small",), "shorter than 128 px"),
        (("llr-withheld=class-not-calibrated",), "no pictures of this class"),
        (("llr-withheld=no-ratio",), "2 unknown generators, at least 3 are needed"),
    ],
)
def test_a_ratio_that_is_not_given_has_its_reason(make_calibration, flags, reason) -> None:
    assert reason in ratio_in_words(make_calibration(generators=2), "alpha", None, flags)
