"""The file in a runtime that reads it, against the model; the encoding against the format's own example."""

from __future__ import annotations

import pytest
import torch
from networks import seen_model

from forensic.engines import onnx_file as writing
from forensic.engines.onnx_file import INPUT, OUTPUTS, onnx_file
from forensic.models.feature_extractor import TaskModel

BATCH = 3


def model(neck: str) -> TaskModel:
    return seen_model(32, neck)


@pytest.mark.parametrize("neck", ["conv1x1", "pool", "flatten"])
def test_a_runtime_reads_it_as_the_model(need, neck: str) -> None:
    need("onnx")
    import onnxruntime

    made = model(neck)
    session = onnxruntime.InferenceSession(onnx_file(made, BATCH), providers=["CPUExecutionProvider"])
    images = torch.randn(BATCH, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    logits, embeddings = session.run(list(OUTPUTS), {INPUT: images.numpy()})
    with torch.inference_mode():
        expected_logits, expected = made(images)
    torch.testing.assert_close(torch.from_numpy(embeddings), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.from_numpy(logits), expected_logits, rtol=1e-4, atol=1e-5)
    (entry,) = session.get_inputs()
    assert (entry.name, entry.shape) == (INPUT, [BATCH, 3, 32, 32])
    assert [output.shape for output in session.get_outputs()] == [[BATCH, 5], [BATCH, 16]]


def test_same_model_same_bytes() -> None:
    assert onnx_file(model("conv1x1"), BATCH) == onnx_file(model("conv1x1"), BATCH)
    assert onnx_file(model("conv1x1"), BATCH) != onnx_file(model("conv1x1"), BATCH + 1)


@pytest.mark.parametrize(("value", "written"), [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (150, "9601")])
def test_numbers_of_seven_bits_a_byte(value: int, written: str) -> None:
    assert writing._varint(value).hex() == written


def test_fields() -> None:
    """The examples of protobuf.dev, "Encoding": field 1 = 150, field 2 = "testing"."""
    assert writing._number(1, 150).hex() == "089601"
    assert writing._text(2, "testing").hex() == "120774657374696e67"
