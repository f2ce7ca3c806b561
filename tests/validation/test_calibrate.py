from __future__ import annotations

import hashlib
import shutil

import pytest

from forensic.calibration.file import calibration_to_toml
from forensic.calibration.scale import read_scale
from forensic.errors import MissingError
from forensic.validation.calibrate import CalibrationPlan, calibrate


def test_a_calibration_of_real_weights(made_calibration, tiny, osma_mini_small) -> None:
    made = made_calibration
    assert (made.weights, made.preprocessing, made.real) == (tiny.card.hash, tiny.card.preprocessing, "real")
    assert list(made.classes) == list(tiny.card.classes)
    unknown = osma_mini_small / "val_unseen"
    assert made.generators == {folder.name: len(list(folder.iterdir())) for folder in sorted(unknown.iterdir())}
    assert made.classes["real"].withheld == "2 unknown generators, at least 3 are needed"
    assert made.coverage.sentence == "PNG, sides of 128 px, scores over 1 tile"
    listed = [path for name in ("val", "val_unseen") for path in (osma_mini_small / name).rglob("*.png")]
    assert list(made.files) == sorted({hashlib.sha256(path.read_bytes()).hexdigest() for path in listed})


def test_with_generators_enough_there_are_ratios(tiny, osma_mini_small, tmp_path) -> None:
    unknown = tmp_path / "unknown"
    shutil.copytree(osma_mini_small / "val_unseen", unknown)
    shutil.copytree(osma_mini_small / "test_unseen" / "seed", unknown, dirs_exist_ok=True)
    # 8 photographs instead of the stand-in's 4
    known = tmp_path / "known"
    shutil.copytree(osma_mini_small / "val", known)
    shutil.copytree(osma_mini_small / "test", known, dirs_exist_ok=True)
    made = calibrate(CalibrationPlan(tiny, known, unknown, read_scale())).calibration
    with_ratio = [name for name, one in made.classes.items() if one.ratio is not None]
    assert with_ratio
    for name in with_ratio:
        assert 10 ** made.classes[name].ratio.bounds.upper < 4


def test_the_same_pictures_give_the_same_bytes(tiny, osma_mini_small, made_calibration) -> None:
    plan = CalibrationPlan(tiny, osma_mini_small / "val", osma_mini_small / "val_unseen", read_scale())
    told = []
    again = calibrate(plan, lambda done, total: told.append((done, total)))
    assert calibration_to_toml(again.calibration) == calibration_to_toml(made_calibration)
    assert told[-1] == (len(told), len(told))


def test_the_training_images_are_refused(tiny, osma_mini_small) -> None:
    plan = CalibrationPlan(tiny, osma_mini_small / "train", osma_mini_small / "val_unseen", read_scale())
    with pytest.raises(MissingError, match="training images"):
        calibrate(plan)


def test_a_picture_on_both_sides_is_refused(tiny, osma_mini_small, tmp_path) -> None:
    shutil.copytree(osma_mini_small / "val_unseen", tmp_path / "unknown")
    first = sorted((osma_mini_small / "val" / "real").iterdir())[0]
    shutil.copy(first, tmp_path / "unknown" / "esrgan_medium_x2" / "copy.png")
    with pytest.raises(MissingError, match="is the same file as"):
        calibrate(CalibrationPlan(tiny, osma_mini_small / "val", tmp_path / "unknown", read_scale()))
