"""The task model: spectrum of the image -> feature extractor F -> embedding -> head -> logits.

Source: POSE (CVPR 2023), section 3; the eight blocks are those of DNA-Det as the authors' program builds them.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from forensic import kernels
from forensic.models.score_kinds import SPECTRUM_GRID

Neck = Literal["flatten", "conv1x1", "pool"]
InputTransform = Literal["log-dct", "dct", "rgb"]

_BLOCKS: tuple[tuple[int, int, int], ...] = (
    # (channels as a multiple of the width, kernel, stride); padding is 1
    (1, 4, 2), (1, 3, 1), (2, 4, 2), (2, 3, 1), (4, 4, 2), (4, 3, 1), (8, 4, 2), (8, 3, 1),
)  # fmt: skip


@dataclass(frozen=True)
class Architecture:
    """Everything that decides the shapes of a task model; stands in the card of its weights."""

    size: int = 128
    """Side of the input in pixels; a multiple of 16."""
    width: int = 32
    """Channels of the first block; doubled three times on the way down. The authors' program: 64; half of it costs a
    quarter, and on two cores four times the steps are worth more (osma-mini's validation images)."""
    neck: Neck = "conv1x1"
    """Between trunk and embedding: `flatten` (the authors' program), `conv1x1` then flatten, global average `pool`."""
    neck_channels: int = 48
    """Channels of the 1x1 convolution; only for `conv1x1`."""
    embedding_dim: int = 512
    dropout: float = 0.2
    """Applied to the embedding itself, as the authors' program does: head and metric loss see the same mask."""
    input_transform: InputTransform = "log-dct"
    """`log-dct`: standardised log |DCT-II|; `dct`: un-normalised DCT-II (authors); `rgb`: the image."""
    log_epsilon: float = 1e-3
    """Added to |orthonormal DCT| before the logarithm; pixels are in [-1, 1]."""


class SpectralInput(nn.Module):
    """Image in [-1, 1] -> what the trunk sees. Statistics are buffers, hence part of the weights."""

    mean: Tensor
    std: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.transform = architecture.input_transform
        self.epsilon = architecture.log_epsilon
        if self.transform == "log-dct":
            shape = (3, architecture.size, architecture.size)
            self.register_buffer("mean", torch.zeros(shape))
            self.register_buffer("std", torch.ones(shape))

    def log_spectrum(self, images: Tensor) -> Tensor:
        """log(|dct2(x)| + epsilon), (N, 3, S, S) -> same; the statistics are taken over this."""
        return torch.log(kernels.dct2(images).abs().add_(self.epsilon))

    def block_means(self, images: Tensor, spectra: Tensor) -> Tensor:
        """Means of the log spectrum over a grid of blocks, for scores that look at it.

        Args:
            images: (N, 3, S, S) in [-1, 1].
            spectra: (N, 3, S, S), what a call gives for them; for `log-dct` the means are of these.

        Returns:
            (N, 48): channel, row, column of the block.
        """
        values = spectra if self.transform == "log-dct" else self.log_spectrum(images)
        # a pool adds up each block in one order whatever the number of threads
        return functional.avg_pool2d(values.contiguous(), values.shape[-1] // SPECTRUM_GRID).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, S, S) in [-1, 1] -> (N, 3, S, S)."""
        if self.transform == "rgb":
            return images
        if self.transform == "log-dct":
            return kernels.dct2_log(images, self.mean, self.std, self.epsilon)
        return kernels.dct2(images).mul_(unnormalised_scale(images.shape[-2], images.shape[-1], images))


def unnormalised_scale(height: int, width: int, like: Tensor) -> Tensor:
    """Factor from the orthonormal to the authors' un-normalised DCT-II, (height, width).

    Source: the authors' program uses torch_dct with norm=None; s_0 = 2 sqrt(N), s_k = sqrt(2 N).
    """
    rows = like.new_full((height, 1), (2.0 * height) ** 0.5)
    columns = like.new_full((1, width), (2.0 * width) ** 0.5)
    rows[0].fill_(2.0 * height**0.5)  # no copy from the host, which a CUDA graph could not hold
    columns[0, 0].fill_(2.0 * width**0.5)
    return rows * columns


class Block(nn.Sequential):
    """Convolution, batch norm, leaky ReLU; in training mode on the CPU the last two are one kernel."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=1),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2, inplace=True),  # a tenth less time and a third less memory in training
        )

    def forward(self, values: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        convolution, norm, activation = self
        if not (isinstance(norm, nn.BatchNorm2d) and isinstance(activation, nn.LeakyReLU)):
            raise TypeError("a block is a convolution, batch norm and leaky ReLU")
        values = convolution(values)
        if not norm.training or values.is_cuda:
            return activation(norm(values))  # type: ignore[no-any-return]
        values, mean, variance = kernels.batch_norm_leaky(
            values, norm.weight, norm.bias, norm.eps, activation.negative_slope
        )
        count = values.numel() // max(values.shape[1], 1)
        with torch.no_grad():
            move_statistics([(norm, mean, variance * (count / max(count - 1, 1)))])
        return values


def move_statistics(seen: list[tuple[nn.BatchNorm2d, Tensor, Tensor]]) -> None:
    """What one forward pass in training mode does to the buffers of its batch norms.

    Args:
        seen: each with mean and unbiased variance of the batch, (C,).

    Raises:
        TypeError: batch norm without running statistics, or with their average over all batches.
    """
    moves: dict[float, tuple[list[Tensor], list[Tensor], list[Tensor]]] = {}
    for norm, mean, variance in seen:
        if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
            raise TypeError("batch norm has no running statistics")
        if norm.momentum is None:
            raise TypeError("batch norm averages over all batches, which has no momentum")
        old, new, counts = moves.setdefault(norm.momentum, ([], [], []))
        old += [norm.running_mean, norm.running_var]
        new += [mean, variance]
        counts.append(norm.num_batches_tracked)
    for momentum, (old, new, counts) in moves.items():  # a few launches on a device, however many there are
        torch._foreach_lerp_(old, new, momentum)
        torch._foreach_add_(counts, 1)


class TaskModel(nn.Module):
    """Feature extractor and head in one.

    Args:
        num_classes: K.
        architecture: shapes; see `Architecture`.
    """

    def __init__(self, num_classes: int, architecture: Architecture) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.architecture = architecture
        self.input_layer = SpectralInput(architecture)
        channels = 3
        blocks: list[nn.Module] = []
        for multiple, kernel, stride in _BLOCKS:
            blocks.append(Block(channels, multiple * architecture.width, kernel, stride))
            channels = multiple * architecture.width
        self.trunk = nn.Sequential(*blocks)
        side = architecture.size // 16
        self.neck: nn.Module
        if architecture.neck == "conv1x1":
            self.neck = nn.Sequential(nn.Conv2d(channels, architecture.neck_channels, 1), nn.Flatten())
            features = architecture.neck_channels * side * side
        elif architecture.neck == "pool":
            self.neck = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            features = channels
        else:
            self.neck = nn.Flatten()
            features = channels * side * side
        self.fc = nn.Linear(features, architecture.embedding_dim)
        self.dropout = nn.Dropout(architecture.dropout)
        self.head = nn.Linear(architecture.embedding_dim, num_classes)
        self.training_dtype = torch.float32
        """In training mode the trunk's convolutions multiply values of this dtype; in evaluation mode always those of
        the parameters."""

    def embed(self, spectra: Tensor) -> Tensor:
        """Output of the input layer (N, 3, S, S) -> embedding (N, D), after dropout in training mode."""
        return self.dropout(self.features(spectra))  # type: ignore[no-any-return]

    def features(self, spectra: Tensor) -> Tensor:
        """Output of the input layer (N, 3, S, S) -> embedding (N, D) before dropout."""
        reduced = self.training and self.training_dtype == torch.bfloat16
        with torch.autocast(spectra.device.type, torch.bfloat16) if reduced else nullcontext():
            values = self.neck(self.trunk(spectra))
        return self.fc(values.to(spectra.dtype))  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 3, S, S) in [-1, 1] -> logits (N, K), embedding (N, D)."""
        embedding = self.embed(self.input_layer(images))
        return self.head(embedding), embedding
