"""Pictures to their scores, exactly as a scan gives them with torch in float32 on a processor."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forensic.calibration.pictures import Condition, Picture
from forensic.data.ahead import read_ahead
from forensic.data.decode import decode
from forensic.data.jpeg_quality import jpeg_quality
from forensic.data.prepare import prepare
from forensic.errors import FileOutcome, Unreadable
from forensic.models.predict import Predictor, predict_images
from forensic.models.score_kinds import TRACE_FEATURES, appended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from forensic.data.layouts import Sample
    from forensic.models.weights import Weights


class LeftOut(NamedTuple):
    """A picture that got no score."""

    path: str
    reason: str


@dataclass(frozen=True)
class Scored:
    """A picture with its path and, where the score has them, its traces."""

    picture: Picture
    path: str
    traces: NDArray[np.float32] | None
    """(900,) mean over the tiles."""


@dataclass(frozen=True)
class _Read:
    sample: Sample
    sha256: str
    condition: Condition
    tiles: NDArray[np.uint8]


def score_pictures(
    weights: Weights, samples: Sequence[Sample], *, on_picture: Callable[[], None] | None = None
) -> tuple[list[Scored], list[LeftOut]]:
    """Scores every picture.

    Args:
        weights: what scores.
        samples: in any order; a score does not depend on it.
        on_picture: called for each.

    Returns:
        What got a score, in the order of the samples, and what did not.
    """
    left_out: list[LeftOut] = []

    def tiles() -> Iterator[tuple[_Read, NDArray[np.uint8]]]:
        for sample, read in read_ahead(samples, lambda sample: _read(sample, weights.card.preprocessing)):
            if isinstance(read, FileOutcome):
                left_out.append(LeftOut(str(sample.path), read.reason))
            else:
                yield read, read.tiles
            if on_picture:
                on_picture()

    found = []
    with_traces = appended(weights.scorer.kind) == "traces"
    for read, logits, features in predict_images(Predictor(weights), tiles()):
        sample = read.sample
        try:
            scored = weights.scorer(logits, features)
        except ValueError:
            left_out.append(LeftOut(str(sample.path), "the network gives no finite score for it"))
            continue
        picture = Picture(
            sha256=read.sha256,
            unit=sample.photo or read.sha256,
            source=sample.source,
            label=sample.label,
            best=scored.label,
            per_class=scored.per_class,
            condition=read.condition,
        )
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        found.append(Scored(picture, str(sample.path), mean[-TRACE_FEATURES:] if with_traces else None))
    return found, left_out


def score_sides(
    weights: Weights,
    known: Sequence[Sample],
    unknown: Sequence[Sample],
    on_picture: Callable[[int, int], None] | None = None,
) -> tuple[list[Scored], list[Scored], list[LeftOut]]:
    """Scores the pictures of both sides; `on_picture` is called with (done, total).

    Returns:
        The known, the unknown, and what got no score.
    """
    total, done = len(known) + len(unknown), 0

    def count() -> None:
        nonlocal done
        done += 1
        if on_picture:
            on_picture(done, total)

    first, missed = score_pictures(weights, known, on_picture=count)
    second, missed_too = score_pictures(weights, unknown, on_picture=count)
    return first, second, [*missed, *missed_too]


def _read(sample: Sample, preprocessing: str) -> _Read:
    """Hash and pixels of the same bytes."""
    try:
        data = sample.path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from error
    decoded = decode(data, name=str(sample.path))
    tiles = prepare(decoded.pixels, preprocessing).tiles
    height, width = decoded.pixels.shape[:2]
    condition = Condition(decoded.format, width, height, len(tiles), jpeg_quality(data))
    return _Read(sample, hashlib.sha256(data).hexdigest(), condition, tiles)
