"""A look at the validation images after each epoch: recorded, never a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from forensic.data.loader import Reencoding, random_crop, reencode
from forensic.models.predict import scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forensic.data.cache import TrainingImages
    from forensic.models.feature_extractor import TaskModel

_CHUNK = 32
_JPEG = Reencoding(share=1.0, quality_min=90, quality_max=90)


class Validation:
    """Accuracy on known validation images, as they are and as JPEG of quality 90.

    Args:
        images: known validation images; at most `most` are taken, evenly.
        side: of the squares, in pixels.
        most: bound that keeps an epoch's end short.
    """

    def __init__(self, images: TrainingImages, side: int, most: int = 1000) -> None:
        chosen = np.unique(np.linspace(0, len(images) - 1, min(most, len(images))).astype(np.int64))
        self._labels = np.array([images.samples[index].label for index in chosen], dtype=np.int64)
        draws = np.random.default_rng(0)
        squares = [random_crop(images[int(index)], side, draws) for index in chosen]
        self._plain = _planar(squares)
        self._jpeg = _planar([reencode(square, _JPEG, draws) for square in squares])

    def measure(self, model: TaskModel, device: torch.device) -> dict[str, float]:
        """Shares of images whose largest logit is their class's; the model's mode is left as it was."""
        if not len(self._labels):
            return {}
        training = model.training
        model.eval()
        try:
            return {
                "val_accuracy": self._accuracy(model, self._plain, device),
                "val_accuracy_jpeg90": self._accuracy(model, self._jpeg, device),
            }
        finally:
            model.train(training)

    def _accuracy(self, model: TaskModel, pixels: NDArray[np.uint8], device: torch.device) -> float:
        with torch.inference_mode():
            predicted = [
                model(scaled(torch.from_numpy(pixels[at : at + _CHUNK]).to(device)))[0].argmax(dim=1).cpu().numpy()
                for at in range(0, len(pixels), _CHUNK)
            ]
        return float((np.concatenate(predicted) == self._labels).mean())


def _planar(squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    if not squares:
        return np.empty((0, 3, 0, 0), dtype=np.uint8)
    return np.ascontiguousarray(np.stack(squares).transpose(0, 3, 1, 2))
