from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from forensic.models.feature_extractor import Architecture, TaskModel, unnormalised_scale

TINY = {"width": 2, "neck_channels": 2, "embedding_dim": 8}


def parameters(num_classes: int, **fields) -> int:
    with torch.device("meta"):
        model = TaskModel(num_classes, Architecture(**fields))
    return sum(parameter.numel() for parameter in model.parameters())


def test_parameters_of_the_authors_network() -> None:
    # literature: 22,680,207 at K = 15, 22,676,103 at K = 7
    assert parameters(15, width=64, neck="flatten", input_transform="dct") == 22_680_207
    assert parameters(7, width=64, neck="flatten", input_transform="dct") == 22_676_103


@pytest.mark.parametrize("neck", ["flatten", "conv1x1", "pool"])
@pytest.mark.parametrize("size", [64, 128])
def test_shapes(neck: str, size: int) -> None:
    model = TaskModel(5, Architecture(neck=neck, size=size, **TINY)).eval()
    logits, embedding = model(torch.zeros(3, 3, size, size))
    assert logits.shape == (3, 5)
    assert embedding.shape == (3, 8)


def test_unnormalised_dct_is_the_plain_sum(seeded) -> None:
    image = seeded().uniform(-1, 1, (3, 32, 32))
    model = TaskModel(2, Architecture(size=32, input_transform="dct", **TINY))
    spectrum = model.input_layer(torch.from_numpy(image)[None])[0].numpy()
    # scipy without a norm: 2 sum x cos a side, as torch_dct with norm None
    np.testing.assert_allclose(spectrum, dctn(image, type=2, axes=(1, 2)), rtol=1e-9, atol=1e-9)
    assert float(unnormalised_scale(128, 128, torch.zeros(1))[0, 0]) == pytest.approx(512.0)


def test_log_dct_is_standardised_by_its_buffers(seeded) -> None:
    image = seeded().uniform(-1, 1, (3, 32, 32)).astype(np.float32)
    model = TaskModel(2, Architecture(size=32, **TINY))
    model.input_layer.mean.fill_(0.5)
    model.input_layer.std.fill_(2.0)
    spectrum = model.input_layer(torch.from_numpy(image)[None])[0].numpy()
    expected = (np.log(np.abs(dctn(image, type=2, axes=(1, 2), norm="ortho")) + 1e-3) - 0.5) / 2
    np.testing.assert_allclose(spectrum, expected, rtol=1e-3, atol=1e-3)
    assert {"input_layer.mean", "input_layer.std"} <= set(model.state_dict())
