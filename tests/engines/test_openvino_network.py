"""OpenVINO against torch; its package's telemetry stays out."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from forensic.engines.onnx_file import TRUNK
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


def test_int8_is_torch_up_to_its_steps(need, bundled, spectra) -> None:
    need("openvino", "int8")
    with torch.inference_mode():
        expected = FoldedNetwork(bundled.model, BATCH)(spectra)
    for one, other in zip(OpenVinoNetwork(bundled.model, BATCH, "int8", 2)(spectra), expected, strict=True):
        assert 0 < (one - other).norm() < 0.1 * other.norm()


def test_int8_multiplies_integers_in_all_layers_but_the_first(need, bundled) -> None:
    """A graph whose steps OpenVINO does not understand is right too, and slower than float32."""
    need("openvino", "int8")
    compiled = OpenVinoNetwork(bundled.model, BATCH, "int8", 2)._request.get_compiled_model()
    ran = {node.get_friendly_name(): node.get_rt_info() for node in compiled.get_runtime_model().get_ops()}
    convolutions = {name for name, kept in ran.items() if kept["layerType"].astype(str) == "Convolution"}
    integers = {name for name in convolutions if ran[name]["primitiveType"].astype(str).endswith("_I8")}
    assert {name.partition("/")[0] for name in integers} == {f"{TRUNK}{number}" for number in range(1, 8)}
    assert {name.partition("/")[0] for name in convolutions - integers} == {f"{TRUNK}0", "neck"}


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_results_do_not_depend_on_threads_or_on_what_came_before(need, bundled, spectra, precision) -> None:
    need("openvino", precision)
    network = OpenVinoNetwork(bundled.model, BATCH, precision, 1)
    first = [part.numpy().tobytes() for part in network(spectra)]
    network(torch.zeros_like(spectra))
    assert [part.numpy().tobytes() for part in network(spectra)] == first
    assert [part.numpy().tobytes() for part in OpenVinoNetwork(bundled.model, BATCH, precision, 2)(spectra)] == first


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
        "from forensic.engines.openvino_network import OpenVinoNetwork\n"
        "from forensic.models.weights import load_weights\n"
        "OpenVinoNetwork(load_weights().model, 1, 'int8', 1)\n"
        "sys.exit(any(name.split('.')[0] == 'openvino_telemetry' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
