"""Whether two sets of images come from one generator, known to the weights or not: two-covariance verification.

    z       traces (`forensic.traces`) of an image, mean over its tiles, in the plane of the training classes, whitened
            within classes; what lies outside the plane is content above all
    z_mean  of n images of one generator: N(m, B + 1 / n), m the generator's own place, B its spread over generators
    raw     log p(z_a, z_b | one generator) - log p(z_a) p(z_b), summed over the directions of the plane
    ratio   slope * raw + intercept, by the numbers of images: a logistic fit on generators that the plane never saw

Training classes are left out two at a time; the plane is fitted to the others, pairs of sets are drawn from the two:
one generator or two, never a photograph on both sides, each side as stored or re-encoded. The shares of errors are
counted for each two generators with a calibration from pairs in which neither takes part.

Sources. The model: Brummer and de Villiers 2010, "The speaker partitioning problem"; Ioffe 2006, "Probabilistic Linear
Discriminant Analysis". The calibration: logistic regression with the targets of Platt 1999. C_llr: Brummer and du Preez
2006, "Application-independent evaluation of speaker detection".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np

from forensic.calibration.logistic import newton
from forensic.metrics.openset import auroc
from forensic.models.score_kinds import TRACE_FEATURES, appended

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from forensic.data.sample import Sample

    Floats = NDArray[np.float64]

Verdict = Literal["same source", "different sources", "no decision"]

SHRINKAGE = 0.3
"""Of the covariance within classes, towards a multiple of the identity. At 0.1 single images have 0.01 less AUROC."""
COUNTS = (1, 3, 10)
"""Numbers of images whose pairs are calibrated; a set counts as the largest that it reaches."""
DECISION = 1.0
"""log10 of the ratio from which a verdict falls: ten times as probable under one of the two as under the other."""
LIMIT = 2.0
"""No log10 beyond it is told: a handful of generators can not show errors rarer than one in a hundred."""
_DRAWS = 40
"""Pairs of sets for each two generators, order of the two and row."""
_MOST_FOLDS = 28
"""Pairs of classes that are left out; evenly chosen where there are more."""
_LEAST_CLASSES = 5
"""With fewer, less than three would be left for a plane."""


@dataclass(frozen=True)
class Compared:
    """What was said of two sets."""

    verdict: Verdict
    log10_ratio: float
    """Calibrated, from -2 to 2; above 0: one generator explains both better than two do."""
    raw: float
    """Before calibration, natural logarithm."""
    counts: tuple[int, int]
    """The row of the calibration, smaller set first."""


@dataclass(frozen=True)
class Verification:
    """Made by `fit_verification`; D = K - 1 directions of F traces."""

    names: ClassVar[tuple[str, ...]] = ("offset", "directions", "between", "calibration")
    """Of the tensors that a weights file keeps."""

    offset: NDArray[np.float32]
    """(F,) mean of the class means."""
    directions: NDArray[np.float32]
    """(F, D)."""
    between: NDArray[np.float64]
    """(D,) variance of the classes' means; within a class it is 1."""
    calibration: NDArray[np.float64]
    """(R, 4): images in the smaller and in the larger set, slope, intercept."""

    def place(self, traces: NDArray[np.floating]) -> Floats:
        """Of one image from its tiles, (T, F) -> (D,)."""
        centred = traces.astype(np.float64).mean(axis=0) - self.offset
        place: Floats = centred @ self.directions.astype(np.float64)
        return place

    def __call__(self, one: NDArray[np.floating], other: NDArray[np.floating]) -> Compared:
        """Compares two sets of places.

        Args:
            one: (N, D), N >= 1.
            other: (M, D), M >= 1.

        Raises:
            ValueError: an empty set, another shape, or values that are not finite.
        """
        for places in (one, other):
            if places.ndim != 2 or not len(places) or places.shape[1] != len(self.between):
                raise ValueError(f"places: expected (N, {len(self.between)}) with N >= 1, got {places.shape}")
            if not np.isfinite(places).all():
                raise ValueError("places: not finite")
        sizes = (len(one), len(other))
        raw = float(log_ratio(one.mean(axis=0)[None], other.mean(axis=0)[None], sizes, self.between)[0])
        row = self._row(min(sizes), max(sizes))
        found = float(np.clip((row[2] * raw + row[3]) / np.log(10), -LIMIT, LIMIT))
        return Compared(_verdict(found), found, raw, (int(row[0]), int(row[1])))

    def _row(self, smaller: int, larger: int) -> Floats:
        fits = [row for row in self.calibration if row[0] <= smaller and row[1] <= larger]
        best: Floats = max(fits, key=lambda row: (row[0], row[1]))
        return best

    def tensors(self) -> dict[str, NDArray[np.floating]]:
        """What a weights file keeps, by name."""
        return {name: getattr(self, name) for name in self.names}


