"""The step from stored pixels to what the network sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from forensic.models.predict import scaled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


def to_network(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """uint8 (N, 3, S, S) -> float32 in [-1, 1] on the device, by the arithmetic of scan time."""
    return scaled(torch.from_numpy(pixels).to(device))
