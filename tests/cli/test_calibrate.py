from __future__ import annotations

import json

import pytest

from forensic.calibration.file import read_calibration
from forensic.calibration.words import taken_in_words


@pytest.fixture
def arguments(tiny_weights, osma_mini_small):
    data = osma_mini_small
    return ["calibrate", "--weights", tiny_weights, "--known", data / "val", "--unknown", data / "val_unseen"]


def test_it_writes_the_file_and_tells_what_it_holds_for(forensic, arguments, tmp_path) -> None:
    said = forensic(*arguments, "--out", "lab.calibration.toml", "--keep", "0.9")
    assert said.code == 0, said.err
    made = read_calibration(tmp_path / "lab.calibration.toml")
    told = json.loads(said.out)
    assert (told["hash"], told["keep"]) == (made.hash, 0.9)
    assert told["classes"]["real"]["propositions"][0] == "a camera made the image (class real)"
    assert told["classes"]["real"]["withheld"] == "2 unknown generators, at least 3 are needed"
    assert "each file counts as a photograph of its own" in said.err
    assert "unknown generators: ae_psin_d1_s1, esrgan_medium_x2" in said.err
    assert {name: one["images"] for name, one in told["taken"].items()} == made.generators
    assert all(line in said.err for line in taken_in_words(made))
    assert made.command.startswith("forensic calibrate --weights ")
    assert made.command.endswith(" --keep 0.9 --least-generators 3")


def test_the_users_own_pictures_fit_class_real_and_name_what_is_missing(
    forensic, tiny_weights, samples, tmp_path
) -> None:
    out = tmp_path / "camera.calibration.toml"
    said = forensic(
        "calibrate", "--weights", tiny_weights, "--known", samples / "full", "--out", out, "--format", "table"
    )
    assert said.code == 0, said.err
    assert list(read_calibration(out).classes) == ["real"]
    assert "not given by these images: likelihood ratios and their costs, of every class" in said.err
    assert "share of unknown images rejected" in said.err
    assert "threshold and p of ae_ct4_d1_s0" in said.err
    assert "no images of unknown generators" in said.out


def test_a_picture_without_a_score_is_told_and_the_rest_is_fitted(forensic, tiny_weights, hostile, tmp_path) -> None:
    known = tmp_path / "known"
    known.mkdir()
    for name in ("jpeg-ok-control.jpg", "jpeg-truncated-half.jpg"):
        (known / name).write_bytes((hostile / name).read_bytes())
    said = forensic("calibrate", "--weights", tiny_weights, "--known", known, "--out", "x.calibration.toml")
    assert said.code == 3
    assert "jpeg-truncated-half.jpg" in said.err
    assert json.loads(said.out)["left_out"][0]["path"].endswith("jpeg-truncated-half.jpg")
    assert read_calibration(tmp_path / "x.calibration.toml").classes["real"].images == 1


@pytest.mark.parametrize(
    ("more", "code", "reason"),
    [
        (["--out", "x.toml"], 2, "must end with .calibration.toml"),
        (["--out", "absent/x.calibration.toml"], 2, "its folder is not there"),
        (["--out", "x.calibration.toml", "--keep", "0"], 2, "must be above 0"),
        (["--out", "x.calibration.toml", "--least-generators", "2"], 2, "least-generators"),
        (["--out", "x.calibration.toml", "--scale", "absent.toml"], 2, "is no scale"),
        (["--out", "x.calibration.toml", "--weights", "absent"], 5, "weights absent"),
    ],
)
def test_wrong_use_is_told_before_the_work(forensic, arguments, tmp_path, more, code, reason) -> None:
    said = forensic(*arguments, *more)
    assert (said.code, said.out) == (code, "")
    assert reason in said.err
    assert not list(tmp_path.glob("*.calibration.toml"))


def test_nothing_is_written_beside_the_pictures(forensic, arguments, osma_mini_small) -> None:
    said = forensic(*arguments, "--out", osma_mini_small / "val" / "x.calibration.toml")
    assert said.code == 2
    assert "evidence folder" in said.err


def test_the_training_images_are_refused(forensic, tiny_weights, osma_mini_small) -> None:
    data = osma_mini_small
    said = forensic(
        "calibrate", "--weights", tiny_weights, "--known", data / "train", "--unknown", data / "val_unseen",
        "--out", "x.calibration.toml",
    )  # fmt: skip
    assert said.code == 5
    assert "are the training images of these weights" in said.err
