from __future__ import annotations

from pathlib import Path

import pytest

from forensic.calibration.record import Calibration
from forensic.calibration.scale import read_scale
from forensic.models.weights import Weights, load_weights
from forensic.validation.calibrate import CalibrationPlan, calibrate
from forensic.validation.validate import Validated, ValidationPlan, validate


@pytest.fixture(scope="session")
def tiny(tiny_weights: Path) -> Weights:
    """The tiny weights, loaded; not to be changed."""
    return load_weights(tiny_weights)


@pytest.fixture(scope="session")
def made_calibration(tiny: Weights, osma_mini_small: Path) -> Calibration:
    """Of the tiny weights, on the stand-in's validation images; two unknown generators, hence no ratio."""
    data = osma_mini_small
    return calibrate(CalibrationPlan(tiny, data / "val", data / "val_unseen", read_scale())).calibration


@pytest.fixture(scope="session")
def validated(tiny: Weights, tiny_weights: Path, osma_mini_small: Path, made_calibration: Calibration) -> Validated:
    """The tiny weights on the stand-in's test images, with their calibration."""
    command = "forensic validate --data <mini>"
    return validate(ValidationPlan(tiny, tiny_weights, osma_mini_small, made_calibration, command))
