"""One Gaussian a class with a covariance shared by all, and one over all classes: distances of an image's tiles.

Source: Lee et al. 2018, "A Simple Unified Framework for Detecting Out-of-Distribution Samples", for the distance to a
class; Ren et al. 2021, "A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection", for the relative one;
Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices", for the shrinkage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Gaussians:
    """Of features of F numbers; made by `fit_gaussians`."""

    names: ClassVar[tuple[str, ...]] = ("means", "whitening")
    overall_names: ClassVar[tuple[str, ...]] = ("centre", "whitening_of_all")
    """Of the tensors that a weights file keeps: always, and where distances are relative."""

    means: NDArray[np.float32]
    """(K, F)."""
    whitening: NDArray[np.float32]
    """(F, F), lower triangular W with W W' the inverse covariance: |(z - mean) W| is the distance."""
    centre: NDArray[np.float32] | None = None
    """(F,) mean of all classes' images."""
    whitening_of_all: NDArray[np.float32] | None = None
    """(F, F), of their covariance around it."""

    def distances(self, features: NDArray[np.floating]) -> Floats:
        """Mahalanobis distance of each tile to each class, (T, F) -> (T, K)."""
        whitening = self.whitening.astype(np.float64)
        # whitened apart, then subtracted: T + K products with the matrix instead of T K
        tiles = features.astype(np.float64) @ whitening
        means = self.means.astype(np.float64) @ whitening
        distances: Floats = np.linalg.norm(tiles[:, None, :] - means[None, :, :], axis=2)
        return distances

    def nearness(self, features: NDArray[np.floating]) -> Floats:
        """d_all^2 - d_k^2 of each tile, (T, F) -> (T, K): how much better class k explains it than all classes do.

        What makes a picture odd whatever made it, flat sky or fine texture, is far from both and cancels.

        Raises:
            TypeError: fitted without the Gaussian over all classes.
        """
        if self.centre is None or self.whitening_of_all is None:
            raise TypeError("fitted without the Gaussian over all classes")
        away = (features.astype(np.float64) - self.centre) @ self.whitening_of_all.astype(np.float64)
        nearness: Floats = (away**2).sum(axis=1)[:, None] - self.distances(features) ** 2
        return nearness

    def tensors(self) -> dict[str, NDArray[np.floating]]:
        """What a weights file keeps, by name; of two triangular matrices the lower halves, (F (F + 1) / 2,) each."""
        if self.centre is None or self.whitening_of_all is None:
            return {"means": self.means, "whitening": self.whitening}
        lower = np.tril_indices(len(self.whitening))
        return {
            "means": self.means,
            "whitening": self.whitening[lower],
            "centre": self.centre,
            "whitening_of_all": self.whitening_of_all[lower],
        }


def fit_gaussians(
    features: NDArray[np.floating], labels: NDArray[np.integer], num_classes: int, *, overall: bool
) -> Gaussians:
    """Means and shrunk covariances.

    Args:
        features: (N, F), at least one row a class.
        labels: (N,) in [0, K).
        num_classes: K.
        overall: with the Gaussian over all classes.
    """
    values = features.astype(np.float64)
    means = np.stack([values[labels == label].mean(axis=0) for label in range(num_classes)]).astype(np.float32)
    whitening = _whitening(values - means.astype(np.float64)[labels])
    if not overall:
        return Gaussians(means, whitening)
    centre = values.mean(axis=0).astype(np.float32)
    return Gaussians(means, whitening, centre, _whitening(values - centre))


def gaussians_from_tensors(
    tensors: Mapping[str, NDArray[np.generic]], prefix: str, num_classes: int, dimension: int, *, overall: bool
) -> Gaussians:
    """The inverse of `Gaussians.tensors`, each name behind a prefix.

    Raises:
        ValueError: a shape does not fit.
    """
    half = (dimension * (dimension + 1) // 2,)
    expected: dict[str, tuple[int, ...]] = {"means": (num_classes, dimension), "whitening": (dimension, dimension)}
    if overall:
        expected |= {"whitening": half, "centre": (dimension,), "whitening_of_all": half}
    for name, shape in expected.items():
        if tensors[prefix + name].shape != shape:
            raise ValueError(f"{prefix}{name}: expected {shape}, got {tensors[prefix + name].shape}")
    values = {name: tensors[prefix + name].astype(np.float32) for name in expected}
    if overall:
        lower = np.tril_indices(dimension)
        for name in ("whitening", "whitening_of_all"):
            whole = np.zeros((dimension, dimension), dtype=np.float32)
            whole[lower] = values[name]
            values[name] = whole
    return Gaussians(**values)


def shrunk_covariance(centred: Floats) -> Floats:
    """Covariance of (N, F) rows whose mean is 0, shrunk towards a multiple of the identity; (F, F).

    Source: Ledoit and Wolf 2004, lemma 3.1 with their estimates of its terms.
    """
    count, dimension = centred.shape
    sample = centred.T @ centred / count
    scale = float(np.trace(sample)) / dimension
    squared = float((sample**2).sum())
    spread = squared - dimension * scale**2
    noise = (float(((centred**2).sum(axis=1) ** 2).mean()) - squared) / count
    shrinkage = min(max(noise / spread, 0.0), 1.0) if spread > 0 else 1.0
    shrunk: Floats = (1 - shrinkage) * sample + shrinkage * scale * np.eye(dimension)
    return shrunk


def _whitening(centred: Floats) -> NDArray[np.float32]:
    """W with W W' the inverse of the shrunk covariance of (N, F) rows whose mean is 0."""
    covariance = shrunk_covariance(centred)
    scale = float(np.trace(covariance)) / len(covariance)
    if scale <= 0:  # all features of a class are equal: any direction is as good as another
        return np.eye(len(covariance), dtype=np.float32)
    # a floor far below the shrinkage: only one image a class, or a dead direction, ever meets it
    lower = np.linalg.cholesky(np.linalg.inv(covariance + 1e-6 * scale * np.eye(len(covariance))))
    whitening: NDArray[np.float32] = lower.astype(np.float32)
    return whitening
