"""From logits and features of one image to its label and its score. What is thresholded, evaluated and reported.

The label is the argmax of the logits averaged over the image's tiles, the first on ties; with traces that of the
score. A kind is one term or the sum of several, for the class y of the label:

    log-odds   l_y - log sum_{k != y} exp(l_k)
    margin     l_y - max_{k != y} l_k
    energy     log sum_k exp(l_k)
    distance   Mahalanobis distance of the embedding to the mean of class y (it is subtracted)
    relative   d_all^2 - d_y^2 of the embedding: how much better class y explains it than all classes together
    spectrum   d_all^2 - d_y^2 of the means of the log spectrum over a grid of 4 x 4 blocks, 48 numbers
    trace-distance   distance of the traces to the mean of class y in the plane of the classes (it is subtracted)
    trace-margin     min_{k != y} d_k^2 - d_y^2 there: twice the log-odds of two Gaussians

l are the averaged logits, distances are averaged over the tiles (`forensic.models.gaussians`); traces
(`forensic.traces`) are averaged first, in the plane (`forensic.models.discriminant`). Every term is
standardised by its mean and deviation over known validation images, as stored and re-encoded, before it is added, so
that a score of 0 is an ordinary known image. A whole picture also has tiles that say little, so the card may hold a
threshold of its own for images of several tiles. Logits are averaged, and not the tiles' softmax values, so that label
and score are of the same numbers.

    softmax    largest softmax of the averaged logits, at temperature 1 (not the 0.1 of the loss), not standardised;
               for the authors' recipe and their published weights. It orders images as the log-odds do.

Sources. softmax: POSE (CVPR 2023) and its program; Hendrycks and Gimpel 2017. energy: Liu et al. 2020. distance: Lee et
al. 2018. relative: Ren et al. 2021. spectrum, the traces, and the sums: ours; docs/ablation.md has what each gave.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from forensic.models.discriminant import Discriminant, discriminant_from_tensors, fit_discriminant
from forensic.models.gaussians import Gaussians, fit_gaussians, gaussians_from_tensors
from forensic.models.score_kinds import (
    APPENDED,
    KINDS,
    OF_LOGITS,
    SPECTRUM_FEATURES,
    TERMS,
    TRACE_FEATURES,
    WEIGHTS,
    WORDS,
    ScoreKind,
    Term,
    appended,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SUBTRACTED = frozenset({"distance", "trace-distance"})
_PLANE = "trace_"
"""Prefix of the discriminant's tensors."""
_PREFIXES = {"distance": "", "relative": "", "spectrum": "spectrum_"}
"""Terms with Gaussians -> prefix of their tensors."""


@dataclass(frozen=True)
class Scored:
    """What was said of one image."""

    label: int
    """The best class."""
    score: float
    """Larger = more surely known; finite."""
    per_class: NDArray[np.float64]
    """(K,) the score that each class would give; `score` is that of `label`."""


