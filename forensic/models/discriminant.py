"""Linear discriminant: the few directions in which classes differ more than the images of a class do.

    S_w      covariance of features about their class means, of features standardised over all training images
    shrunk   (1 - lambda) S_w + lambda tr(S_w) / F I
    z        features, whitened by it, in the K - 1 directions that hold the class means

In these coordinates an image of a class has about unit variance in every direction, so that distances are
Mahalanobis distances within the plane of the classes; what lies outside it, content above all, is not looked at.

Source: Fisher's discriminant with a shrunk covariance, Friedman 1989, "Regularized Discriminant Analysis".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SHRINKAGE = 0.2
"""lambda. Between 0.1 and 0.5 the AUROC of osma-mini's left-out classes moves by a hundredth (docs/ablation.md)."""


@dataclass(frozen=True)
class Discriminant:
    """Made by `fit_discriminant`; K classes, F features."""

    names: ClassVar[tuple[str, ...]] = ("offset", "directions", "classes")
    """Of the tensors that a weights file keeps."""

    offset: NDArray[np.float32]
    """(F,) subtracted from features."""
    directions: NDArray[np.float32]
    """(F, K - 1)."""
    classes: NDArray[np.float32]
    """(K, K - 1) class means."""

    def coordinates(self, features: NDArray[np.floating]) -> Floats:
        """(T, F) -> (T, K - 1)."""
        centred = features.astype(np.float64) - self.offset
        coordinates: Floats = centred @ self.directions.astype(np.float64)
        return coordinates

    def squared_distances(self, coordinates: Floats) -> Floats:
        """Of points to the class means, (T, K - 1) -> (T, K)."""
        squared: Floats = ((coordinates[:, None, :] - self.classes.astype(np.float64)) ** 2).sum(axis=2)
        return squared

    def tensors(self) -> dict[str, NDArray[np.floating]]:
        """What a weights file keeps, by name."""
        return {name: getattr(self, name) for name in self.names}


@dataclass(frozen=True)
class Whitening:
    """Shrunk covariance and class means, from which a plane of other classes follows; made by `fit_whitening`."""

    names: ClassVar[tuple[str, ...]] = ("offset", "whitening", "means")
    """Of the tensors that a weights file keeps."""

    offset: NDArray[np.float32]
    """(F,) subtracted from features."""
    whitening: NDArray[np.float32]
    """(F, F), lower triangular W with W W' the inverse covariance: |(x - mean) W| is the Mahalanobis distance."""
    means: NDArray[np.float32]
    """(K, F) of the classes, less the offset."""

    def discriminant(self, means: NDArray[np.floating] | None = None) -> Discriminant:
        """The plane of classes with these means.

        Args:
            means: (C, F), C >= 2, less the offset; the own ones where None.
        """
        chosen = (self.means if means is None else means).astype(np.float64)
        whitening = self.whitening.astype(np.float64)
        directions = (whitening @ _plane(chosen @ whitening)).astype(np.float32)
        return Discriminant(self.offset, directions, (chosen @ directions.astype(np.float64)).astype(np.float32))

    def tensors(self) -> dict[str, NDArray[np.floating]]:
        """What a weights file keeps, by name; of the matrix its lower half, (F (F + 1) / 2,)."""
        lower = np.tril_indices(len(self.whitening))
        return {"offset": self.offset, "whitening": self.whitening[lower], "means": self.means}


def fit_discriminant(
    features: NDArray[np.floating], labels: NDArray[np.integer], num_classes: int, shrinkage: float = SHRINKAGE
) -> Discriminant:
    """Directions and class means.

    Args:
        features: (N, F), at least one row a class.
        labels: (N,) in [0, K).
        num_classes: K, at least 2.
        shrinkage: lambda, from 0 to 1, above 0 where there are fewer images than features.

    Raises:
        ValueError: fewer than two classes, a class without rows, values that are not finite.
    """
    offset, centres, whitening = _fitted(features, labels, num_classes, shrinkage)
    directions = (whitening @ _plane(centres @ whitening)).astype(np.float32)
    return Discriminant(offset, directions, (centres @ directions.astype(np.float64)).astype(np.float32))


