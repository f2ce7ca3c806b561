"""From logits and embeddings of one image to its label and its score. What is thresholded, evaluated and reported.

There are two kinds of score; the label is the same in both: argmax of the logits averaged over the image's tiles, the
first on ties.

`sum`, for weights of our own recipe:

    margin    log-odds of the label: l_y - log sum_{k != y} exp(l_k), of the averaged logits
    distance  Mahalanobis distance of an embedding to the mean of class y, averaged over the tiles;
              one covariance shared by all classes, shrunk after Ledoit and Wolf
    score     (margin - mean_m) / std_m - (distance - mean_d) / std_d

Its means and deviations are those of known validation images, as stored and re-encoded, so that a score of 0 is an
ordinary known image. A whole picture also has tiles that say little, so the card may hold a threshold of its own for
images of several tiles.

`softmax`, for the authors' recipe and their published weights:

    score     largest softmax of the averaged logits, at temperature 1 (not the 0.1 of the loss)

Logits are averaged, and not the tiles' softmax values, so that label and score are of the same numbers.

Source: Lee et al. 2018 for the distance; the sum of both, each standardised, is ours, chosen on osma-mini's
training and validation classes (each known class left out in turn). Largest softmax: POSE (CVPR 2023), and its program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ScoreKind = Literal["sum", "softmax"]
KINDS: tuple[ScoreKind, ...] = get_args(ScoreKind)


@dataclass(frozen=True)
class Scored:
    """What was said of one image."""

    label: int
    """The best class: argmax of the averaged logits, the first on ties."""
    score: float
    """Larger = more surely known; finite."""
    per_class: NDArray[np.float64]
    """(K,) the score that each class would give; `score` is that of `label`."""


@dataclass(frozen=True)
class SumScorer:
    """Log-odds margin minus distance: class means, shared covariance and standardisation; made by `fit_scorer`."""

    kind: ClassVar[ScoreKind] = "sum"
    scale: ClassVar[str] = (
        "log-odds margin of the averaged logits minus the Mahalanobis distance to the class mean, each in standard "
        "deviations of known validation images; 0 is an ordinary known image, larger is more surely known"
    )
    """What the card says of the score."""
    names: ClassVar[tuple[str, ...]] = ("means", "whitening", "constants")
    """Of the tensors that a weights file keeps."""

    means: NDArray[np.float32]
    """(K, D)."""
    whitening: NDArray[np.float32]
    """(D, D), W with W W' the inverse covariance: |(z - mean) W| is the distance."""
    constants: NDArray[np.float64]
    """(4,) mean and deviation of the margin, mean and deviation of the distance."""

    def __call__(self, logits: NDArray[np.floating], embeddings: NDArray[np.floating]) -> Scored:
        """Score of one image from its tiles.

        Args:
            logits: (T, K), T >= 1.
            embeddings: (T, D).

        Raises:
            ValueError: another shape, or values that are not finite: such an image must not get a verdict.
        """
        margins, distances = self.margins_and_distances(logits, embeddings)
        margin_mean, margin_std, distance_mean, distance_std = self.constants
        per_class = (margins - margin_mean) / margin_std - (distances - distance_mean) / distance_std
        label = int(np.argmax(np.asarray(logits, dtype=np.float64).mean(axis=0)))
        if not np.isfinite(per_class).all():
            raise ValueError("score: not finite")
        return Scored(label, float(per_class[label]), per_class)

    def margins_and_distances(
        self, logits: NDArray[np.floating], embeddings: NDArray[np.floating]
    ) -> tuple[Floats, Floats]:
        """Log-odds and mean distance of each class, (K,) and (K,) float64; arguments and errors as for a call."""
        _check_tiles(logits, embeddings, *self.means.shape)
        whitening = self.whitening.astype(np.float64)
        # whitened apart, then subtracted: T + K products with the matrix instead of T K
        tiles = embeddings.astype(np.float64) @ whitening
        means = self.means.astype(np.float64) @ whitening
        distances = np.linalg.norm(tiles[:, None, :] - means[None, :, :], axis=2).mean(axis=0)
        return log_odds(np.asarray(logits, dtype=np.float64).mean(axis=0)), distances

    def tensors(self) -> dict[str, NDArray[np.floating]]:
        """What a weights file keeps, by name."""
        return {name: getattr(self, name) for name in self.names}