def _verdict(found: float) -> Verdict:
    if found >= DECISION:
        return "same source"
    return "different sources" if found <= -DECISION else "no decision"


def log_ratio(one: Floats, other: Floats, sizes: tuple[int, int], between: Floats) -> Floats:
    """Logarithm of p(one, other | one generator) / p(one) p(other) for means, (P, D) twice -> (P,).

    Args:
        one: means of `sizes[0]` images.
        other: means of `sizes[1]` images.
        sizes: images in a set.
        between: (D,) variance over generators.
    """
    first, second = between + 1 / sizes[0], between + 1 / sizes[1]
    determinant = first * second - between**2
    squares = second * one**2 + first * other**2  # in an order that gives both ways round the same bits
    together = (squares - 2 * between * (one * other)) / determinant
    apart = one**2 / first + other**2 / second
    ratio: Floats = 0.5 * (apart - together + np.log(first * second / determinant)).sum(axis=1)
    return ratio


def verification_from_tensors(tensors: Mapping[str, NDArray[np.generic]], num_classes: int) -> Verification:
    """The inverse of `Verification.tensors`.

    Args:
        tensors: by name.
        num_classes: K; directions are (900, K - 1), calibration is (R, 4).

    Raises:
        ValueError: a tensor is missing or unexpected, or shapes or values do not fit.
    """
    for name in sorted(tensors.keys() ^ set(Verification.names)):
        raise ValueError(f"{name}: {'missing' if name in Verification.names else 'unexpected'}")
    directions = num_classes - 1
    rows = tensors["calibration"].shape[0] if tensors["calibration"].ndim else 0
    expected = {
        "offset": (TRACE_FEATURES,),
        "directions": (TRACE_FEATURES, directions),
        "between": (directions,),
        "calibration": (max(rows, 1), 4),
    }
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise ValueError(f"{name}: expected {shape}, got {tensors[name].shape}")
    found = {name: tensors[name].astype(np.float64) for name in expected}
    if found["calibration"][0, :2].tolist() != [1, 1] or (found["calibration"][:, 2] < 0).any():
        raise ValueError("calibration: must begin with single images, and its slopes be 0 or more")
    if (found["between"] < 0).any():
        raise ValueError("between: variances must be 0 or more")
    return Verification(
        tensors["offset"].astype(np.float32),
        tensors["directions"].astype(np.float32),
        found["between"],
        found["calibration"],
    )


class Fitted(NamedTuple):
    """A verification, and the card's block on what it is worth; nothing where there is nothing to measure on."""

    verification: Verification | None
    block: dict[str, Any]


def verification_of_training(
    features: NDArray[np.floating], labels: NDArray[np.integer], samples: Sequence[Sample], score: str, seed: int
) -> Fitted:
    """At the end of a training: fitted where the score has traces.

    Args:
        features: (N, D + 900) of training images in all forms, those of an image one behind the other.
        labels: (N,).
        samples: the images.
        score: the kind.
        seed: of the run.
    """
    if appended(score) != "traces":
        return Fitted(None, {})
    forms = len(labels) // len(samples)
    photos = [sample.photo or str(sample.path) for sample in samples for _ in range(forms)]
    return fit_verification(features[:, -TRACE_FEATURES:], labels, photos, forms, seed=seed)


@dataclass(frozen=True)
class _Moments:
    """Of the images of one class."""

    count: int
    mean: Floats
    scatter: Floats
    """(F, F) around the mean, divided by the count."""


