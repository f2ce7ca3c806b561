"""The network in ONNX Runtime, float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from forensic.engines.onnx_file import INPUT, OUTPUTS, onnx_file

if TYPE_CHECKING:
    from torch import Tensor

    from forensic.models.feature_extractor import TaskModel


class OnnxNetwork:
    """Trunk, neck and head of a task model for batches of one size.

    Args:
        model: in evaluation mode; later changes of it are not seen.
        batch: images a call.
        threads: the results do not depend on their number.
    """

    def __init__(self, model: TaskModel, batch: int, threads: int) -> None:
        import onnxruntime  # noqa: PLC0415 - an extra

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # decoders work beside it
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            onnx_file(model, batch), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, spectra: Tensor) -> tuple[Tensor, Tensor]:
        """Output of the input layer (B, 3, S, S) float32 -> logits (B, K), embeddings (B, D)."""
        logits, embeddings = self._session.run(list(OUTPUTS), {INPUT: spectra.contiguous().numpy()})
        return torch.from_numpy(logits), torch.from_numpy(embeddings)