@dataclass(frozen=True)
class StandardisedScorer:
    """The sum of a kind's terms, each standardised; made by `fit_scorer`."""

    kind: ScoreKind
    num_classes: int
    """K."""
    embedding_dim: int
    """D."""
    gaussians: Mapping[str, Gaussians]
    """Prefix of their tensors -> Gaussians of what a term measures."""
    constants: NDArray[np.float64]
    """(2 n,) mean and deviation of each term."""
    discriminant: Discriminant | None = None
    """Of the traces, for the kind that has them."""

    @property
    def scale(self) -> str:
        """What the card says of the score."""
        return (
            f"{WORDS[self.kind]} in standard deviations of known validation images; 0 is an ordinary known image, "
            "larger is more surely known"
        )

    @property
    def num_features(self) -> int:
        """Columns of the features that a call takes."""
        return self.embedding_dim + APPENDED[appended(self.kind)]

    def __call__(self, logits: NDArray[np.floating], features: NDArray[np.floating]) -> Scored:
        """Score of one image from its tiles.

        Args:
            logits: (T, K), T >= 1; of any number of columns where no term looks at them.
            features: (T, D) embeddings, with what `appended` names behind them.

        Raises:
            ValueError: another shape, or values that are not finite: such an image must not get a verdict.
        """
        per_class = self._per_class(logits, features)
        if not np.isfinite(per_class).all():
            raise ValueError("score: not finite")
        label = int(np.argmax(per_class if self.discriminant else _mean(logits)))
        return Scored(label, float(per_class[label]), per_class)

    def lead(self, logits: NDArray[np.floating], features: NDArray[np.floating]) -> float:
        """By how much the label is ahead of the next class in what decides it; arguments and errors as for a call."""
        return _lead(self._per_class(logits, features) if self.discriminant else _mean(logits))

    def _per_class(self, logits: NDArray[np.floating], features: NDArray[np.floating]) -> Floats:
        per_class = np.zeros(self.num_classes)
        for place, (term, values) in enumerate(self.terms(logits, features).items()):
            mean, deviation = self.constants[2 * place : 2 * place + 2]
            standardised = WEIGHTS.get((self.kind, term), 1.0) * ((values - mean) / deviation)
            per_class = per_class - standardised if term in _SUBTRACTED else per_class + standardised
        return per_class

    def terms(self, logits: NDArray[np.floating], features: NDArray[np.floating]) -> dict[Term, Floats]:
        """Each term before standardisation, for each class (K,) float64; arguments and errors as for a call."""
        looked_at = not OF_LOGITS.isdisjoint(TERMS[self.kind]) or appended(self.kind) != "traces"
        columns = self.num_classes if looked_at else logits.shape[-1]
        _check_tiles(logits, features, columns, self.num_features)
        mean = _mean(logits)
        found: dict[Term, Floats] = {}
        squared = np.zeros(0)
        if self.discriminant is not None:
            place = self.discriminant.coordinates(features[:, -TRACE_FEATURES:]).mean(axis=0)
            squared = self.discriminant.squared_distances(place[None, :])[0]
        for term in TERMS[self.kind]:
            if term == "log-odds":
                found[term] = log_odds(mean)
            elif term == "margin":
                found[term] = mean - _others(mean).max(axis=1)
            elif term == "energy":
                found[term] = np.full(self.num_classes, _log_sum_exp(mean[None, :])[0])
            elif term == "trace-margin":
                found[term] = -_others(-squared).max(axis=1) - squared
            elif term == "trace-distance":
                found[term] = np.sqrt(squared)
            else:
                gaussians = self.gaussians[_PREFIXES[term]]
                values = _columns(features, self.embedding_dim, spectrum=term == "spectrum")
                tiles = gaussians.distances(values) if term == "distance" else gaussians.nearness(values)
                found[term] = tiles.mean(axis=0)
        return found

    def tensors(self) -> dict[str, NDArray[np.floating]]:
        """What a weights file keeps, by name."""
        named: dict[str, NDArray[np.floating]] = {"constants": self.constants}
        for prefix, gaussians in self.gaussians.items():
            named |= {prefix + name: value for name, value in gaussians.tensors().items()}
        if self.discriminant is not None:
            named |= {_PLANE + name: value for name, value in self.discriminant.tensors().items()}
        return named


