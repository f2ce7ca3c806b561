"""From the indices of a batch to its pixels: a crop where the image is larger, and a share re-encoded as JPEG.

Every draw is seeded by (seed, pass, item, label), so that a resumed run sees the same pixels, and the distribution is
the same for every class: how an image was compressed must say nothing about who made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forensic.data.cache import TrainingImages
    from forensic.data.sampler import Batch

CROP_STEP = 16
"""Crops start at multiples of this from the picture's corner, as scanned tiles do: the phase of up-sampling by 2, 4, 8
and of JPEG's grid is the same in both."""
_SUBSAMPLINGS = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)


@dataclass(frozen=True)
class Reencoding:
    """How training images are compressed."""

    share: float
    """Of the images, 0..1; the others stay as they are."""
    quality_min: int
    quality_max: int
    """Drawn evenly, both ends included; 4:4:4 and 4:2:0 are equally likely."""


class BatchLoader:
    """Pixels of batches.

    Args:
        images: what to take from.
        seed: of crops and re-encoding.
        side: of the squares, in pixels.
        reencoding: share and qualities.
    """

    def __init__(self, images: TrainingImages, seed: int, side: int, reencoding: Reencoding) -> None:
        self._images = images
        self._seed = seed
        self._side = side
        self._reencoding = reencoding

    def load(self, batch: Batch, pass_index: int) -> NDArray[np.uint8]:
        """Planar pixels of a batch in pass `pass_index`, uint8 (N, 3, side, side)."""
        out = np.empty((len(batch.images), 3, self._side, self._side), dtype=np.uint8)
        for slot, (index, label, item) in enumerate(zip(batch.images, batch.labels, batch.items, strict=True)):
            draws = np.random.default_rng((self._seed, pass_index, 1, int(item), int(label)))
            square = random_crop(self._images[int(index)], self._side, draws)
            out[slot] = reencode(square, self._reencoding, draws).transpose(2, 0, 1)
        return out


def random_crop(pixels: NDArray[np.uint8], side: int, draws: np.random.Generator) -> NDArray[np.uint8]:
    """A square at an origin that is a multiple of 16, (H, W, 3) -> (side, side, 3); one of its size stays whole."""
    row, column = (CROP_STEP * int(draws.integers((extent - side) // CROP_STEP + 1)) for extent in pixels.shape[:2])
    return pixels[row : row + side, column : column + side]


def reencode(square: NDArray[np.uint8], how: Reencoding, draws: np.random.Generator) -> NDArray[np.uint8]:
    """The square as it comes back from a JPEG file, for a share of the draws; uint8 (S, S, 3) RGB -> same."""
    if draws.random() >= how.share:
        return square
    quality = int(draws.integers(how.quality_min, how.quality_max + 1))
    subsampling = _SUBSAMPLINGS[int(draws.integers(len(_SUBSAMPLINGS)))]
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, subsampling]
    _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(square[..., ::-1]), settings)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB), dtype=np.uint8)
