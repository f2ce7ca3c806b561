"""The engines that are installed here, with weights and tiles to run on."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from forensic.engines.choice import DISTRIBUTIONS, Choice, choose, precisions, processor_features
from forensic.models.predict import BATCH, scaled
from forensic.models.weights import Weights, load_weights


@pytest.fixture(scope="session")
def need() -> Callable[..., Choice]:
    """`need("openvino", "int8")`: the engine, or a skip where package or processor do not have it."""

    def engine(name: str, precision: str | None = None) -> Choice:
        if importlib.util.find_spec(DISTRIBUTIONS[name]) is None:
            pytest.skip(f"needs {DISTRIBUTIONS[name]}")
        if precision is not None and precision not in precisions(name, processor_features()):
            pytest.skip(f"needs an instruction set that this processor lacks, for {precision}")
        return choose(name, precision=precision)

    return engine


@pytest.fixture(params=["openvino int8", "openvino bfloat16", "openvino float32", "onnx"])
def engine(request: pytest.FixtureRequest, need: Callable[..., Choice]) -> Choice:
    """Each engine that is not torch, in each of its precisions."""
    return need(*request.param.split())


@pytest.fixture(scope="session")
def tiny(tiny_weights: Path) -> Weights:
    """The tiny weights, loaded; not to be changed."""
    return load_weights(tiny_weights)


@pytest.fixture(scope="session")
def bundled() -> Weights:
    """The default weights."""
    return load_weights()


@pytest.fixture
def tiles(seeded: Callable[..., np.random.Generator]) -> np.ndarray:
    """(21, 3, 128, 128)."""
    return seeded(1).integers(0, 256, (21, 3, 128, 128), dtype=np.uint8)


@pytest.fixture
def spectra(bundled: Weights, tiles: np.ndarray) -> torch.Tensor:
    """A batch of the tiles behind the input layer of the default weights."""
    with torch.inference_mode():
        return bundled.model.input_layer(scaled(torch.from_numpy(tiles[:BATCH])))  # type: ignore[no-any-return]
