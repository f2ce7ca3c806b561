"""The network as scans run it, against the model it stands for."""

from __future__ import annotations

import pytest
import torch
from networks import seen_model

from forensic.models.feature_extractor import TaskModel
from forensic.models.inference import FoldedNetwork, folded_layers, has_fused_convolution

BATCH = 4


def model(neck: str = "conv1x1") -> TaskModel:
    return seen_model(64, neck)


def spectra(count: int = BATCH) -> torch.Tensor:
    return torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("neck", ["conv1x1", "pool", "flatten"])
@pytest.mark.parametrize("fused", [None, False])
def test_it_is_the_model(neck: str, fused: bool | None) -> None:
    made = model(neck)
    with torch.inference_mode():
        logits, embeddings = FoldedNetwork(made, BATCH, fused=fused)(spectra())
        expected_logits, expected = made(spectra())
    torch.testing.assert_close(embeddings, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits, expected_logits, rtol=1e-4, atol=1e-5)


def test_fused_activations_change_no_bit() -> None:
    """So that a torch without the fused convolution gives the same findings."""
    made = model()
    with torch.inference_mode():
        fused, plain = (FoldedNetwork(made, BATCH, fused=fused).trunk(spectra()) for fused in (None, False))
    assert torch.equal(fused, plain)


def test_an_image_does_not_depend_on_its_place_or_its_neighbours() -> None:
    network = FoldedNetwork(model(), BATCH)
    images = spectra()
    with torch.inference_mode():
        logits, embeddings = network(images)
        for place in range(BATCH):
            alone = torch.zeros_like(images)
            alone[0] = images[place]
            found = network(alone)
            assert torch.equal(found[0][0], logits[place])
            assert torch.equal(found[1][0], embeddings[place])


def test_number_of_threads_changes_no_bit_of_the_trunk() -> None:
    network = FoldedNetwork(model(), BATCH)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            with torch.inference_mode():
                found.append(network.trunk(spectra()))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_folding_rounds_once() -> None:
    made = model()
    convolution, norm, activation = made.trunk[3]
    layer = folded_layers(made.trunk)[3]
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    expected = convolution.weight.double() * scale[:, None, None, None]
    torch.testing.assert_close(layer.weight.double(), expected, rtol=2**-23, atol=0)
    assert (layer.slope, layer.stride) == (activation.negative_slope, convolution.stride)
    assert not layer.weight.requires_grad


def test_the_model_stays_as_it_is() -> None:
    made = model()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    with torch.inference_mode():
        FoldedNetwork(made, BATCH)(spectra())
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    assert made.trunk[0][0].weight.is_contiguous()


@pytest.mark.skipif(
    not torch.backends.cpu.get_cpu_capability().startswith("AVX"),
    reason="needs an instruction set that this processor lacks",
)
def test_this_torch_has_the_fused_convolution() -> None:
    """Its names are torch's own affair: a version without them would be slower without a word."""
    assert has_fused_convolution()