@dataclass(frozen=True)
class SoftmaxScorer:
    """Largest softmax of the averaged logits; nothing is fitted."""

    kind: ClassVar[ScoreKind] = "softmax"
    scale: ClassVar[str] = (
        "largest softmax of the averaged logits at temperature 1; from 1 / number of classes to 1, larger is more "
        "surely known; it is no probability that the class is right"
    )
    """What the card says of the score."""

    num_classes: int
    """K."""
    embedding_dim: int
    """D."""

    def __call__(self, logits: NDArray[np.floating], features: NDArray[np.floating]) -> Scored:
        """Score of one image from its tiles.

        Args:
            logits: (T, K), T >= 1.
            features: (T, D) embeddings; they are checked and not used.

        Raises:
            ValueError: another shape, or values that are not finite: such an image must not get a verdict.
        """
        _check_tiles(logits, features, self.num_classes, self.embedding_dim)
        mean = _mean(logits)
        weights = np.exp(mean - mean.max())
        per_class = weights / weights.sum()
        label = int(np.argmax(mean))
        return Scored(label, float(per_class[label]), per_class)

    def lead(self, logits: NDArray[np.floating], features: NDArray[np.floating]) -> float:
        """By how much the label's averaged logit is ahead of the next; arguments and errors as for a call."""
        _check_tiles(logits, features, self.num_classes, self.embedding_dim)
        return _lead(_mean(logits))

    def tensors(self) -> dict[str, NDArray[np.floating]]:
        """What a weights file keeps, by name: the temperature, which tells the kind to whoever has the tensors only."""
        return {"temperature": np.ones(1, dtype=np.float64)}


Scorer = StandardisedScorer | SoftmaxScorer


def _check_tiles(logits: NDArray[np.floating], features: NDArray[np.floating], num_classes: int, columns: int) -> None:
    if logits.ndim != 2 or logits.shape[1] != num_classes or logits.shape[0] == 0:
        raise ValueError(f"logits: expected (T, {num_classes}) with T >= 1, got {logits.shape}")
    if features.shape != (logits.shape[0], columns):
        raise ValueError(f"features: expected ({logits.shape[0]}, {columns}), got {features.shape}")
    if not (np.isfinite(logits).all() and np.isfinite(features).all()):
        raise ValueError("logits, features: not finite")


def _columns(features: NDArray[np.floating], dimension: int, *, spectrum: bool) -> NDArray[np.floating]:
    """Of features: the embeddings, or the block means behind them."""
    return features[:, dimension : dimension + SPECTRUM_FEATURES] if spectrum else features[:, :dimension]


def _mean(logits: NDArray[np.floating]) -> Floats:
    """(T, K) -> (K,)."""
    mean: Floats = np.asarray(logits, dtype=np.float64).mean(axis=0)
    return mean


def _lead(values: Floats) -> float:
    """The largest of (K,) less the second."""
    second, first = np.partition(values, -2)[-2:]
    return float(first - second)


def log_odds(logits: Floats) -> Floats:
    """l_k - log sum_{j != k} exp(l_j) for each k; (K,) -> (K,), K >= 2."""
    odds: Floats = logits - _log_sum_exp(_others(logits))
    return odds


def _others(logits: Floats) -> Floats:
    """(K,) -> (K, K): row k has the logits of all classes but k, and -inf in its place."""
    others: Floats = np.where(np.eye(len(logits), dtype=bool), -np.inf, logits[None, :])
    return others


def _log_sum_exp(rows: Floats) -> Floats:
    """(N, K) -> (N,)."""
    top = rows.max(axis=1)
    summed: Floats = top + np.log(np.exp(rows - top[:, None]).sum(axis=1))
    return summed


