from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from forensic.calibration.bounds import Bounds
from forensic.calibration.logistic import Logistic
from forensic.calibration.pictures import Coverage
from forensic.calibration.ratio import Ratio
from forensic.calibration.record import Calibration, ClassCalibration
from forensic.calibration.scale import Scale
from forensic.calibration.weigh import Weighed
from forensic.calibration.words import finding_in_words
from forensic.case.rows import finding_from_json, finding_to_json
from forensic.codes.table import find
from forensic.errors import Skipped, Unreadable
from forensic.metrics.measure import Measure
from forensic.models.card import Card, Threshold, Training, Validated
from forensic.models.scorer import Scored
from forensic.scan.attribute import attribute, finding_of, salvaged_of, stability_of, weighed
from forensic.scan.frames import Read, Rows


def card(threshold: Threshold | None = None) -> Card:
    return Card(
        preprocessing="tiles-128-v1",
        classes=("real", "alpha"),
        real="real",
        threshold=threshold or Threshold(0.5, "by hand", ((1, 0.5), (4, 0.25))),
        training=Training("made", {"real": 1, "alpha": 1}, "0" * 64),
        validated=Validated(("PNG",), (128, 640), images=4),
        architecture={},
        recipe={},
        metrics={},
        tool="",
        licence="",
        limits="",
        score="",
        hash="0123456789abcdef",
    )


def scored(score: float, label: int = 1) -> Scored:
    return Scored(label, score, np.array([score - 1, score]))


@pytest.mark.parametrize(
    ("score", "tiles", "threshold", "verdict", "used"),
    [
        (0.5, 1, None, "known", 0.5),
        (np.nextafter(0.5, 0), 1, None, "unknown", 0.5),
        (0.3, 4, None, "known", 0.25),
        (0.3, 3, None, "unknown", 0.5),
        (0.3, 25, 0.31, "unknown", 0.31),
        (-7.0, 1, -7.0, "known", -7.0),
    ],
)
def test_known_if_and_only_if_the_score_reaches_the_threshold(score, tiles, threshold, verdict, used) -> None:
    said = attribute(scored(score), tiles, card(), threshold=threshold)
    assert (said.verdict, said.threshold, said.nearest) == (verdict, used, "alpha")
    assert said.label == ("alpha" if verdict == "known" else None)
    assert said.scores is None


def test_the_nearest_class_alone_decides_and_no_other_is_said_to_have_been_asked(calibration) -> None:
    """With a threshold for each class another one may reach its own: `rejected by all` would be false."""
    own = Scored(1, 0.4, np.array([0.3, 0.4]))
    calibrated = Weighed(threshold=0.5, llr=None, p=None, flags=())  # of alpha; that of real may lie at 0.2
    said = attribute(own, 1, card(), calibrated=calibrated)
    assert (said.verdict, said.label, said.nearest, said.threshold) == ("unknown", None, "alpha", 0.5)
    code = find("unknown")
    assert code is not None
    for told in (finding_in_words(calibration, "alpha", None, (), known=False), code.means):
        assert not re.search(r"\ball\b|reject", told)
        assert "nearest class" in told


def test_scores_of_all_classes_in_label_order() -> None:
    said = attribute(scored(2.0), 1, card(), with_scores=True)
    assert list(said.scores.items()) == [("real", 1.0), ("alpha", 2.0)]


@pytest.mark.parametrize(
    ("form", "size", "outside"),
    [("PNG", (128, 640), False), ("PNG", (127, 200), True), ("PNG", (200, 641), True), ("JPEG", (200, 200), True)],
)
def test_what_validation_did_not_cover_is_flagged(form, size, outside) -> None:
    read = Read(0, "ab", 5, form, *size, ("grey",), "opencv")
    finding = finding_of(b"x", read, card(), said=attribute(scored(1.0), 1, card()), duplicate_of=None)
    assert finding.flags == (("grey", "outside-validation") if outside else ("grey",))


@pytest.mark.parametrize(("quality", "outside"), [(59, True), (60, False), (95, False), (96, True), (None, True)])
def test_a_jpeg_is_outside_by_its_quality_too_and_so_are_its_salvaged_rows(quality, outside) -> None:
    validated = Validated(("PNG", "JPEG"), (128, 640), (60, 95), images=4)
    weights = replace(card(), validated=validated)
    read = Read(0, "ab", 5, "JPEG", 200, 200, jpeg_quality=quality, salvage=Rows(150, 200, 200, 150))
    said = attribute(scored(1.0), 1, weights)
    flags = ("outside-validation",) if outside else ()
    assert finding_of(b"x", read, weights, said=said, duplicate_of=None).flags == flags
    part = salvaged_of(read, weights, said)
    assert part is not None
    assert part.flags == flags


def test_weights_that_were_validated_on_no_image_are_told_so_on_each_finding() -> None:
    bare = replace(card(), validated=Validated((), (128, 128)))
    read = Read(0, "ab", 5, "PNG", 128, 128, ("grey",), "opencv")
    finding = finding_of(b"x", read, bare, said=attribute(scored(1.0), 1, bare), duplicate_of=None)
    assert finding.flags == ("grey", "not-validated")


