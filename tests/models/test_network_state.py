from __future__ import annotations

import numpy as np
import pytest
import torch

from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.models.network_state import architecture_fields, network_from_tensors, network_tensors, rounded

TINY = Architecture(width=2, neck_channels=2, embedding_dim=8)


@pytest.fixture
def model() -> TaskModel:
    model = TaskModel(3, TINY)
    with torch.no_grad():
        model.trunk[0][1].running_var.fill_(1e-9)  # below float16's smallest
        model.trunk[1][1].running_var.fill_(1e6)  # above its largest
    return model


def test_large_tensors_are_halved_and_small_ones_kept(model: TaskModel) -> None:
    tensors = network_tensors(model)
    assert tensors["fc.weight"].dtype == np.float16
    assert tensors["input_layer.std"].dtype == np.float16
    assert tensors["fc.bias"].dtype == np.float32
    assert tensors["trunk.0.1.running_var"].dtype == np.float32
    assert tensors["trunk.0.1.num_batches_tracked"].dtype == np.int64
    assert tensors["trunk.0.1.num_batches_tracked"].shape == ()


def test_rounding_twice_is_rounding_once(model: TaskModel) -> None:
    once = rounded(model)
    for name, value in network_tensors(rounded(once)).items():
        np.testing.assert_array_equal(value, network_tensors(once)[name])
    assert float(once.trunk[0][1].running_var[0]) == pytest.approx(1e-9)
    assert float(once.trunk[1][1].running_var[0]) == pytest.approx(1e6)
    assert not torch.equal(once.fc.weight, model.fc.weight)
    torch.testing.assert_close(once.fc.weight, model.fc.weight.detach(), rtol=1e-3, atol=1e-6)


def test_loaded_is_ready_for_use(model: TaskModel) -> None:
    loaded = rounded(model)
    assert not loaded.training
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fc.bias": None}, "tensor network.fc.bias: missing"),
        ({"more": np.zeros(1)}, "tensor network.more: unexpected"),
        ({"fc.bias": np.zeros(9, np.float32)}, r"tensor network.fc.bias: expected \(8,\), got \(9,\)"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(model: TaskModel, change, told: str) -> None:
    tensors = {name: value for name, value in (network_tensors(model) | change).items() if value is not None}
    with pytest.raises(ValueError, match=told):
        network_from_tensors(tensors, 3, architecture_fields(TINY))


@pytest.mark.parametrize("change", [{"depth": 3}, {"width": "wide"}, {"width": -1}, {"neck_channels": -1}])
def test_foreign_architectures_are_refused(model: TaskModel, change) -> None:
    with pytest.raises(ValueError, match=r"architecture: |tensor network"):
        network_from_tensors(network_tensors(model), 3, architecture_fields(TINY) | change)
