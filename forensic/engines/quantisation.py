"""The trunk in 8-bit integers without a single image: batch norm says how far a channel's values reach.

Behind batch norm a channel has the mean and the standard deviation that its parameters name, over all training images.
Each channel is divided by its reach, mean and deviations together, and the next layer's weights are multiplied by it:
a leaky ReLU lets a positive factor through. So every channel uses all steps of one interval, and nothing but the
weights decides on it. What is further out is cut off; a few deviations more cost only a little resolution.

The first layer has three channels and stays as it is, like neck, embedding and head: one product in fifty.

Source: M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-Free Quantization Through Weight Equalization and
Bias Correction", ICCV 2019; here the reaches come from batch norm, which they balance weights for.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from forensic.engines.onnx_file import TRUNK
from forensic.models.folding import FoldedTrunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from forensic.models.folding import FoldedLayer

DEVIATIONS = 24.0
"""Standard deviations from a channel's mean that are kept. Images unlike all training images, white noise for one, lie
far out: with 12 and 16 the cut moved scores of such tiles by up to 0.16 and 0.23, with 24 steps and cut move them by up
to 0.06, with 48 the steps alone by 0.14; validation images by 0.04, 0.05, 0.07 with 12, 16, 24."""
_LEAST_REACH = 1e-6
"""Of a channel, against the layer's largest: one that never moves has none of its own."""
_STEPS = 255
_LARGEST_WEIGHT = 63
"""In steps. A processor with AVX2 but without VNNI adds two products of bytes in 16 bits; from 65 steps on a sum may
not fit and is cut off. With 63 every processor has the same integers. Scores moved no further than with 127."""
_TINY = float(np.finfo(np.float32).tiny)


def equalised_layers(trunk: nn.Sequential) -> list[FoldedLayer]:
    """The trunk's layers in float32, batch norm folded; values between two layers lie in [-slope, 1] or are far out.

    Args:
        trunk: blocks of convolution, batch norm and leaky ReLU, in evaluation mode.

    Returns:
        Layers that together compute what the trunk does, up to rounding; inner weights are scaled.
    """
    exact = copy.deepcopy(trunk).double()
    layers: list[FoldedLayer] = []
    before = torch.ones(1, dtype=torch.float64)
    for block, layer in zip(exact, FoldedTrunk(exact).layers, strict=True):
        reach = _reach(block[1]) if len(layers) < len(exact) - 1 else torch.ones_like(layer.bias)  # type: ignore[index]  # a Sequential forgets what is in it
        weight = layer.weight * before[None, :, None, None] / reach[:, None, None, None]
        layers.append(replace(layer, weight=weight, bias=layer.bias / reach).to(torch.float32))
        before = reach
    return layers


def _reach(norm: nn.BatchNorm2d) -> torch.Tensor:
    reach = norm.bias.abs() + DEVIATIONS * norm.weight.abs()
    largest = reach.max()
    return torch.ones_like(reach) if largest == 0 else reach.clamp_min(_LEAST_REACH * largest)


def interval(slope: float) -> tuple[float, float]:
    """Where the 256 steps of a layer's input begin and end: at -slope or just below and at 1, with a step at 0."""
    below = int(np.ceil(_STEPS * slope / (1 + slope)))
    return -below / (_STEPS - below), 1.0


def quantise(network: Any, layers: Sequence[FoldedLayer]) -> None:  # noqa: ANN401 - openvino.Model, of an extra
    """Puts inputs and weights of all convolutions of a trunk but the first on steps, for OpenVINO to multiply integers.

    Weights are symmetric, 7 bits, with a step of its own for each output channel.

    Args:
        network: openvino.Model, from an `onnx_file` of the layers; changed.
        layers: those of `equalised_layers`.
    """
    operators = import_module("openvino.opset13")
    found = {node.get_friendly_name().partition("/")[0]: node for node in network.get_ops() if _convolves(node)}
    for number, (before, layer) in enumerate(pairwise(layers), start=1):
        values, weights = found[f"{TRUNK}{number}"].inputs()
        largest = layer.weight.abs().amax((1, 2, 3), keepdim=True).clamp_min(_TINY).numpy()
        end = largest * (_STEPS // 2 / _LARGEST_WEIGHT)  # of 255 steps the middle ones are used
        for port, low, high, steps in (
            (values, *interval(before.slope), _STEPS + 1),
            (weights, -end, end, _STEPS),
        ):
            ends = [operators.constant(np.asarray(value, np.float32)) for value in (low, high)] * 2
            port.replace_source_output(operators.fake_quantize(port.get_source_output(), *ends, steps).output(0))


def _convolves(node: Any) -> bool:  # noqa: ANN401 - openvino.Node
    return bool(node.get_type_name() == "Convolution")
