"""What the weights say of each image: decoder, preprocessing, network and scorer exactly as in a scan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from forensic.data.ahead import read_ahead
from forensic.data.decode import decode
from forensic.data.prepare import prepare
from forensic.errors import FileOutcome, Skipped, Unreadable
from forensic.models.predict import predict_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from forensic.data.layouts import Sample
    from forensic.models.predict import ImagePredictor
    from forensic.models.weights import Weights

"""Images decoded ahead of the network."""
_JPEG_SIDE = 65_500
"""What libjpeg takes."""


@dataclass(frozen=True)
class Attributed:
    """What the weights say of one image."""

    sample: Sample
    label: int
    """The best class, whatever the threshold."""
    score: float
    accepted: bool
    """Whether the verdict is `known`."""
    confidence: float
    """The largest softmax probability of the logits averaged over the tiles, at temperature 1."""
    tiles: int = 1
    embedding: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    """(D,) mean over the tiles; only of images that were asked for."""


@dataclass(frozen=True)
class LeftOut:
    """An image that got no score."""

    path: str
    reason: str


def attribute(
    weights: Weights,
    predictor: ImagePredictor,
    samples: tuple[Sample, ...],
    *,
    jpeg: int | None = None,
    embed: frozenset[Sample] = frozenset(),
    on_image: Callable[[], None] | None = None,
) -> tuple[list[Attributed], list[LeftOut]]:
    """Attributes every image.

    Args:
        weights: scorer and threshold.
        predictor: of the same weights.
        samples: in any order; a result does not depend on it.
        jpeg: re-encode the upright picture at this quality first (4:2:0, as most files are).
        embed: the samples whose embedding is kept.
        on_image: called for each image.

    Returns:
        What was said, in the order of the samples, and what got no score.
    """
    left_out: list[LeftOut] = []

    def tiles() -> Iterator[tuple[Sample, NDArray[np.uint8]]]:
        for sample, outcome in read_ahead(samples, lambda sample: _tiles(sample, weights.card.preprocessing, jpeg)):
            if isinstance(outcome, FileOutcome):
                left_out.append(LeftOut(str(sample.path), outcome.reason))
            else:
                yield sample, outcome
            if on_image:
                on_image()

    found = []
    for sample, logits, features in predict_images(predictor, tiles()):
        scored = weights.scorer(logits, features)
        found.append(
            Attributed(
                sample=sample,
                label=scored.label,
                score=scored.score,
                accepted=scored.score >= weights.card.threshold.at(len(logits)),
                confidence=largest_softmax(logits),
                tiles=len(logits),
                embedding=features.mean(axis=0)[: weights.scorer.embedding_dim] if sample in embed else None,
            )
        )
    return found, left_out


def largest_softmax(logits: NDArray[np.floating]) -> float:
    """The largest probability of the softmax of averaged logits, in (0, 1].

    Args:
        logits: (T, K), of the T tiles of an image.
    """
    mean = np.asarray(logits, dtype=np.float64).mean(axis=0)
    return float(1.0 / np.exp(mean - mean.max()).sum())


def _tiles(sample: Sample, preprocessing: str, jpeg: int | None) -> NDArray[np.uint8]:
    try:
        data = sample.path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from error
    pixels = decode(data, name=str(sample.path)).pixels
    if jpeg is not None:
        if max(pixels.shape[:2]) > _JPEG_SIDE:
            raise Skipped(f"a side is longer than the {_JPEG_SIDE} px of a JPEG")
        settings = [
            cv2.IMWRITE_JPEG_QUALITY,
            jpeg,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
        ]
        _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], settings)
        pixels = decode(encoded.tobytes(), name="re-encoded.jpg").pixels
    return prepare(pixels, preprocessing).tiles
