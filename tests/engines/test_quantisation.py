"""8-bit integers without images: the same network before rounding, its steps, and the rounded network by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import seen_model
from torch.nn import functional

from forensic.engines import openvino_network
from forensic.engines.openvino_network import OpenVinoNetwork
from forensic.engines.quantisation import DEVIATIONS, equalised_layers, interval
from forensic.models.feature_extractor import TaskModel
from forensic.models.folding import FoldedLayer
from forensic.models.inference import FoldedNetwork
from forensic.models.predict import BATCH

SLOPE = 0.2


def run(layers: list[FoldedLayer], values: torch.Tensor) -> list[torch.Tensor]:
    """The values behind each layer."""
    found = []
    for layer in layers:
        made = functional.conv2d(values, layer.weight, layer.bias, layer.stride, layer.padding)
        values = functional.leaky_relu(made, layer.slope)
        found.append(values)
    return found


def learned(size: int) -> tuple[TaskModel, torch.Tensor]:
    """A model whose batch norm has just seen the images that come with it, with means and deviations of all sizes."""
    draws = torch.Generator().manual_seed(3)
    made = seen_model(size)
    images = torch.randn(32, 3, size, size, generator=draws)
    values = images
    with torch.no_grad():
        for convolution, norm, activation in made.trunk:
            norm.weight.copy_(torch.empty_like(norm.weight).uniform_(-3, 3, generator=draws))
            norm.bias.copy_(torch.empty_like(norm.bias).uniform_(-3, 3, generator=draws))
            convolved = convolution(values)
            norm.running_mean.copy_(convolved.mean((0, 2, 3)))
            norm.running_var.copy_(convolved.var((0, 2, 3)))
            values = activation(norm(convolved))
    return made, images


@pytest.mark.parametrize("size", [128, 48, 16])
def test_it_is_the_trunk(size: int) -> None:
    made, images = learned(size)
    with torch.inference_mode():
        torch.testing.assert_close(
            run(equalised_layers(made.trunk), images)[-1], made.trunk(images), rtol=1e-4, atol=1e-4
        )


def test_between_layers_every_channel_fills_the_interval_alike() -> None:
    made, images = learned(128)
    with torch.inference_mode():
        between = run(equalised_layers(made.trunk), images)[:-1]
    for values, (_, norm, _) in zip(between, made.trunk, strict=False):
        low, high = interval(SLOPE)
        assert low <= values.min() <= values.max() <= high
        reach = norm.bias.abs() + DEVIATIONS * norm.weight.abs()
        before = torch.where(values < 0, values / SLOPE, values)
        torch.testing.assert_close(before.std((0, 2, 3)), norm.weight.abs() / reach, rtol=0.01, atol=0)


def test_a_channel_that_never_moves_stays_finite() -> None:
    made, images = learned(16)
    with torch.no_grad():
        for _, norm, _ in made.trunk:
            norm.weight[0] = norm.bias[0] = 0
        made.trunk[2][1].weight.zero_()
        made.trunk[2][1].bias.zero_()
        layers = equalised_layers(made.trunk)
        assert all(layer.weight.isfinite().all() and layer.bias.isfinite().all() for layer in layers)
        torch.testing.assert_close(run(layers, images)[-1], made.trunk(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.1, SLOPE, 0.5, 1.0])
def test_zero_is_a_step_and_nothing_within_reach_is_cut_off(slope: float) -> None:
    """Padding is of zeros."""
    low, high = interval(slope)
    step = (high - low) / 255
    assert (low / step) == pytest.approx(round(low / step), abs=1e-9)
    assert low <= -slope < low + 2 * step
    assert high == 1


def test_openvino_rounds_as_done_by_hand(need, bundled, spectra, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest in float32, or values near the middle of a step would be rounded to either side."""
    need("openvino", "int8")
    monkeypatch.setattr(openvino_network, "multiplies_bfloat16", lambda _features: False)
    with torch.inference_mode():
        plain = FoldedNetwork(bundled.model, BATCH)
        values, before = spectra, None
        for layer in equalised_layers(bundled.model.trunk):
            weight = layer.weight
            if before is not None:
                low, high = interval(before.slope)
                step, width = (high - low) / 255, weight.abs().amax((1, 2, 3), keepdim=True) / 63
                values = (values.clamp(low, high) / step).round() * step
                weight = (weight / width).round() * width
            (values,) = run([replace(layer, weight=weight)], values)
            before = layer
        by_hand, exact = plain._ending(values)[1], plain(spectra)[1]
        found = OpenVinoNetwork(bundled.model, BATCH, "int8", 2)(spectra)[1]
    assert (found - by_hand).norm() < 0.35 * (found - exact).norm()


FAR_OUT = """
import sys
import numpy as np
import torch
from forensic.engines.openvino_network import OpenVinoNetwork
from forensic.models.weights import load_weights

spectra = 10 * torch.randn(16, 3, 128, 128, generator=torch.Generator().manual_seed(1))
logits, embeddings = OpenVinoNetwork(load_weights().model, 16, "int8", 1)(spectra)
np.savez(sys.argv[1], logits=logits, embeddings=embeddings)
"""


def test_the_same_integers_without_vnni(need, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values far out fill their bytes: with weights of 8 bits AVX2 cuts off sums of two products; logits move by 3%."""
    need("openvino", "int8")
    limited = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}  # read once a process
    subprocess.run([sys.executable, "-c", FAR_OUT, tmp_path / "without.npz"], check=True, env=limited)
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "with.npz")])
    exec(FAR_OUT, {})  # noqa: S102 - the same program here
    with np.load(tmp_path / "with.npz") as with_vnni, np.load(tmp_path / "without.npz") as without:
        for name in ("logits", "embeddings"):
            assert np.linalg.norm(without[name] - with_vnni[name]) < 0.01 * np.linalg.norm(with_vnni[name])
