"""t-SNE of embeddings, known and unknown together: the map of POSE's Fig. 4.

A map shows neighbourhoods; distances between far groups, areas and densities in it mean nothing.

Source: van der Maaten and Hinton 2008, by scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from forensic.data.layouts import Sample
    from forensic.evaluate.images import Attributed

MOST = 300
"""Images of each side, known and unknown, in a map: some three seconds of one core for both."""
LEAST = 10
"""Fewer images make no map."""
PERPLEXITY = 30.0


@dataclass(frozen=True)
class Map:
    """Images in the plane, or the reason why there is no map."""

    samples: tuple[Sample, ...]
    points: NDArray[np.float64]
    """(N, 2), within [0, 1]."""
    reason: str | None = None


def draw_map(found: Sequence[Attributed], seed: int) -> Map:
    """The map of the images whose embedding was kept; it does not depend on their order.

    Args:
        found: images of an evaluation.
        seed: of t-SNE.
    """
    rows = {entry.sample: entry.embedding for entry in found if entry.embedding is not None}
    samples = tuple(sorted(rows, key=_place))
    nothing = np.zeros((0, 2))
    if len(samples) < LEAST:
        return Map((), nothing, f"fewer than {LEAST} images")
    embeddings = np.stack([rows[sample] for sample in samples])
    if (embeddings == embeddings[0]).all():
        return Map((), nothing, "all embeddings are equal")
    return Map(samples, embed(embeddings, seed))


def choose(samples: Sequence[Sample], most: int = MOST) -> list[Sample]:
    """At most `most` samples (but one of each class), as many of each class as of any other, evenly over its paths.

    The choice depends neither on the order of the samples nor on a seed.
    """
    classes: dict[Hashable, list[Sample]] = {}
    for sample in sorted(samples, key=_place):
        classes.setdefault((sample.group, sample.source), []).append(sample)
    share = max(1, most // max(1, len(classes)))
    return [
        entries[step * len(entries) // min(share, len(entries))]
        for entries in classes.values()
        for step in range(min(share, len(entries)))
    ]


def embed(embeddings: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """A map of embeddings in the plane.

    Args:
        embeddings: (N, D), finite, N at least `LEAST` and not all rows equal.
        seed: of the map.

    Returns:
        (N, 2), within [0, 1]; the same for the same embeddings in the same order on the same machine.

    Raises:
        ValueError: too few rows, all of them equal, or values that are not finite.
    """
    if embeddings.ndim != 2 or len(embeddings) < LEAST:
        raise ValueError(f"embeddings: expected (N, D) with N >= {LEAST}, got {embeddings.shape}")
    if not np.isfinite(embeddings).all():
        raise ValueError("embeddings: not finite")
    if (embeddings == embeddings[0]).all():
        raise ValueError("embeddings: all rows are equal")
    from sklearn.manifold import TSNE  # noqa: PLC0415 - a second of import that most evaluations do without
    from threadpoolctl import (  # type: ignore[import-untyped]  # noqa: PLC0415 - scikit-learn brings it
        threadpool_limits,
    )

    method = TSNE(
        perplexity=min(PERPLEXITY, (len(embeddings) - 1) / 3), init="pca", learning_rate="auto", random_state=seed
    )
    with threadpool_limits(1):  # several threads add in any order, and a map magnifies the last bit
        plane = np.asarray(method.fit_transform(embeddings), dtype=np.float64)
    low, high = plane.min(axis=0), plane.max(axis=0)
    # one scale for both axes, so that the map is not stretched
    side = float((high - low).max()) or 1.0
    spread: NDArray[np.float64] = (plane - (low + high) / 2) / side + 0.5
    return spread


def _place(sample: Sample) -> tuple[str, str, str]:
    return sample.group or "", sample.source, str(sample.path)