def fit_scorer(
    features: NDArray[np.floating],
    labels: NDArray[np.integer],
    validation: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]],
    num_classes: int,
    *,
    kind: ScoreKind = "sum",
) -> Scorer:
    """Fits means and covariances on training images, then the standardisation on known validation images.

    For the kind `softmax` nothing is fitted; what it is given is checked all the same.

    Args:
        features: (N, D) embeddings of training images, one or more a class, with what `appended` names behind them.
        labels: (N,) in [0, K).
        validation: for each image (logits (T, K), features (T, the same columns)); at least one.
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
    if not np.isfinite(features).all():
        raise ValueError("features: not finite")
    counts = np.bincount(labels, minlength=num_classes)
    if (counts == 0).any():
        raise ValueError(f"labels: class {int(np.argmin(counts))} has no image")
    dimension = features.shape[1] - APPENDED[appended(kind)]
    if kind == "softmax":
        return SoftmaxScorer(num_classes, dimension)
    gaussians = {
        prefix: fit_gaussians(
            _columns(features, dimension, spectrum=bool(prefix)), labels, num_classes, overall=overall
        )
        for prefix, overall in _gaussians_of(kind).items()
    }
    traces = features[:, -TRACE_FEATURES:]
    plane = fit_discriminant(traces, labels, num_classes) if appended(kind) == "traces" else None
    unscaled = StandardisedScorer(kind, num_classes, dimension, gaussians, _unscaled(kind), plane)
    return _standardised(unscaled, validation)


def scorer_of_plane(
    plane: Discriminant, validation: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]], embedding_dim: int
) -> StandardisedScorer:
    """The score `traces-alone` in a plane that is there, standardised on known validation images as in `fit_scorer`.

    Args:
        plane: of K classes.
        validation: for each image (logits (T, any), features (T, D + 948)); at least one.
        embedding_dim: D.
    """
    kind: ScoreKind = "traces-alone"
    unscaled = StandardisedScorer(kind, len(plane.classes), embedding_dim, {}, _unscaled(kind), plane)
    return _standardised(unscaled, validation)


def _unscaled(kind: ScoreKind) -> Floats:
    return np.tile([0.0, 1.0], len(TERMS[kind]))


def _standardised(
    unscaled: StandardisedScorer, validation: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]]
) -> StandardisedScorer:
    found = np.empty((len(validation), len(TERMS[unscaled.kind])))
    for place, (logits, tiles) in enumerate(validation):
        terms = unscaled.terms(logits, tiles)
        label = int(np.argmin(terms["trace-distance"]) if unscaled.discriminant else np.argmax(_mean(logits)))
        found[place] = [values[label] for values in terms.values()]
    constants = np.array(
        [number for column in np.ascontiguousarray(found.T) for number in (column.mean(), _deviation(column))]
    )
    return replace(unscaled, constants=constants)


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
    fitted = {} if kind == "softmax" else _gaussians_of(kind)
    names = {"temperature"} if kind == "softmax" else {"constants"}
    for prefix, overall in fitted.items():
        names |= {prefix + name for name in Gaussians.names + (Gaussians.overall_names if overall else ())}
    if appended(kind) == "traces":
        names |= {_PLANE + name for name in Discriminant.names}
    for name in sorted(tensors.keys() ^ names):
        raise ValueError(f"{name}: {'missing' if name in names else f'unexpected for the kind {kind}'}")
    if kind == "softmax":
        if tensors["temperature"].shape != (1,) or tensors["temperature"][0] != 1:
            raise ValueError("temperature: must be 1")
        return SoftmaxScorer(num_classes, embedding_dim)
    gaussians = {
        prefix: gaussians_from_tensors(
            tensors, prefix, num_classes, SPECTRUM_FEATURES if prefix else embedding_dim, overall=overall
        )
        for prefix, overall in fitted.items()
    }
    plane = None
    if appended(kind) == "traces":
        plane = discriminant_from_tensors(tensors, _PLANE, num_classes, TRACE_FEATURES)
    constants = tensors["constants"].astype(np.float64)
    if constants.shape != (2 * len(TERMS[kind]),):
        raise ValueError(f"constants: expected ({2 * len(TERMS[kind])},), got {constants.shape}")
    if not (constants[1::2] > 0).all():
        raise ValueError("constants: deviations must be above 0")
    return StandardisedScorer(kind, num_classes, embedding_dim, gaussians, constants, plane)


def _gaussians_of(kind: str) -> dict[str, bool]:
    """Prefix of the tensors -> whether distances are relative, for the Gaussians that a kind has."""
    return {_PREFIXES[term]: term != "distance" for term in TERMS[kind] if term in _PREFIXES}


def _deviation(values: Floats) -> float:
    spread = float(values.std())
    return spread if spread > 0 else 1.0