def fit_verification(
    traces: NDArray[np.floating], labels: NDArray[np.integer], photos: Sequence[str], forms: int, *, seed: int
) -> Fitted:
    """The plane of all classes, a calibration from classes that were left out, and what it is worth.

    Args:
        traces: (N, F) of training images, one tile each; the forms of an image stand one behind the other.
        labels: (N,) in [0, K), every class with an image.
        photos: (N,) the photograph of each image, or its own name.
        forms: rows an image.
        seed: of the drawn pairs.

    Returns:
        Nothing where there are fewer than five classes, or a class has images of one photograph only.
    """
    values = traces.astype(np.float64)
    num_classes = int(labels.max()) + 1
    if num_classes < _LEAST_CLASSES:
        return Fitted(None, {})
    moments = [_moments(values[labels == label]) for label in range(num_classes)]
    names = np.asarray(photos)
    draws = np.random.default_rng((seed, 3))  # 1 and 2: the loader's and the finisher's
    halves = _halves(names, labels[::forms], forms, num_classes, draws)
    smallest = min(len(rows) for rows in halves.values())
    rows = [(a, b) for a in COUNTS for b in COUNTS if a <= b <= smallest]
    if not rows:
        return Fitted(None, {})
    folds = list(combinations(range(num_classes), 2))
    folds = folds[:: -(-len(folds) // _MOST_FOLDS)]
    scores = {row: _Pairs() for row in rows}
    for fold in folds:
        offset, directions, between = _plane([moments[label] for label in range(num_classes) if label not in fold])
        places = (values - offset) @ directions
        for row in rows:
            for one in fold:
                for other in fold:
                    means = [
                        _means(places, halves[label, side], forms, row[side], draws)
                        for side, label in enumerate((one, other))
                    ]
                    scores[row].add(fold, log_ratio(means[0], means[1], row, between), same=one == other)
    calibration = np.array([(*row, *_logistic(pairs.same(), pairs.different())) for row, pairs in scores.items()])
    offset, directions, between = _plane(moments)
    found = Verification(offset.astype(np.float32), directions.astype(np.float32), between, calibration)
    block = {
        "measured_on": f"pairs of sets of training images of two of {num_classes} classes, the plane and the "
        f"calibration fitted without these two, {len(folds)} times; no photograph on both sides"
        + (", each side as stored or re-encoded as training images are" if forms > 1 else ""),
        "decision_log10": DECISION,
        "limit_log10": LIMIT,
        "rows": [{"images": list(row), **pairs.measured()} for row, pairs in scores.items()],
    }
    return Fitted(found, block)


def _moments(values: Floats) -> _Moments:
    mean = values.mean(axis=0)
    centred = values - mean
    return _Moments(len(values), mean, centred.T @ centred / len(values))


def _plane(classes: Sequence[_Moments]) -> tuple[Floats, Floats, Floats]:
    """Offset, whitened directions that hold the class means, and the means' variance along each."""
    means = np.stack([one.mean for one in classes])
    offset = means.mean(axis=0)
    shares = np.array([one.count for one in classes]) / sum(one.count for one in classes)
    within = sum(share * one.scatter for share, one in zip(shares, classes, strict=True))
    scale = np.sqrt(np.diag(within) + ((means - offset) ** 2).mean(axis=0))
    scale[scale == 0] = 1.0  # a feature that never changes tells nothing
    covariance = within / scale[:, None] / scale[None, :]
    power = float(np.trace(covariance)) / len(covariance)
    shrunk = (1 - SHRINKAGE) * covariance + (SHRINKAGE * power if power > 0 else 1.0) * np.eye(len(covariance))
    centred = (means - offset) / scale
    solved = np.linalg.solve(shrunk, centred.T)  # (F, K)
    powers, axes = np.linalg.eigh(centred @ solved)  # the smallest is 0: the means are centred
    powers, axes = powers[:0:-1], axes[:, :0:-1]
    directions = solved @ axes / np.sqrt(np.maximum(powers, 1e-12)) / scale[:, None]
    return offset, directions, powers.clip(0) / (len(classes) - 1)


def _halves(
    photos: NDArray[np.str_], labels: NDArray[np.integer], forms: int, num_classes: int, draws: np.random.Generator
) -> dict[tuple[int, int], NDArray[np.int64]]:
    """(class, side) -> indices of images: the photographs are parted, the same way for all classes."""
    of_images = photos[::forms]
    distinct = draws.permutation(np.unique(of_images))
    first = np.isin(of_images, distinct[: len(distinct) // 2])
    return {
        (label, side): np.flatnonzero((labels == label) & (first == (side == 0)))
        for label in range(num_classes)
        for side in (0, 1)
    }


def _means(places: Floats, images: NDArray[np.int64], forms: int, count: int, draws: np.random.Generator) -> Floats:
    """Means of `_DRAWS` sets of so many images; a set is in one form, half of the sets are as stored."""
    chosen = np.stack([draws.choice(images, count, replace=False) for _ in range(_DRAWS)])
    form = draws.integers(0, 2, _DRAWS) * (draws.integers(1, forms, _DRAWS) if forms > 1 else 0)
    means: Floats = places[chosen * forms + form[:, None]].mean(axis=1)
    return means


class _Pairs:
    """Raw ratios of one row of the calibration, by the two generators that were left out."""

    def __init__(self) -> None:
        self._found: dict[tuple[bool, tuple[int, int]], list[Floats]] = {}

    def add(self, fold: tuple[int, int], raw: Floats, *, same: bool) -> None:
        self._found.setdefault((same, fold), []).append(raw)

    def same(self) -> Floats:
        return self._some(without=(), same=True)

    def different(self) -> Floats:
        return self._some(without=(), same=False)

    def _some(self, *, without: tuple[int, ...], same: bool) -> Floats:
        return np.concatenate(
            [
                raw
                for (kind, fold), some in self._found.items()
                if kind == same and not set(fold) & set(without)
                for raw in some
            ]
        )

    def measured(self) -> dict[str, Any]:
        """Shares of errors, of each two generators with a calibration without them; for the card."""
        told: dict[bool, list[Floats]] = {True: [], False: []}
        worst = 0.0
        for fold in sorted({fold for _, fold in self._found}):
            slope, intercept = _logistic(self._some(without=fold, same=True), self._some(without=fold, same=False))
            for kind in (True, False):
                ratios = (slope * np.concatenate(self._found[kind, fold]) + intercept) / np.log(10)
                told[kind].append(np.clip(ratios, -LIMIT, LIMIT))
            worst = max(worst, float((told[False][-1] >= DECISION).mean()))
        same, different = np.concatenate(told[True]), np.concatenate(told[False])
        cost = np.log2(1 + 10**-same).mean() + np.log2(1 + 10**different).mean()
        shares = {
            "false_same": (different >= DECISION).mean(),
            "false_same_worst_two": worst,
            "false_different": (same <= -DECISION).mean(),
            "undecided_same": (np.abs(same) < DECISION).mean(),
            "undecided_different": (np.abs(different) < DECISION).mean(),
            "auroc": auroc(self.same(), self.different()).value or 0.0,
            "c_llr": cost / 2,
        }
        return {"pairs_same": len(same), "pairs_different": len(different)} | {
            name: round(float(value), 4) for name, value in shares.items()
        }


def _logistic(same: Floats, different: Floats) -> tuple[float, float]:
    """Slope, at least 0, and intercept of the log-odds at even odds, by Newton's steps on Platt's smoothed targets."""
    values = np.concatenate([same, different])
    targets = np.concatenate(
        [np.full(len(same), (len(same) + 1) / (len(same) + 2)), np.full(len(different), 1 / (len(different) + 2))]
    )
    shares = np.concatenate([np.full(len(same), 0.5 / len(same)), np.full(len(different), 0.5 / len(different))])
    spread = float(values.std()) or 1.0
    centre = float(np.median(values))
    first, intercept = newton((values - centre) / spread, targets, shares, steps=100, ridge=1e-9, smallest=1e-10)
    slope = max(first / spread, 0.0)
    return slope, intercept - slope * centre
