"""A look at the validation images after each epoch: recorded, never a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from forensic.data.loader import Reencoding, random_crop, reencode
from forensic.metrics.openset import auroc
from forensic.models.predict import scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forensic.data.cache import TrainingImages
    from forensic.models.feature_extractor import TaskModel

_CHUNK = 32
_JPEG = Reencoding(share=1.0, quality_min=90, quality_max=90)


class Validation:
    """Accuracy on known validation images, as they are and as JPEG of quality 90, and AUROC against unknown ones.

    Args:
        images: known validation images; at most `most` are taken, evenly.
        side: of the squares, in pixels.
        unknown: validation unknowns, likewise; None where there are none.
        most: bound that keeps an epoch's end short.
    """

    def __init__(
        self, images: TrainingImages, side: int, unknown: TrainingImages | None = None, most: int = 1000
    ) -> None:
        draws = np.random.default_rng(0)
        chosen = _evenly(images, most)
        self._labels = np.array([images.samples[index].label for index in chosen], dtype=np.int64)
        squares = [random_crop(images[index], side, draws) for index in chosen]
        self._plain = _planar(squares)
        self._jpeg = _planar([reencode(square, _JPEG, draws) for square in squares])
        others = (
            [] if unknown is None else [random_crop(unknown[index], side, draws) for index in _evenly(unknown, most)]
        )
        self._unknown = _planar(others)

    def measure(self, model: TaskModel, device: torch.device) -> dict[str, float]:
        """Shares of images whose largest logit is their class's, and `val_auroc` by largest softmax.

        The model's mode is left as it was. A measure without images to take it from is absent.
        """
        if not len(self._labels):
            return {}
        training = model.training
        model.eval()
        try:
            plain, jpeg = (self._logits(model, pixels, device) for pixels in (self._plain, self._jpeg))
            measured = {
                "val_accuracy": float((plain.argmax(dim=1).numpy() == self._labels).mean()),
                "val_accuracy_jpeg90": float((jpeg.argmax(dim=1).numpy() == self._labels).mean()),
            }
            if len(self._unknown):
                sides = (plain, self._logits(model, self._unknown, device))
                scores = [side.double().softmax(dim=1).amax(dim=1).numpy() for side in sides]
                if all(np.isfinite(side).all() for side in scores):  # weights may be finite and logits overflow
                    found = auroc(*scores)
                    measured |= {} if found.value is None else {"val_auroc": found.value}
            return measured
        finally:
            model.train(training)

    @staticmethod
    def _logits(model: TaskModel, pixels: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
        with torch.inference_mode():
            return torch.cat(
                [
                    model(scaled(torch.from_numpy(pixels[at : at + _CHUNK]).to(device)))[0].cpu()
                    for at in range(0, len(pixels), _CHUNK)
                ]
            )


def _evenly(images: TrainingImages, most: int) -> list[int]:
    return [int(index) for index in np.unique(np.linspace(0, len(images) - 1, min(most, len(images))).astype(np.int64))]


def _planar(squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    if not squares:
        return np.empty((0, 3, 0, 0), dtype=np.uint8)
    return np.ascontiguousarray(np.stack(squares).transpose(0, 3, 1, 2))
