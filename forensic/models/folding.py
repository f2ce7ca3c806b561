"""Batch norm with frozen statistics, folded into the convolution before it.

In evaluation mode batch norm is an affine map of each channel, and so is what it and a convolution do together: one
convolution with other weights. The folded weights are functions of the trunk's parameters, so that gradients reach all
of them, those of batch norm included; folding costs one pass over the weights, a batch norm one over every activation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor, nn


class FoldedTrunk:
    """The trunk of a task model in evaluation mode, as convolutions alone; equal to it up to rounding.

    Args:
        trunk: blocks of convolution, batch norm and leaky ReLU; to be folded anew whenever its parameters change.
    """

    def __init__(self, trunk: nn.Sequential) -> None:
        self._layers = [_fold(*block) for block in trunk]  # type: ignore[misc]  # a Sequential forgets what is in it

    def __call__(self, spectra: Tensor, *, frozen: bool = False) -> Tensor:
        """(N, 3, S, S) -> (N, C, S / 16, S / 16); with `frozen`, gradients go to the spectra alone."""
        values = spectra
        for weight, bias, stride, padding, slope in self._layers:
            weights = (weight.detach(), bias.detach()) if frozen else (weight, bias)
            values = functional.conv2d(values, *weights, stride, padding)
            values = functional.leaky_relu(values, slope, inplace=True)
        return values


_Layer = tuple["Tensor", "Tensor", tuple[int, ...], tuple[int, ...], float]


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d, activation: nn.LeakyReLU) -> _Layer:
    """Weight (out, in, k, k), bias (out,), stride, padding and slope of one block.

    norm(conv(x)) = g (W x + b - m) / sqrt(v + eps) + c = (s W) x + s (b - m) + c with s = g / sqrt(v + eps).
    """
    mean, variance = norm.running_mean, norm.running_var
    bias, padding = convolution.bias, convolution.padding
    if mean is None or variance is None or bias is None or isinstance(padding, str):
        raise TypeError("a block needs a bias, padding in numbers, and batch norm with running statistics")
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    weight = convolution.weight * scale[:, None, None, None]
    return weight, (bias - mean) * scale + norm.bias, convolution.stride, padding, activation.negative_slope
