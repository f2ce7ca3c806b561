"""A scan with a calibration: from the files to what is told and kept."""

from __future__ import annotations

import html
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from forensic.calibration.file import calibration_to_toml, read_calibration
from forensic.calibration.words import stand_ins, taken_in_words


@pytest.fixture(scope="module")
def calibration(tmp_path_factory, tiny_weights, osma_mini_small) -> Path:
    """Of the tiny weights, three unknown generators, eight photographs a class."""
    from forensic.calibration.scale import read_scale
    from forensic.models.weights import load_weights
    from forensic.validation.calibrate import CalibrationPlan, calibrate

    folder, data = tmp_path_factory.mktemp("calibration"), osma_mini_small
    for name in ("val", "test"):
        shutil.copytree(data / name, folder / "known", dirs_exist_ok=True)
    for name in ("val_unseen", "test_unseen/seed"):
        shutil.copytree(data / name, folder / "unknown", dirs_exist_ok=True)
    made = calibrate(CalibrationPlan(load_weights(tiny_weights), folder / "known", folder / "unknown", read_scale()))
    out = folder / "lab.calibration.toml"
    out.write_text(calibration_to_toml(made.calibration))
    return out


@pytest.fixture
def folder(tmp_path: Path, samples: Path, hostile: Path) -> Path:
    inside = tmp_path / "seized"
    inside.mkdir()
    shutil.copy(samples / "real-00006.png", inside / "a.png")
    shutil.copy(samples / "full" / "real-2.png", inside / "b-whole.png")
    shutil.copy(hostile / "jpeg-truncated-half.jpg", inside / "c.jpg")
    return inside


def test_findings_carry_ratio_and_p_and_nothing_where_there_is_no_error_rate(
    forensic, tiny_weights, calibration, folder
) -> None:
    said = forensic("scan", folder, "--weights", tiny_weights, "--calibration", calibration)
    assert said.code == 3, said.err
    rows = {Path(row["path"]).name: row for row in map(json.loads, said.out.splitlines())}
    made = read_calibration(calibration)
    crop, whole, broken = rows["a.png"], rows["b-whole.png"], rows["c.jpg"]
    own = made.classes[crop["nearest"]]
    assert (crop["threshold"], crop["p"]) == (own.threshold, own.p(crop["score"]))
    assert crop["llr"] == (own.ratio.llr(crop["score"]) if own.ratio else None)
    assert whole["flags"][-3:] == ["outside-calibration=size", "llr-withheld=outside", "p-withheld=outside"]
    assert (whole["llr"], whole["p"]) == (None, None)
    assert whole["threshold"] != made.classes[whole["nearest"]].threshold
    assert not {"llr", "p"} & broken.keys()


def test_without_a_calibration_no_line_has_the_keys(forensic, tiny_weights, folder) -> None:
    said = forensic("scan", folder, "--weights", tiny_weights)
    assert said.code == 3
    assert not any({"llr", "p"} & json.loads(line).keys() for line in said.out.splitlines())


def test_a_table_tells_each_finding_with_both_propositions(forensic, tiny_weights, calibration, folder) -> None:
    said = forensic(
        "scan", folder, "--weights", tiny_weights, "--calibration", calibration, "--format", "table", "--quiet"
    )
    told = [" ".join(line.split()) for line in said.out.splitlines()]
    assert {"ratio", "p"} <= set(told[0].split())
    sentences = [line for line in told if line.startswith(str(folder)) and "made the image" in line]
    assert len(sentences) == 2
    assert all("a generator made it that is none of the known classes" in line for line in sentences)
    assert any("no error rate for this condition" in line for line in sentences)
    made = read_calibration(calibration)
    ending = (stand_ins(made), *taken_in_words(made))
    assert tuple(told[-len(ending) :]) == ending
    assert ending[0].startswith("3 generators stand in for those that are none of the known classes")
    assert any("come out as class real: " in line for line in ending)


def test_the_report_says_what_the_table_says(forensic, tiny_weights, calibration, folder, tmp_path) -> None:
    arguments = ["scan", folder, "--weights", tiny_weights, "--calibration", calibration, "--report", "x.html"]
    said = forensic(*arguments, "--format", "table", "--quiet")
    assert said.code == 3, said.err
    page = " ".join(html.unescape((tmp_path / "x.html").read_text()).split())
    sentences = [line.partition(": ")[2] for line in said.out.splitlines() if line.startswith(f"{folder}/")][3:]
    assert len(sentences) == 2
    for sentence in sentences:  # the verdict has words of its own in the report
        assert " ".join(sentence.partition(". ")[2].split()) in page
    made = read_calibration(calibration)
    for line in (stand_ins(made), *taken_in_words(made)):
        assert line in page


