from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from forensic.calibration.taken import Taken
from forensic.calibration.words import (
    finding_in_words,
    in_words,
    kept_calibration,
    propositions,
    ratio_in_words,
    real_by_calibration,
    stand_ins,
    taken_in_words,
)
from forensic.errors import MissingError

NEVER = re.compile(
    r"\b(fake|authentic|genuine|original|proves?|certain|match|identified|consistent|inconclusive|confidence|"
    r"probability that|\d+ %)\b"
)


def test_class_real_has_a_pair_of_propositions_of_its_own(make_calibration) -> None:
    made = make_calibration()
    assert propositions(made, "alpha")[0] == "alpha made the image"
    assert propositions(made, "real")[0] == "a camera made the image (class real)"
    for name in ("alpha", "real"):
        assert propositions(made, name)[1] == "a generator made it that is none of the known classes"
    assert propositions(make_calibration(real=""), "real")[0] == "real made the image"


def test_what_stands_in_for_the_second_is_named(make_calibration) -> None:
    assert stand_ins(make_calibration()).endswith(
        "4 generators stand in for those that are none of the known classes: g0, g1, g2, g3."
    )
    assert stand_ins(make_calibration(generators=1)).startswith("1 generator stands in")
    assert stand_ins(make_calibration(known_alone=True)).startswith("No images stand in")


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


@pytest.mark.parametrize(("llr", "flags"), [(0.4, ()), (None, ("llr-withheld=no-ratio",))])
@pytest.mark.parametrize("known", [True, False])
def test_every_verdict_names_both_propositions(make_calibration, known, llr, flags) -> None:
    made = make_calibration()
    said = finding_in_words(made, "alpha", llr, flags, known=known)
    for proposition in propositions(made, "alpha"):
        assert proposition in said
    assert not NEVER.search(said)
    assert said.startswith("Attributed to class alpha" if known else "Attributed to no known class")


def test_what_a_case_keeps_is_json_and_has_both_propositions_of_each_class(make_calibration) -> None:
    made = make_calibration()
    kept = json.loads(json.dumps(in_words(made)))
    assert (kept["hash"], kept["outside"]) == (made.hash, "no error rate for this condition")
    for name, row in kept["classes"].items():
        assert (row["first"], row["second"]) == propositions(made, name)
        assert 10 ** row["upper"] < 5
    few = in_words(make_calibration(generators=2))["classes"]["real"]
    assert few["withheld"] == "2 unknown generators, at least 3 are needed"


def test_what_passes_is_told_with_its_range(make_calibration) -> None:
    made = replace(make_calibration(), taken={"g0": Taken(20, 0.5, 0.25), "g1": Taken(20, 0.1, 0.0)})
    known, real, unseen = taken_in_words(made)
    assert known.endswith("known class: 12 of 40 (30.0 %), from 10.0 % (g1) to 50.0 % (g0) over 2 generators.")
    assert real == real_by_calibration(made)
    assert real.endswith("come out as class real: 5 of 40 (12.5 %), from 0.0 % (g1) to 25.0 % (g0) over 2 generators.")
    assert unseen == (
        "A generator that was not seen may do anything in these ranges, or worse: were it drawn like these 2, it would "
        "lie above the largest share with a probability of at most 1/3, and nothing says that it is."
    )
    alike = replace(made, taken={"g0": Taken(20, 0.5, 0.0), "g1": Taken(40, 0.5, 0.0)})
    assert real_by_calibration(alike).endswith(
        "come out as class real: 0 of 60, 0.0 % for each of 2 generators, which says nothing of another one."
    )
    assert taken_in_words(alike)[0].endswith("known class: 30 of 60, 50.0 % for each of 2 generators.")
    alone = replace(made, taken={"g0": Taken(20, 0.5, 0.25)})
    assert taken_in_words(alone)[-1] == "A generator that was not seen may do anything."
    assert "5 of 20 (25.0 %), of one generator, which says nothing of another one" in real_by_calibration(alone)


def test_what_was_not_measured_is_said_not_to_be(make_calibration) -> None:
    made = make_calibration(known_alone=True)
    assert all(said.endswith("was not measured.") for said in taken_in_words(made))
    assert "as class real was not measured" in real_by_calibration(made)
    assert real_by_calibration(replace(made, real="")) == ""
    measured = make_calibration()
    assert "in this condition was not measured" in real_by_calibration(measured, ("small", "outside-calibration=size"))
    without = {name: one for name, one in measured.classes.items() if name != "real"}
    assert real_by_calibration(replace(measured, classes=without)).endswith("was not measured.")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", ["alpha", "real"])
def test_class_real_is_never_told_without_how_many_others_come_out_so(make_calibration, name, known) -> None:
    made = make_calibration()
    said = finding_in_words(made, name, 0.4, (), known=known)
    assert (real_by_calibration(made) in said) == (known and name == "real")


@pytest.mark.parametrize(("llr", "about"), [(0.0, ""), (0.012, "about "), (-0.012, "about ")])
def test_a_ratio_that_reads_as_one_supports_neither(make_calibration, llr, about) -> None:
    """`1 times more probable: weak support` says two things."""
    said = ratio_in_words(make_calibration(), "alpha", llr, ())
    assert said == (
        f"The score is {about}as probable if alpha made the image as if a generator made it that is none of the known "
        "classes: no support for either proposition."
    )
    assert "1.1 times more probable" in ratio_in_words(make_calibration(), "alpha", 0.03, ())


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
        (("llr-withheld=class-not-calibrated",), "no images of this class"),
        (("llr-withheld=no-ratio",), "2 unknown generators, at least 3 are needed"),
    ],
)
def test_a_ratio_that_is_not_given_has_its_reason(make_calibration, flags, reason) -> None:
    assert reason in ratio_in_words(make_calibration(generators=2), "alpha", None, flags)


def test_a_case_keeps_the_whole_calibration(make_calibration) -> None:
    made = make_calibration()
    assert kept_calibration({"calibration": in_words(made)}, made.hash) == made
    assert kept_calibration({}, None) is None
    broken = in_words(made)
    broken["toml"] = broken["toml"].replace("keep = 0.95", "keep = 0.5")
    with pytest.raises(MissingError, match="does not fit its hash"):
        kept_calibration({"calibration": broken}, made.hash)
    for other in (make_calibration(seed=1).hash, None):
        with pytest.raises(MissingError, match="is not the one that the case was begun with"):
            kept_calibration({"calibration": in_words(made)}, other)
