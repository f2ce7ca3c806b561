"""The augmenter A: two convolutions that change an image's trace and little else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from forensic import kernels


class Augmenter(nn.Module):
    """Two convolutions without activation between them, zero padding, stride 1.

    Args:
        channels: C, between the two.
        kernel: k, odd.

    Parameters are as the kernel wants them: w1 (C, 3, k, k), b1 (C,), w2 (3, C, k, k), b2 (3,).
    Source: POSE, section 3.2; the authors' program: C = 32, k = 3.
    """

    def __init__(self, channels: int = 32, kernel: int = 3) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.zeros(channels, 3, kernel, kernel))
        self.b1 = nn.Parameter(torch.zeros(channels))
        self.w2 = nn.Parameter(torch.zeros(3, channels, kernel, kernel))
        self.b2 = nn.Parameter(torch.zeros(3))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> same; neither clamped nor rounded."""
        augmented: Tensor = kernels.augment(images, self.w1, self.b1, self.w2, self.b2)
        return augmented
