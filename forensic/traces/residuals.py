"""High-pass residuals: what is left of an image when its content, which is smooth, is taken away.

Six differences of neighbours, each of small integers, so that 8-bit pixels give exact float32 values.
Source: the first- and second-order residuals of Fridrich and Kodovsky, "Rich Models for Steganalysis of Digital Images"
(2012), which detectors of generated images have used since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

FILTERS = ("across", "down", "across twice", "down twice", "both", "both twice")
"""First differences along rows and along columns, second ones, and the products of the two of an order."""
BORDER = 4
"""Pixels left out at each side: the filters reach one, and the next multiple of `PERIOD` keeps the phase."""
PERIOD = 4
"""Pixels; two up-samplings by 2."""


def residuals(images: Tensor) -> Tensor:
    """(N, C, H, W) float32, pixels from 0 to 255 -> (N, 6, C, H - 8, W - 8), as `FILTERS` names them.

    `both` is halved and `both twice` quartered, so that all have about the same spread.

    Raises:
        ValueError: no four axes, or a side of 8 pixels or less.
    """
    if images.ndim != 4 or min(images.shape[2:]) <= 2 * BORDER:
        raise ValueError(f"images: expected (N, C, H, W), sides above {2 * BORDER}, got {tuple(images.shape)}")
    height, width = images.shape[2] - 2 * BORDER, images.shape[3] - 2 * BORDER
    first = torch.diff(images, dim=3)[..., BORDER - 2 : BORDER + width + 1]  # x[j + 1] - x[j]
    second = torch.diff(first, dim=3)  # x[j - 1] - 2 x[j] + x[j + 1] around each column, and one to either side
    middle = slice(BORDER, BORDER + height)
    before = slice(BORDER - 1, BORDER + height - 1)
    above, here, below = (images[:, :, at : at + height, BORDER:-BORDER] for at in (BORDER - 1, BORDER, BORDER + 1))
    left = first[..., 1 : 1 + width]  # x[j] - x[j - 1]
    twice = second[..., 1 : 1 + width]
    around = twice[:, :, BORDER - 1 : BORDER + height + 1]
    return torch.stack(
        [
            left[:, :, middle],
            here - above,
            twice[:, :, middle],
            above - 2 * here + below,
            (left[:, :, middle] - left[:, :, before]) / 2,
            (around[:, :, :-2] - 2 * around[:, :, 1:-1] + around[:, :, 2:]) / 4,
        ],
        dim=1,
    )
