from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from forensic.models.enrol import enrol
from forensic.models.weights import Weights, load_weights
from forensic.spectra.profile import log_radial
from tests.conftest import make_tiny_weights


@pytest.fixture(scope="session")
def tiny(tiny_weights: Path) -> Weights:
    """The tiny weights, loaded; not to be changed."""
    return load_weights(tiny_weights)


@pytest.fixture
def pair(tiny_weights: Path, tmp_path: Path) -> Path:
    """A copy of the tiny pair that a test may damage."""
    for suffix in (".safetensors", ".toml"):
        shutil.copy(tiny_weights.with_suffix(suffix), tmp_path / f"tiny{suffix}")
    return tmp_path / "tiny.safetensors"


RECIPE = {"name": "untrained", "jpeg_share": 0.5, "jpeg_quality_min": 60, "jpeg_quality_max": 100}


@pytest.fixture(scope="session")
def of_traces(tmp_path_factory: pytest.TempPathFactory, osma_mini_small: Path) -> Path:
    """Tiny weights whose score is of traces, which are right whatever the network says."""
    out = tmp_path_factory.mktemp("of-traces") / "seven.safetensors"
    return make_tiny_weights(out, osma_mini_small, score="traces", recipe=RECIPE)


def _write_dotted(folder: Path, numbers: range, period: int = 8) -> Path:
    """Noise with a bright pixel every so many: what no class of the stand-in looks like; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        draws = np.random.default_rng((period, number))
        grain = cv2.resize(draws.normal(128, 40, (16, 16, 3)), (128, 128), interpolation=cv2.INTER_CUBIC)
        image = (grain + draws.normal(0, 3, grain.shape)).clip(0, 200)
        image[::period, ::period] += 50
        assert cv2.imwrite(str(folder / f"{number:05d}.png"), image.astype(np.uint8))
    return folder


@pytest.fixture(scope="session")
def dotted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen images of a new class; never write below it."""
    return _write_dotted(tmp_path_factory.mktemp("dotted"), range(14))


@pytest.fixture(scope="session")
def write_dotted() -> Callable[..., Path]:
    """`write_dotted(folder, range(14), period=8)`."""
    return _write_dotted


@pytest.fixture(scope="session")
def eight(of_traces: Path, dotted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those weights with the class `dotted`."""
    out = tmp_path_factory.mktemp("eight") / "eight.safetensors"
    enrol(of_traces, "dotted", dotted, out, profile=log_radial)
    return out
