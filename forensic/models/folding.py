"""Batch norm with frozen statistics, folded into the convolution before it.

In evaluation mode batch norm is an affine map of each channel, and so is what it and a convolution do together: one
convolution with other weights. The folded weights are functions of the trunk's parameters, so that gradients reach all
of them, those of batch norm included; folding costs one pass over the weights, a batch norm one over every activation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class FoldedLayer:
    """A convolution and the leaky ReLU after it."""

    weight: Tensor
    """(out, in, k, k)."""
    bias: Tensor
    """(out,)."""
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    slope: float
    """Of the leaky ReLU below 0."""

    def detached(self) -> FoldedLayer:
        """The same without gradients to the parameters."""
        return replace(self, weight=self.weight.detach(), bias=self.bias.detach())

    def to(self, dtype: torch.dtype) -> FoldedLayer:
        """Rounded, without gradients to the parameters."""
        return replace(self, weight=self.weight.detach().to(dtype), bias=self.bias.detach().to(dtype))


class FoldedTrunk:
    """The trunk of a task model in evaluation mode, as convolutions alone; equal to it up to rounding.

    Args:
        trunk: blocks of convolution, batch norm and leaky ReLU; to be folded anew whenever its parameters change.
    """

    def __init__(self, trunk: nn.Sequential) -> None:
        self.layers = [_fold(*block) for block in trunk]  # type: ignore[misc]  # a Sequential forgets what is in it

    def __call__(self, spectra: Tensor, *, frozen: bool = False) -> Tensor:
        """(N, 3, S, S) -> (N, C, S / 16, S / 16); with `frozen`, gradients go to the spectra alone."""
        values = spectra
        for folded in self.layers:
            layer = folded.detached() if frozen else folded
            values = functional.conv2d(values, layer.weight, layer.bias, layer.stride, layer.padding)
            values = functional.leaky_relu(values, layer.slope, inplace=True)
        return values


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d, activation: nn.LeakyReLU) -> FoldedLayer:
    """One block as one layer.

    norm(conv(x)) = g (W x + b - m) / sqrt(v + eps) + c = (s W) x + s (b - m) + c with s = g / sqrt(v + eps).
    """
    mean, variance = norm.running_mean, norm.running_var
    bias, padding = convolution.bias, convolution.padding
    if mean is None or variance is None or bias is None or isinstance(padding, str):
        raise TypeError("a block needs a bias, padding in numbers, and batch norm with running statistics")
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    weight = convolution.weight * scale[:, None, None, None]
    shift = (bias - mean) * scale + norm.bias
    return FoldedLayer(weight, shift, convolution.stride, padding, activation.negative_slope)
