"""OpenVINO against torch; its package's telemetry stays out."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from forensic.engines.openvino_network import OpenVinoNetwork
from forensic.models.inference import FoldedNetwork
from forensic.models.predict import BATCH


@pytest.fixture(autouse=True)
def openvino(need) -> None:
    need("openvino")


def test_float32_is_torch_up_to_rounding(bundled, spectra) -> None:
    found = OpenVinoNetwork(bundled.model, BATCH, "float32", 2)(spectra)
    with torch.inference_mode():
        expected = FoldedNetwork(bundled.model, BATCH)(spectra)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_results_do_not_depend_on_threads_or_on_what_came_before(bundled, spectra) -> None:
    network = OpenVinoNetwork(bundled.model, BATCH, "float32", 1)
    first = [part.numpy().tobytes() for part in network(spectra)]
    network(torch.zeros_like(spectra))
    assert [part.numpy().tobytes() for part in network(spectra)] == first
    assert [part.numpy().tobytes() for part in OpenVinoNetwork(bundled.model, BATCH, "float32", 2)(spectra)] == first


def test_outputs_are_the_callers_own(bundled, spectra) -> None:
    network = OpenVinoNetwork(bundled.model, BATCH, "float32", 2)
    logits, _ = network(spectra)
    before = logits.clone()
    network(torch.zeros_like(spectra))
    assert torch.equal(logits, before)
    assert np.isfinite(logits.numpy()).all()


def test_telemetry_is_not_even_imported() -> None:
    code = (
        "import sys\n"
        "from forensic.engines.openvino_network import _load\n"
        "_load().Core()\n"
        "sys.exit(any(name.split('.')[0] == 'openvino_telemetry' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
