"""One known class under every augmenter of a run: POSE's Fig. 5, maps and similarity of the augmenters' spaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forensic.data.layouts import load_image
from forensic.data.prepare import prepare
from forensic.errors import FileOutcome
from forensic.evaluate import tsne
from forensic.models.predict import Predictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forensic.data.layouts import Sample
    from forensic.evaluate.open_space import OpenSpace
    from forensic.models.augmenter import Augmenter
    from forensic.models.feature_extractor import TaskModel

IMAGES = 25
"""Of the class, under every augmenter: 20 augmenters make a map of 525 points, some three seconds of one core."""
_PANELS = 4


@dataclass(frozen=True)
class Panel:
    """The class and its augmented images in the space of one epoch's network."""

    epoch: int
    augmenters: int
    """That this network has met; all of them are shown."""
    sets: NDArray[np.int64]
    """(N,) 0 for an image as it is, else the number of its augmenter, from 1."""
    points: NDArray[np.float64]
    """(N, 2), within [0, 1]."""
    reason: str | None = None
    """Why there is no map."""


@dataclass(frozen=True)
class Augmented:
    """One class under every augmenter."""

    class_name: str
    images: int
    """Of the class, each under every augmenter."""
    similarity: NDArray[np.float64]
    """(1 + A, 1 + A) cosine similarity of mean embeddings under the last network: of the images as they are, then under
    each augmenter."""
    panels: tuple[Panel, ...] = ()
    reason: str | None = None
    """Why there is nothing."""

    @property
    def mean_similarity(self) -> float | None:
        """Mean over the pairs of augmenters; None where there are fewer than two."""
        count = len(self.similarity) - 1
        if count < 2:
            return None
        return float(self.similarity[1:, 1:][np.triu_indices(count, k=1)].mean())


def augment_class(
    space: OpenSpace, samples: Sequence[Sample], class_name: str, *, seed: int, device: str, with_maps: bool
) -> Augmented:
    """The class under every augmenter: similarity under the last network, and maps.

    Each map is of the network of its own epoch, with the augmenters that this network has met. (The authors' notebook
    embeds all of them with the last network: docs/fidelity.md, row AB.)

    Args:
        space: of the run.
        samples: of the class; at most `IMAGES` of them are taken, evenly.
        class_name: for the record.
        seed: of the maps.
        device: `cpu` or `cuda`.
        with_maps: whether maps are made.

    Raises:
        MissingError: a file of the run is damaged.
    """
    nothing = np.zeros((0, 0))
    if not space.at_once:
        return Augmented(class_name, 0, nothing, reason="the run has no augmenters")
    read = [read_tiles(sample, space.preprocessing) for sample in tsne.choose(samples, IMAGES)]
    # one tile each, as in training; of a large picture the one in the middle
    chosen = [tiles[len(tiles) // 2] for tiles in read if not isinstance(tiles, FileOutcome)]
    if not chosen:
        return Augmented(class_name, 0, nothing, reason=f"no images of class {class_name}")
    tiles = np.stack(chosen)
    last = space.epochs
    means = embed_sets(space.network(last), space.augmenters(last), tiles, device).mean(axis=1)
    panels = [_panel(space, epoch, tiles, seed, device) for epoch in panel_epochs(last)] if with_maps else []
    return Augmented(class_name, len(tiles), cosine_similarity(means), tuple(panels))


def read_tiles(sample: Sample, preprocessing: str) -> NDArray[np.uint8] | FileOutcome:
    """Tiles (T, 3, S, S) of an image, or why there are none."""
    try:
        return prepare(load_image(sample), preprocessing).tiles
    except FileOutcome as outcome:
        return outcome


def panel_epochs(last: int) -> list[int]:
    """Four epochs at quarters of a run: 5, 10, 15, 20 of 20; fewer of a short one, and always the last."""
    return sorted({max(1, round(last * quarter / _PANELS)) for quarter in range(1, _PANELS + 1)})


def cosine_similarity(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosines between all pairs of rows (N, D) -> (N, N), in [-1, 1]; 0 against a row of zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    directions = rows / np.where(lengths > 0, lengths, 1.0)
    cosines: NDArray[np.float64] = np.clip(directions @ directions.T, -1.0, 1.0)
    return cosines


def embed_sets(
    model: TaskModel, augmenters: Sequence[Augmenter], tiles: NDArray[np.uint8], device: str
) -> NDArray[np.float64]:
    """Embeddings (1 + A, N, D) of tiles (N, 3, S, S): as they are, then under each augmenter."""
    sets = [Predictor(model, device, augmenter=augmenter)(tiles)[1] for augmenter in (None, *augmenters)]
    return np.stack(sets).astype(np.float64)


def _panel(space: OpenSpace, epoch: int, tiles: NDArray[np.uint8], seed: int, device: str) -> Panel:
    augmenters = space.augmenters(epoch)
    sets = embed_sets(space.network(epoch), augmenters, tiles, device)
    numbers = np.repeat(np.arange(len(sets)), len(tiles))
    embeddings = sets.reshape(-1, sets.shape[-1]).astype(np.float32)
    reason = None
    if len(embeddings) < tsne.LEAST:
        reason = f"fewer than {tsne.LEAST} images"
    elif not np.isfinite(embeddings).all():
        reason = "an embedding is not finite"
    elif (embeddings == embeddings[0]).all():
        reason = "all embeddings are equal"
    points = np.zeros((0, 2)) if reason else tsne.embed(embeddings, seed)
    return Panel(epoch, len(augmenters), numbers, points, reason)