@pytest.mark.parametrize(
    ("outcome", "status"), [(Unreadable("truncated"), "unreadable"), (Skipped("too small"), "skipped")]
)
def test_what_has_no_score_has_no_verdict(outcome, status) -> None:
    finding = finding_of(b"a\xff", Read(0, "ab", 5, "PNG", outcome=outcome), card(), said=None, duplicate_of="b")
    assert (finding.status, finding.reason) == (status, outcome.reason)
    assert (finding.verdict, finding.label, finding.nearest, finding.score, finding.threshold) == (None,) * 5
    assert finding.flags == ("duplicate-of=b",)
    assert (finding.path, finding.path_b64) == ("a\\xff", "Yf8=")
    assert finding.weights == "0123456789ab"


def test_changed_forms_are_told_beside_the_verdict() -> None:
    said = attribute(scored(0.9), 1, card())
    assert stability_of(said, {}) == ()
    same, unknown = attribute(scored(0.6), 1, card()), attribute(scored(0.1), 1, card())
    other = attribute(scored(0.9, label=0), 1, card())
    assert stability_of(said, {"jpeg-95": same}) == ("stability=1/1",)
    forms = {"jpeg-95": same, "jpeg-90": unknown, "crop-8": other}
    assert stability_of(said, forms) == ("stability=1/3", "changed-by=jpeg-90+crop-8")
    # two unknown ones agree whatever their nearest class
    assert stability_of(unknown, {"jpeg-95": attribute(scored(0.1, label=0), 1, card())}) == ("stability=1/1",)
    read = Read(0, format="PNG", width=200, height=200)
    found = finding_of(b"a.png", read, card(), said=said, duplicate_of="b.png", stability=("stability=1/1",))
    assert found.flags == ("duplicate-of=b.png", "stability=1/1")


@pytest.fixture
def calibration() -> Calibration:
    """Of the card above: alpha is calibrated, real is not; the bounds of the ratio are 1/10 and 3."""
    ratio = Ratio(Logistic(0.5, 0.0), Bounds(-1.0, 0.5), (), Measure(0.5), Measure(0.4), Measure(None, "x"))
    alpha = ClassCalibration(2.0, 1.0, 3, (1.9, 2.5, 3.0), ratio)
    return Calibration(
        weights="0123456789abcdef",
        weights_name="made",
        preprocessing="tiles-128-v1",
        real="real",
        classes={"alpha": alpha},
        coverage=Coverage(("JPEG", "PNG"), (128, 640), (1, 1), (70, 90)),
        keep=0.95,
        least_generators=3,
        generators={"g": 1},
        photographs="",
        scale=Scale("", ((1.0, "weak"),)),
        files=(),
        units=(),
    )


def read(form: str = "PNG", quality: int | None = None, tiles: int = 1) -> Read:
    pixels = np.zeros((tiles, 3, 128, 128), np.uint8)
    return Read(0, "ab", 5, form, 200, 200, (), "opencv", pixels, jpeg_quality=quality)


def test_without_a_calibration_there_is_nothing_of_it() -> None:
    assert weighed(None, scored(1.0), read(), card()) is None
    said = attribute(scored(1.0), 1, card())
    assert (said.llr, said.p, said.flags) == (None, None, ())


@pytest.mark.parametrize(("score", "verdict"), [(2.0, "known"), (1.99, "unknown"), (0.6, "unknown")])
def test_the_calibration_s_threshold_comes_before_the_card_s(calibration, score, verdict) -> None:
    said = attribute(scored(score), 1, card(), calibrated=weighed(calibration, scored(score), read(), card()))
    assert (said.verdict, said.threshold) == (verdict, 2.0)
    finding = finding_of(b"x", read(), card(), said=said, duplicate_of=None)
    assert (finding.llr, finding.p) == (said.llr, said.p)
    assert finding.llr == min(0.5 * score, 0.5)
    row = json.loads(finding_to_json(finding))
    assert (row["llr"], row["p"]) == (finding.llr, finding.p)


@pytest.mark.parametrize(("sha256", "part"), [("fa", True), ("fb", True), ("ab", False)])
def test_a_picture_that_fitted_the_calibration_or_enrolled_a_class_is_not_weighed(calibration, sha256, part) -> None:
    weights = replace(card(), enrolled={"alpha": {"files": ["fb"]}})
    fitted = replace(calibration, files=("fa",))
    said = weighed(fitted, scored(1.0), replace(read(), sha256=sha256), weights)
    assert ("llr-withheld=took-part" in said.flags) == part
    assert (said.llr is None) == (said.p is None) == part
    assert said.threshold == 2.0


@pytest.mark.parametrize(
    ("found", "label", "flag"),
    [
        (read("WebP"), 1, "outside-calibration=format"),
        (read("JPEG", 95), 1, "outside-calibration=jpeg-quality"),
        (read(tiles=4), 1, "outside-calibration=tiles"),
        (read(), 0, "llr-withheld=class-not-calibrated"),
    ],
)
def test_where_it_says_nothing_the_card_s_threshold_holds_and_the_keys_are_null(
    calibration, found, label, flag
) -> None:
    said = attribute(
        scored(1.0, label), len(found.tiles), card(), calibrated=weighed(calibration, scored(1.0, label), found, card())
    )
    assert said.threshold == card().threshold.at(len(found.tiles))
    finding = finding_of(b"x", found, card(), said=said, duplicate_of=None)
    assert flag in finding.flags
    row = json.loads(finding_to_json(finding))
    assert (row["llr"], row["p"]) == (None, None)
    assert finding_from_json(json.dumps(row)) == finding
