"""Places to clusters: principal components, then HDBSCAN, or k-means where the number is given.

    PCA       of the whitened traces, 8 directions: in more, noise drowns what differs; in the plane of the known
              classes alone, sources that differ in none of its directions fall together (docs/discovery.md)
    HDBSCAN   by a tree of the places, never a table of all pairs; what lies in no cluster is noise
    k-means   the best of 10 starts; no noise

Above `MOST` images the clusters are those of a sample, drawn by hash and seed; each other image goes where its nearest
sampled image is, if it lies no farther from it than that one's fifth neighbour does, and else is noise.

Sources: Campello, Moulavi and Sander 2013; Arthur and Vassilvitskii 2007, by scikit-learn.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DIRECTIONS = 8
LEAST = 5
"""Images, and groups that look alike, of a cluster; and neighbours that make a place dense."""
MOST = 50_000
"""Images that are clustered themselves; the rest is assigned."""
NOISE = -1
_STARTS = 10
_ROWS = 4096


def reduce(places: NDArray[np.float32], directions: int = DIRECTIONS) -> Floats:
    """Principal components, each with the sign that makes its largest loading positive.

    Args:
        places: (N, F).
        directions: at most so many.

    Returns:
        (N, min(directions, F, max(N - 1, 0))).
    """
    count, width = places.shape
    kept = min(directions, width, max(count - 1, 0))
    if kept == 0:
        return np.zeros((count, 0))
    mean = places.mean(axis=0, dtype=np.float64)
    scatter = np.zeros((width, width))
    for start in range(0, count, _ROWS):
        centred = places[start : start + _ROWS] - mean
        scatter += centred.T @ centred
    axes = np.linalg.eigh(scatter)[1][:, ::-1][:, :kept]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(kept)])
    return np.concatenate([(places[start : start + _ROWS] - mean) @ axes for start in range(0, count, _ROWS)])


def cluster(
    points: Floats, hashes: Sequence[str], *, k: int | None = None, seed: int = 0, most: int = MOST
) -> NDArray[np.int64]:
    """A number for each image, `NOISE` where it lies in no cluster.

    Args:
        points: (N, D) in the order of the hashes.
        hashes: SHA-256 of each, rising.
        k: number of clusters, for k-means; HDBSCAN where None.
        seed: of k-means, and of the sample above `most`.
        most: images that are clustered themselves.

    Returns:
        (N,); the numbers themselves mean nothing.

    Raises:
        ValueError: hashes do not rise, or k is under 1 or above N.
    """
    if any(one >= other for one, other in pairwise(hashes)):
        raise ValueError("hashes: must rise, so that the order of findings does not matter")
    if k is not None:
        if not 1 <= k <= len(points):
            raise ValueError(f"k: expected 1 to {len(points)}, got {k}")
        return _k_means(points, k, seed)
    if len(points) < 2 * LEAST:
        return np.full(len(points), NOISE)
    if len(points) <= most:
        return _density(points)
    drawn = sorted(range(len(points)), key=lambda row: hashlib.sha256(f"{seed}:{hashes[row]}".encode()).digest())
    return _assigned(points, np.sort(drawn[:most]))


def _density(points: Floats) -> NDArray[np.int64]:
    from sklearn.cluster import HDBSCAN  # noqa: PLC0415 - a second of import that only clustering needs

    # a tree: "auto" may take a table of all pairs
    method = HDBSCAN(min_cluster_size=LEAST, min_samples=LEAST, algorithm="kd_tree", copy=True)
    labels = np.asarray(method.fit_predict(points), dtype=np.int64)
    return np.where(labels < 0, NOISE, labels)


def _k_means(points: Floats, k: int, seed: int) -> NDArray[np.int64]:
    from sklearn.cluster import KMeans  # noqa: PLC0415 - as above
    from threadpoolctl import (  # type: ignore[import-untyped]  # noqa: PLC0415 - scikit-learn brings it
        threadpool_limits,
    )

    values = points if points.shape[1] else np.zeros((len(points), 1))
    with threadpool_limits(1):  # several threads add in any order
        labels = KMeans(k, n_init=_STARTS, random_state=seed).fit_predict(values)
    return np.asarray(labels, dtype=np.int64)


def _assigned(points: Floats, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415 - as above

    sampled = points[drawn]
    own = _density(sampled)
    tree = NearestNeighbors(algorithm="kd_tree").fit(sampled)
    reach = tree.kneighbors(sampled, LEAST)[0][:, -1]
    labels = np.full(len(points), NOISE)
    labels[drawn] = own
    rest = np.setdiff1d(np.arange(len(points)), drawn)
    distances, nearest = tree.kneighbors(points[rest], 1)
    near = distances[:, 0] <= reach[nearest[:, 0]]
    labels[rest[near]] = own[nearest[near, 0]]
    return labels