def fit_whitening(
    features: NDArray[np.floating], labels: NDArray[np.integer], num_classes: int, shrinkage: float = SHRINKAGE
) -> Whitening:
    """The same, before a plane is chosen.

    Args:
        features: (N, F), at least one row a class.
        labels: (N,) in [0, K).
        num_classes: K, at least 2.
        shrinkage: as for `fit_discriminant`.

    Raises:
        ValueError: as for `fit_discriminant`.
    """
    offset, centres, whitening = _fitted(features, labels, num_classes, shrinkage)
    lower = np.linalg.cholesky(whitening @ whitening.T)  # a rotation of it, at half the size
    return Whitening(offset, lower.astype(np.float32), centres.astype(np.float32))


def whitening_from_tensors(
    tensors: Mapping[str, NDArray[np.generic]], prefix: str, num_classes: int, dimension: int
) -> Whitening:
    """The inverse of `Whitening.tensors`, each name behind a prefix.

    Raises:
        ValueError: a shape does not fit.
    """
    half = (dimension * (dimension + 1) // 2,)
    expected = {"offset": (dimension,), "whitening": half, "means": (num_classes, dimension)}
    found = _shaped(tensors, prefix, expected)
    whole = np.zeros((dimension, dimension), dtype=np.float32)
    whole[np.tril_indices(dimension)] = found["whitening"]
    return Whitening(found["offset"], whole, found["means"])


def _fitted(
    features: NDArray[np.floating], labels: NDArray[np.integer], num_classes: int, shrinkage: float
) -> tuple[NDArray[np.float32], Floats, Floats]:
    """Offset (F,), class means less the offset (K, F), and a matrix (F, F) that whitens."""
    counts = np.bincount(labels, minlength=num_classes)
    if num_classes < 2 or len(counts) > num_classes or (counts == 0).any():
        raise ValueError(f"labels: expected every class of {num_classes} and no other, got counts {counts.tolist()}")
    if not np.isfinite(features).all():
        raise ValueError("features: not finite")
    values = features.astype(np.float64)
    offset = values.mean(axis=0)
    scale = values.std(axis=0)
    scale[scale == 0] = 1.0  # a feature that never changes tells nothing
    values = (values - offset) / scale
    means = np.stack([values[labels == label].mean(axis=0) for label in range(num_classes)])
    within = values - means[labels]
    powers, axes = np.linalg.eigh(within.T @ within / len(within))
    # where all images of a class are equal, any direction is as good as another
    powers = (1 - shrinkage) * powers.clip(0) + shrinkage * powers.mean() if powers.mean() > 0 else powers + 1.0
    stored = offset.astype(np.float32)
    return stored, means * scale + (offset - stored), axes / np.sqrt(powers) / scale[:, None]


def _plane(whitened: Floats) -> Floats:
    """Orthonormal directions that hold the whitened class means, (K, F) -> (F, K - 1)."""
    plane: Floats = np.linalg.svd(whitened - whitened.mean(axis=0), full_matrices=False)[2][: len(whitened) - 1].T
    return plane


def discriminant_from_tensors(
    tensors: Mapping[str, NDArray[np.generic]], prefix: str, num_classes: int, dimension: int
) -> Discriminant:
    """The inverse of `Discriminant.tensors`, each name behind a prefix.

    Raises:
        ValueError: a shape does not fit.
    """
    expected = {
        "offset": (dimension,),
        "directions": (dimension, num_classes - 1),
        "classes": (num_classes, num_classes - 1),
    }
    return Discriminant(**_shaped(tensors, prefix, expected))


def _shaped(
    tensors: Mapping[str, NDArray[np.generic]], prefix: str, expected: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[np.float32]]:
    for name, shape in expected.items():
        if tensors[prefix + name].shape != shape:
            raise ValueError(f"{prefix}{name}: expected {shape}, got {tensors[prefix + name].shape}")
    return {name: tensors[prefix + name].astype(np.float32) for name in expected}
