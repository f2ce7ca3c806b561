"""The folded network as an ONNX file in memory: output of the input layer -> logits, embeddings.

The format is a protocol buffer of five nested messages and the network has five kinds of layer, so it is written here
and needs no package. Field numbers are those of onnx.proto3.

Source: ONNX, "Open Neural Network Exchange Intermediate Representation Specification", IR version 8, operator set 17.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import torch
from torch import nn

from forensic.models.inference import folded_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forensic.models.feature_extractor import TaskModel
    from forensic.models.folding import FoldedLayer

INPUT = "spectra"
OUTPUTS = ("logits", "embeddings")
TRUNK = "conv"
"""What names of the trunk's convolutions begin with; their number follows, from 0."""

_IR_VERSION = 8
_OPERATOR_SET = 17
_FLOAT = 1  # TensorProto.DataType
_A_FLOAT, _AN_INT, _INTS = 1, 2, 7  # AttributeProto.AttributeType


def onnx_file(model: TaskModel, batch: int, layers: Sequence[FoldedLayer] | None = None) -> bytes:
    """The bytes of an ONNX file of a task model without its input layer, batch norm folded, float32.

    Args:
        model: in evaluation mode.
        batch: images a call; part of the file.
        layers: of the trunk, float32; its own folded ones where None.
    """
    graph = _Graph()
    values = INPUT
    for number, layer in enumerate(folded_layers(model.trunk) if layers is None else layers):
        values = graph.convolution(f"{TRUNK}{number}", values, layer.weight, layer.bias, layer.stride, layer.padding)
        values = graph.node("LeakyRelu", [values], f"relu{number}", alpha=layer.slope)
    if model.architecture.neck == "conv1x1":
        squeeze = next(module for module in model.neck.modules() if isinstance(module, nn.Conv2d))
        values = graph.convolution("neck", values, squeeze.weight, squeeze.bias, (1, 1), (0, 0))
    elif model.architecture.neck == "pool":
        values = graph.node("GlobalAveragePool", [values], "neck")
    values = graph.node("Flatten", [values], "flat", axis=1)
    logits, embeddings = OUTPUTS
    graph.linear(embeddings, values, model.fc)
    graph.linear(logits, embeddings, model.head)
    side, architecture = model.architecture.size, model.architecture
    return graph.file(
        (batch, 3, side, side), {logits: (batch, model.num_classes), embeddings: (batch, architecture.embedding_dim)}
    )


class _Graph:
    """Collects a GraphProto: nodes in order, each with one output, and their constants."""

    def __init__(self) -> None:
        self._nodes = b""
        self._constants = b""

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: float | Sequence[int]) -> str:
        body = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, operator)
        body += b"".join(_message(5, _attribute(name, value)) for name, value in attributes.items())
        self._nodes += _message(1, body)
        return output

    def convolution(
        self,
        name: str,
        values: str,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        stride: Sequence[int],
        padding: Sequence[int],
    ) -> str:
        inputs = [values, self._constant(f"{name}.weight", weight)]
        inputs += [] if bias is None else [self._constant(f"{name}.bias", bias)]
        return self.node("Conv", inputs, name, strides=stride, pads=(*padding, *padding), kernel_shape=weight.shape[2:])

    def linear(self, name: str, values: str, layer: nn.Linear) -> str:
        inputs = [values, self._constant(f"{name}.weight", layer.weight), self._constant(f"{name}.bias", layer.bias)]
        return self.node("Gemm", inputs, name, transB=1)

    def _constant(self, name: str, value: torch.Tensor) -> str:
        numbers = value.detach().to("cpu", torch.float32).contiguous().numpy().astype("<f4")
        body = b"".join(_number(1, size) for size in value.shape) + _number(2, _FLOAT) + _text(8, name)
        self._constants += _message(5, body + _message(9, numbers.tobytes()))
        return name

    def file(self, shape: Sequence[int], outputs: dict[str, Sequence[int]]) -> bytes:
        graph = self._nodes + _text(2, "task model") + self._constants + _message(11, _tensor_type(INPUT, shape))
        graph += b"".join(_message(12, _tensor_type(name, shape)) for name, shape in outputs.items())
        return _number(1, _IR_VERSION) + _message(7, graph) + _message(8, _text(1, "") + _number(2, _OPERATOR_SET))


def _attribute(name: str, value: float | Sequence[int]) -> bytes:
    if isinstance(value, float):
        return _text(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, _A_FLOAT)
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, _AN_INT)
    return _text(1, name) + b"".join(_number(8, number) for number in value) + _number(20, _INTS)


def _tensor_type(name: str, shape: Sequence[int]) -> bytes:
    sizes = b"".join(_message(1, _number(1, size)) for size in shape)
    return _text(1, name) + _message(2, _message(1, _number(1, _FLOAT) + _message(2, sizes)))


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """A number of 0 or more, seven bits a byte, the lowest first."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