@dataclass(frozen=True)
class SoftmaxScorer:
    """Largest softmax of the averaged logits; nothing is fitted."""

    kind: ClassVar[ScoreKind] = "softmax"
    scale: ClassVar[str] = (
        "largest softmax of the averaged logits at temperature 1; from 1 / number of classes to 1, larger is more "
        "surely known; it is no probability that the class is right"
    )
    """What the card says of the score."""
    names: ClassVar[tuple[str, ...]] = ("temperature",)
    """Of the tensors that a weights file keeps."""

    num_classes: int
    """K."""
    embedding_dim: int
    """D."""

    def __call__(self, logits: NDArray[np.floating], embeddings: NDArray[np.floating]) -> Scored:
        """Score of one image from its tiles.

        Args:
            logits: (T, K), T >= 1.
            embeddings: (T, D); they are checked and not used.

        Raises:
            ValueError: another shape, or values that are not finite: such an image must not get a verdict.
        """
        _check_tiles(logits, embeddings, self.num_classes, self.embedding_dim)
        mean = np.asarray(logits, dtype=np.float64).mean(axis=0)
        weights = np.exp(mean - mean.max())
        per_class = weights / weights.sum()
        label = int(np.argmax(mean))
        return Scored(label, float(per_class[label]), per_class)

    def tensors(self) -> dict[str, NDArray[np.floating]]:
        """What a weights file keeps, by name: the temperature, which tells the kind to whoever has the tensors only."""
        return {"temperature": np.ones(1, dtype=np.float64)}


Scorer = SumScorer | SoftmaxScorer


def _check_tiles(
    logits: NDArray[np.floating], embeddings: NDArray[np.floating], num_classes: int, dimension: int
) -> None:
    if logits.ndim != 2 or logits.shape[1] != num_classes or logits.shape[0] == 0:
        raise ValueError(f"logits: expected (T, {num_classes}) with T >= 1, got {logits.shape}")
    if embeddings.shape != (logits.shape[0], dimension):
        raise ValueError(f"embeddings: expected ({logits.shape[0]}, {dimension}), got {embeddings.shape}")
    if not (np.isfinite(logits).all() and np.isfinite(embeddings).all()):
        raise ValueError("logits, embeddings: not finite")


def log_odds(logits: Floats) -> Floats:
    """l_k - log sum_{j != k} exp(l_j) for each k; (K,) -> (K,), K >= 2."""
    others = np.where(np.eye(len(logits), dtype=bool), -np.inf, logits[None, :])
    top = others.max(axis=1)
    odds: Floats = logits - (top + np.log(np.exp(others - top[:, None]).sum(axis=1)))
    return odds


