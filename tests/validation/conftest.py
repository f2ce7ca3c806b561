from __future__ import annotations

from pathlib import Path

import pytest

from forensic.calibration.record import Calibration
from forensic.calibration.scale import read_scale
from forensic.models.weights import Weights, load_weights
from forensic.validation.calibrate import CalibrationPlan, calibrate


@pytest.fixture(scope="session")
def tiny(tiny_weights: Path) -> Weights:
    """The tiny weights, loaded; not to be changed."""
    return load_weights(tiny_weights)


@pytest.fixture(scope="session")
def made_calibration(tiny: Weights, osma_mini_small: Path) -> Calibration:
    """Of the tiny weights, on the stand-in's validation images; two unknown generators, hence no ratio."""
    data = osma_mini_small
    return calibrate(CalibrationPlan(tiny, data / "val", data / "val_unseen", read_scale())).calibration