def test_a_case_keeps_hash_and_words_and_goes_on_with_the_same_calibration_only(
    forensic, tiny_weights, calibration, folder, tmp_path
) -> None:
    from forensic.case.ledger import open_case

    arguments = ["scan", folder, "--weights", tiny_weights, "--case", tmp_path / "x.case"]
    assert forensic(*arguments, "--calibration", calibration).code == 3
    made = read_calibration(calibration)
    with open_case(tmp_path / "x.case") as case:
        assert case.header.configuration["calibration"] == made.hash
        kept = case.header.card["calibration"]
        digest = case.closing_digest
    assert kept["classes"]["real"]["first"] == "a camera made the image (class real)"
    verified = forensic("case", "verify", tmp_path / "x.case", "--level", "3", "--weights", tiny_weights)
    assert (verified.code, "none differs" in verified.out) == (0, True), verified.out
    again = forensic(*arguments, "--calibration", calibration)
    assert digest in again.err
    other = forensic(*arguments)
    assert other.code == 2
    assert "calibration was" in other.err
    report = tmp_path / "x.csv"
    assert forensic("report", tmp_path / "x.case", "--out", report).code == 0
    assert "llr,p" in report.read_text()
    for statement, told in (
        (
            "UPDATE header SET value = replace(value, 'keep = 0.95', 'keep = 0.5') WHERE name = 'card'",
            "the calibration that it keeps: does not fit its hash",
        ),
        (
            "UPDATE header SET value = json_set(value, '$.calibration.toml', 5) WHERE name = 'card'",
            "the calibration that it keeps",
        ),
        (
            "UPDATE header SET value = json_remove(value, '$.calibration') WHERE name = 'card'",
            "the calibration that is kept is not the one of the configuration",
        ),
    ):
        forged = tmp_path / "forged.case"
        shutil.copyfile(tmp_path / "x.case", forged)
        with closing(sqlite3.connect(forged, isolation_level=None)) as connection:
            connection.execute(statement)
        found = forensic("case", "verify", forged, "--level", "0")
        assert (found.code, told in found.err) == (4, True), found.err


def test_a_calibration_of_other_weights_is_an_error_of_data_that_do_not_fit(
    forensic, comparing_weights, calibration, folder
) -> None:
    said = forensic("scan", folder, "--weights", comparing_weights, "--calibration", calibration)
    assert (said.code, said.out) == (5, "")
    assert "was fitted with weights" in said.err


def test_a_calibration_that_was_changed_is_refused(forensic, tiny_weights, calibration, folder, tmp_path) -> None:
    changed = tmp_path / "changed.calibration.toml"
    changed.write_text(calibration.read_text().replace("keep = 0.95", "keep = 0.5"))
    said = forensic("scan", folder, "--weights", tiny_weights, "--calibration", changed)
    assert said.code == 5
    assert "does not fit its hash" in said.err


@pytest.mark.parametrize("more", [["--threshold", "1"], ["--engine", "auto"]])
def test_what_does_not_go_with_a_calibration(forensic, tiny_weights, calibration, folder, more) -> None:
    said = forensic("scan", folder, "--weights", tiny_weights, "--calibration", calibration, *more)
    assert said.code == 2
    assert "does not go with --calibration" in said.err


def test_changed_forms_are_held_against_the_calibration_s_thresholds(
    forensic, tiny_weights, calibration, folder
) -> None:
    said = forensic(
        "scan", folder / "a.png", "--weights", tiny_weights, "--calibration", calibration, "--stability", "1"
    )
    row = json.loads(said.out)
    flags = [flag.partition("=")[0] for flag in row["flags"]]
    assert "stability" in flags
    assert row["threshold"] == read_calibration(calibration).classes[row["nearest"]].threshold


def test_every_flag_is_explained(forensic, tiny_weights, calibration, folder) -> None:
    said = forensic("scan", folder, "--weights", tiny_weights, "--calibration", calibration)
    flags = {flag for line in said.out.splitlines() for flag in json.loads(line)["flags"]}
    assert flags
    for flag in flags:
        assert forensic("explain", flag).code == 0, flag
