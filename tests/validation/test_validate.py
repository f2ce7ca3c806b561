from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from forensic.errors import MissingError
from forensic.models.weights import load_weights
from forensic.validation.validate import ValidationPlan, validate


def test_osma_mini_s_test_images_are_measured(validated, osma_mini_small) -> None:
    statement = validated.statement
    assert statement.known.images == len(list((osma_mini_small / "test").rglob("*.png")))
    assert set(statement.generators) == {path.name for path in (osma_mini_small / "test_unseen").glob("*/*")}
    assert validated.photographs.startswith("each file counts as a photograph of its own")
    assert len(validated.files) == 64


def test_what_fitted_the_calibration_is_refused(
    tiny, tiny_weights, osma_mini_small, made_calibration, tmp_path
) -> None:
    shutil.copytree(osma_mini_small / "val", tmp_path / "lab")
    with pytest.raises(MissingError, match="took part in the calibration"):
        validate(ValidationPlan(tiny, tiny_weights, tmp_path / "lab", made_calibration))


def test_training_images_are_refused(tiny, tiny_weights, osma_mini_small) -> None:
    with pytest.raises(MissingError, match="training images"):
        validate(ValidationPlan(tiny, tiny_weights, osma_mini_small / "train"))


def test_images_that_chose_the_threshold_are_refused(comparing_weights, osma_mini_small) -> None:
    plan = ValidationPlan(load_weights(comparing_weights), comparing_weights, osma_mini_small / "val")
    with pytest.raises(MissingError, match="helped to choose the threshold of these weights"):
        validate(plan)


def test_a_calibration_of_other_weights_is_refused(comparing_weights, osma_mini_small, made_calibration) -> None:
    weights = load_weights(comparing_weights)
    with pytest.raises(MissingError, match="was fitted with weights"):
        validate(ValidationPlan(weights, comparing_weights, osma_mini_small, made_calibration))


def test_class_folders_of_a_laboratory(tiny, tiny_weights, osma_mini_small, tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    for name in ("real", "esrgan_slim_x2"):
        shutil.copytree(osma_mini_small / "test" / name, lab / name)
    shutil.copytree(osma_mini_small / "test_unseen" / "seed" / "ae_ct4_d1_s1", lab / "theirs")
    told = []
    found = validate(ValidationPlan(tiny, tiny_weights, lab), lambda done, total: told.append((done, total)))
    assert list(found.statement.classes) == ["real", "esrgan_slim_x2"]
    assert list(found.statement.generators) == ["theirs"]
    assert told[-1] == (len(told), len(told))
