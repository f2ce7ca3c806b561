"""ONNX Runtime against torch."""

from __future__ import annotations

import pytest
import torch

from forensic.engines.onnx_network import OnnxNetwork
from forensic.models.inference import FoldedNetwork
from forensic.models.predict import BATCH


@pytest.fixture(autouse=True)
def onnxruntime(need) -> None:
    need("onnx")


def test_it_is_torch_up_to_rounding(bundled, spectra) -> None:
    found = OnnxNetwork(bundled.model, BATCH, 2)(spectra)
    with torch.inference_mode():
        expected = FoldedNetwork(bundled.model, BATCH)(spectra)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_results_do_not_depend_on_threads_or_on_what_came_before(bundled, spectra) -> None:
    network = OnnxNetwork(bundled.model, BATCH, 1)
    first = [part.numpy().tobytes() for part in network(spectra)]
    network(torch.zeros_like(spectra))
    assert [part.numpy().tobytes() for part in network(spectra)] == first
    assert [part.numpy().tobytes() for part in OnnxNetwork(bundled.model, BATCH, 2)(spectra)] == first
