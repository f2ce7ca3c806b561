"""Mean and deviation of the log spectrum over the training images: buffers of the task model, hence of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from forensic.data.sampler import Batch
from forensic.models.predict import scaled

if TYPE_CHECKING:
    from forensic.data.cache import TrainingImages
    from forensic.data.loader import BatchLoader
    from forensic.models.feature_extractor import TaskModel

_PASS = 2**32 - 1
"""A pass no epoch reaches: crops and re-encoding are drawn as in training, with draws of their own."""
_LEAST_STD = 1e-3
"""A coefficient that hardly varies must not be blown up; log units."""
_CHUNK = 64


def fit_spectrum_statistics(
    model: TaskModel, loader: BatchLoader, images: TrainingImages, most: int, device: torch.device
) -> None:
    """Sets `mean` and `std` of the model's input layer, per channel and coefficient; does nothing for other inputs.

    Args:
        model: changed in place.
        loader: that re-encodes as in training.
        images: all of them count, or `most` taken evenly.
        most: bound on the number of images.
        device: to compute on.
    """
    layer = model.input_layer
    if layer.transform != "log-dct":
        return
    chosen = np.unique(np.linspace(0, len(images) - 1, min(most, len(images))).astype(np.int64))
    total = torch.zeros(layer.mean.shape, dtype=torch.float64, device=device)
    squares = torch.zeros_like(total)
    for at in range(0, len(chosen), _CHUNK):
        indices = chosen[at : at + _CHUNK]
        labels = np.array([images.samples[index].label for index in indices], dtype=np.int64)
        pixels = loader.load(Batch(indices, labels, items=indices), _PASS)
        spectra = layer.log_spectrum(scaled(torch.from_numpy(pixels).to(device))).double()
        total += spectra.sum(dim=0)
        squares += spectra.square().sum(dim=0)
    mean = total / len(chosen)
    variance = (squares / len(chosen) - mean.square()).clamp(min=0)
    layer.mean.copy_(mean)
    layer.std.copy_(variance.sqrt().clamp(min=_LEAST_STD))
