"""Which images an evaluation is about, and what the weights say of each.

An image passes the decoder, the preprocessing, the network and the scorer exactly as in a scan.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2

from forensic.data.decode import decode
from forensic.data.layouts import Layout, Sample, read_flat, read_unseen
from forensic.data.prepare import prepare
from forensic.errors import FileOutcome, MissingError, Unreadable, UsageError
from forensic.models.predict import Predictor, predict_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from forensic.models.weights import Weights

ALL = "all"
"""Name of the group that pools every unknown image."""
VALIDATION = "val_unseen"
"""Name of the group of validation unknowns where the layout names none."""
_AHEAD = 64
"""Images decoded ahead of the network."""


@dataclass(frozen=True)
class Selection:
    """Known images, labelled as the weights label, and unknown ones by group."""

    known: tuple[Sample, ...]
    unknown: dict[str, tuple[Sample, ...]]


@dataclass(frozen=True)
class Attributed:
    """What the weights say of one image."""

    sample: Sample
    label: int
    """The best class, whatever the threshold."""
    score: float
    accepted: bool
    """Whether the verdict is `known`."""


@dataclass(frozen=True)
class LeftOut:
    """An image that got no score."""

    path: str
    reason: str


def select(
    layout: Layout, classes: tuple[str, ...], *, on: str = "test", unseen: Path | None = None, real: Path | None = None
) -> Selection:
    """The images to evaluate on.

    Args:
        layout: where the images are.
        classes: of the weights, in label order.
        on: `test` or `val`.
        unseen: class folders, or group folders of them, in place of the layout's unknowns.
        real: a flat folder in place of the layout's images of class `real`.

    Raises:
        MissingError: the layout has a class that the weights do not know, or a named folder holds no images.
        UsageError: `real` is named and the weights have no such class, or a group is called `all`.
    """
    foreign = [name for name in layout.classes if name not in classes]
    if foreign:
        raise MissingError(
            str(layout.root),
            f"has the known class {foreign[0]}, which these weights do not know",
            f"They know {', '.join(classes)}",
        )
    labels = [classes.index(name) for name in layout.classes]
    known = tuple(
        replace(sample, label=labels[sample.label]) for sample in (layout.val if on == "val" else layout.test)
    )
    if real is not None:
        if "real" not in classes:
            raise UsageError(f"--real {real}", "these weights have no class `real`")
        label = classes.index("real")
        instead = read_flat(real, label, "real")
        if not instead:
            raise MissingError(str(real), "holds no images")
        known = instead + tuple(sample for sample in known if sample.label != label)
    if unseen is not None:
        unknown = read_unseen(unseen)
    elif on == "val":
        unknown = {VALIDATION: layout.val_unseen} if layout.val_unseen else {}
    else:
        unknown = layout.unseen
    if ALL in unknown:
        raise UsageError(str(unseen or layout.root), f"a group may not be called `{ALL}`: that name pools all groups")
    return Selection(known, {group: samples for group, samples in unknown.items() if samples})


def attribute(
    weights: Weights,
    predictor: Predictor,
    samples: tuple[Sample, ...],
    *,
    jpeg: int | None = None,
    on_image: Callable[[], None] | None = None,
) -> tuple[list[Attributed], list[LeftOut]]:
    """Attributes every image.

    Args:
        weights: scorer and threshold.
        predictor: of the same weights.
        samples: in any order; a result does not depend on it.
        jpeg: re-encode the upright picture at this quality first (4:2:0, as most files are).
        on_image: called for each image.

    Returns:
        What was said, in the order of the samples, and what got no score.
    """
    left_out: list[LeftOut] = []

    def tiles() -> Iterator[tuple[Sample, NDArray[np.uint8]]]:
        for sample, outcome in _read_all(samples, weights.card.preprocessing, jpeg):
            if isinstance(outcome, FileOutcome):
                left_out.append(LeftOut(str(sample.path), outcome.reason))
            else:
                yield sample, outcome
            if on_image:
                on_image()

    found = []
    for sample, logits, embeddings in predict_images(predictor, tiles()):
        scored = weights.scorer(logits, embeddings)
        accepted = scored.score >= weights.card.threshold.at(len(logits))
        found.append(Attributed(sample, scored.label, scored.score, accepted))
    return found, left_out


def _read_all(
    samples: tuple[Sample, ...], preprocessing: str, jpeg: int | None
) -> Iterator[tuple[Sample, NDArray[np.uint8] | FileOutcome]]:
    def read(sample: Sample) -> NDArray[np.uint8] | FileOutcome:
        try:
            return _tiles(sample, preprocessing, jpeg)
        except FileOutcome as outcome:
            return outcome

    with ThreadPoolExecutor(2) as pool:
        # blocks bound what is decoded ahead; the order is that of the samples
        for start in range(0, len(samples), _AHEAD):
            block = samples[start : start + _AHEAD]
            yield from zip(block, pool.map(read, block), strict=True)


def _tiles(sample: Sample, preprocessing: str, jpeg: int | None) -> NDArray[np.uint8]:
    try:
        data = sample.path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from error
    pixels = decode(data, name=str(sample.path)).pixels
    if jpeg is not None:
        settings = [
            cv2.IMWRITE_JPEG_QUALITY,
            jpeg,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
        ]
        _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], settings)
        pixels = decode(encoded.tobytes(), name="re-encoded.jpg").pixels
    return prepare(pixels, preprocessing).tiles