def fit_scorer(
    embeddings: NDArray[np.floating],
    labels: NDArray[np.integer],
    validation: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]],
    num_classes: int,
    *,
    kind: ScoreKind = "sum",
) -> Scorer:
    """Fits means and covariance on training images, then the standardisation on known validation images.

    For the kind `softmax` nothing is fitted; what it is given is checked all the same.

    Args:
        embeddings: (N, D) of training images, one or more a class.
        labels: (N,) in [0, K).
        validation: for each image (logits (T, K), embeddings (T, D)); at least one.
        num_classes: K, at least 2.
        kind: of the score.

    Raises:
        ValueError: a class without images, no validation image, fewer than two classes, values that are not finite,
            a kind that there is not.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {kind}")
    if num_classes < 2:
        raise ValueError(f"num_classes: expected at least 2, got {num_classes}")
    if not validation:
        raise ValueError("validation: expected at least one image, got none")
    if not np.isfinite(embeddings).all():
        raise ValueError("embeddings: not finite")
    counts = np.bincount(labels, minlength=num_classes)
    if (counts == 0).any():
        raise ValueError(f"labels: class {int(np.argmin(counts))} has no image")
    if kind == "softmax":
        return SoftmaxScorer(num_classes, embeddings.shape[1])
    values = embeddings.astype(np.float64)
    means = np.stack([values[labels == label].mean(axis=0) for label in range(num_classes)]).astype(np.float32)
    whitening = _whitening(values - means.astype(np.float64)[labels])
    unscaled = SumScorer(means, whitening, np.array([0.0, 1.0, 0.0, 1.0]))
    margins, distances = np.empty(len(validation)), np.empty(len(validation))
    for place, (logits, tiles) in enumerate(validation):
        margin, distance = unscaled.margins_and_distances(logits, tiles)
        label = int(np.argmax(np.asarray(logits, dtype=np.float64).mean(axis=0)))
        margins[place], distances[place] = margin[label], distance[label]
    constants = np.array([margins.mean(), _deviation(margins), distances.mean(), _deviation(distances)])
    return SumScorer(means, whitening, constants)


def scorer_from_tensors(
    tensors: Mapping[str, NDArray[np.generic]], kind: str, num_classes: int, embedding_dim: int
) -> Scorer:
    """The inverse of `Scorer.tensors`.

    Args:
        tensors: by name.
        kind: of the score, as the card says.
        num_classes: K.
        embedding_dim: D.

    Raises:
        ValueError: a kind that there is not, a tensor is missing or of another kind, or shapes or values do not fit.
    """
    if kind not in KINDS:
        raise ValueError(f"the kind {kind!r} is unknown to this version")
    names = SoftmaxScorer.names if kind == "softmax" else SumScorer.names
    for name in sorted(tensors.keys() ^ set(names)):
        raise ValueError(f"{name}: {'missing' if name in names else f'unexpected for the kind {kind}'}")
    if kind == "softmax":
        if tensors["temperature"].shape != (1,) or tensors["temperature"][0] != 1:
            raise ValueError("temperature: must be 1")
        return SoftmaxScorer(num_classes, embedding_dim)
    means, whitening = tensors["means"].astype(np.float32), tensors["whitening"].astype(np.float32)
    constants = tensors["constants"].astype(np.float64)
    for name, value, expected in (
        ("means", means, (num_classes, embedding_dim)),
        ("whitening", whitening, (embedding_dim, embedding_dim)),
        ("constants", constants, (4,)),
    ):
        if value.shape != expected:
            raise ValueError(f"{name}: expected {expected}, got {value.shape}")
    if not (constants[1] > 0 and constants[3] > 0):
        raise ValueError("constants: deviations must be above 0")
    return SumScorer(means, whitening, constants)


def shrunk_covariance(centred: Floats) -> Floats:
    """Covariance of (N, D) rows whose mean is 0, shrunk towards a multiple of the identity; (D, D).

    Source: Ledoit and Wolf 2004, "A well-conditioned estimator", lemma 3.1 with their estimates of its terms.
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
    """W with W W' the inverse of the shrunk covariance of (N, D) rows whose mean is 0."""
    covariance = shrunk_covariance(centred)
    scale = float(np.trace(covariance)) / len(covariance)
    if scale <= 0:  # all embeddings of a class are equal: any direction is as good as another
        return np.eye(len(covariance), dtype=np.float32)
    # a floor far below the shrinkage: only one image a class, or a dead direction, ever meets it
    lower = np.linalg.cholesky(np.linalg.inv(covariance + 1e-6 * scale * np.eye(len(covariance))))
    whitening: NDArray[np.float32] = lower.astype(np.float32)
    return whitening


def _deviation(values: Floats) -> float:
    spread = float(values.std())
    return spread if spread > 0 else 1.0
