from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from forensic.models.weights import Weights, load_weights


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
