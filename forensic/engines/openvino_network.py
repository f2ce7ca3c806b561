"""The network in OpenVINO: oneDNN's kernels under another graph, in fewer bits where the processor multiplies them.

OpenVINO's package brings one that reports its use to its makers. It is kept from being imported; OpenVINO has a
stand-in for that case. No model cache is written.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import torch

from forensic.engines.choice import multiplies_bfloat16, processor_features
from forensic.engines.onnx_file import OUTPUTS, onnx_file
from forensic.engines.quantisation import equalised_layers, quantise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from torch import Tensor

    from forensic.engines.choice import Precision
    from forensic.models.feature_extractor import TaskModel

_TELEMETRY = "openvino_telemetry"
_TYPES = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoNetwork:
    """Trunk, neck and head of a task model for batches of one size.

    Args:
        model: in evaluation mode; later changes of it are not seen.
        batch: images a call.
        precision: of the convolutions and products; inputs and outputs are float32. `int8` is that of the trunk behind
            its first layer, the rest is bfloat16 where the processor has it.
        threads: the results do not depend on their number.
    """

    def __init__(self, model: TaskModel, batch: int, precision: Precision, threads: int) -> None:
        openvino = _load()
        core = openvino.Core()
        layers, floating = None, precision
        if precision == "int8":
            layers = equalised_layers(model.trunk)
            floating = "bfloat16" if multiplies_bfloat16(processor_features()) else "float32"
        network = core.read_model(onnx_file(model, batch, layers))
        if layers is not None:
            quantise(network, layers)
        settings = {
            "INFERENCE_PRECISION_HINT": _TYPES[floating],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # decoders work beside it
        }
        self._request = core.compile_model(network, "CPU", settings).create_infer_request()

    def __call__(self, spectra: Tensor) -> tuple[Tensor, Tensor]:
        """Output of the input layer (B, 3, S, S) float32 -> logits (B, K), embeddings (B, D)."""
        self._request.infer([spectra.contiguous().numpy()], share_inputs=True)
        logits, embeddings = (torch.from_numpy(self._request.get_tensor(name).data.copy()) for name in OUTPUTS)
        return logits, embeddings


def _load() -> ModuleType:
    with _absent(_TELEMETRY):
        return import_module("openvino")


@contextmanager
def _absent(package: str) -> Iterator[None]:
    """As if a package were not installed, for whoever imports it meanwhile."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # so the import system spells it
    try:
        yield
    finally:
        del sys.modules[package]
