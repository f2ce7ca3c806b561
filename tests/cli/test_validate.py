from __future__ import annotations

import json
import shutil

import pytest


@pytest.fixture
def arguments(tiny_weights, osma_mini_small):
    return ["validate", "--weights", tiny_weights, "--data", osma_mini_small]


def test_a_page_and_numbers(forensic, arguments, tmp_path, osma_mini_small) -> None:
    said = forensic(*arguments, "--out", "statement.html")
    assert said.code == 0, said.err
    row = json.loads(said.out)
    assert row["calibration"] is None
    assert row["command"].startswith("forensic validate --data ")
    assert row["command"].endswith(" --seed 0")
    page = (tmp_path / "statement.html").read_text()
    assert row["weights"]["hash"] in page
    assert "written: statement.html" in said.err
    again = forensic(*arguments, "--out", "again.json", "--format", "table")
    assert json.loads((tmp_path / "again.json").read_text()) == row
    assert "no error rate for this condition" in again.out
    assert all(name.name in again.out for name in (osma_mini_small / "test").iterdir())


def test_with_a_calibration(forensic, arguments, tiny_weights, osma_mini_small) -> None:
    data = osma_mini_small
    made = forensic(
        "calibrate", "--weights", tiny_weights, "--known", data / "val", "--unknown", data / "val_unseen",
        "--out", "lab.calibration.toml",
    )  # fmt: skip
    said = forensic(*arguments, "--calibration", "lab.calibration.toml")
    assert said.code == 0, said.err
    assert json.loads(said.out)["calibration"]["hash"] == json.loads(made.out)["hash"]


def test_a_picture_without_a_score_is_told(forensic, tiny_weights, osma_mini_small, hostile, tmp_path) -> None:
    shutil.copytree(osma_mini_small / "test" / "real", tmp_path / "lab" / "real")
    shutil.copy(hostile / "jpeg-truncated-half.jpg", tmp_path / "lab" / "real")
    said = forensic("validate", "--weights", tiny_weights, "--data", tmp_path / "lab")
    assert said.code == 3
    assert "1 image got no score" in said.err


@pytest.mark.parametrize(
    ("more", "code", "reason"),
    [
        (["--out", "x.pdf"], 2, "is no format that can be written"),
        (["--out", "absent/x.html"], 2, "its folder is not there"),
        (["--calibration", "absent.calibration.toml"], 5, "no such file"),
        (["--weights", "absent"], 5, "weights absent"),
    ],
)
def test_wrong_use_is_told_before_the_work(forensic, arguments, more, code, reason) -> None:
    said = forensic(*arguments, *more)
    assert (said.code, said.out) == (code, "")
    assert reason in said.err


def test_nothing_is_written_beside_the_pictures(forensic, arguments, osma_mini_small) -> None:
    said = forensic(*arguments, "--out", osma_mini_small / "x.html")
    assert said.code == 2
    assert "evidence folder" in said.err
