"""How the open space of a run grew: POSE's Fig. 7 from the network of each epoch, and Fig. 5 of one class.

A network alone has neither a fitted scorer nor a threshold, so known and unknown are told apart by the largest softmax
probability at temperature 1, of the logits averaged over an image's tiles.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forensic.errors import FileOutcome, MissingError, UsageError
from forensic.evaluate.augmented import Augmented, augment_class, read_tiles
from forensic.evaluate.images import LeftOut, largest_softmax
from forensic.evaluate.selection import ALL
from forensic.metrics.bootstrap import percentile_interval, photograph_weights, wilson
from forensic.metrics.measure import NO_KNOWN, Interval, Measure
from forensic.metrics.measured import REPLICATES, Measured
from forensic.metrics.openset import auroc, auroc_replicates
from forensic.models.predict import Predictor, predict_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from forensic.data.layouts import Sample
    from forensic.evaluate.open_space import OpenSpace
    from forensic.evaluate.selection import Selection

SCORE = "largest softmax at temperature 1"
_AHEAD = 64
"""Images decoded by the threads at a time."""
_TILES = 4096
"""Tiles held at once, 200 MB: images are decoded once for all epochs, however many there are."""


@dataclass(frozen=True)
class HistoryPlan:
    """What is measured of a run."""

    space: OpenSpace
    selection: Selection
    """Labelled in the run's classes."""
    class_name: str
    """The known class whose images are augmented."""
    seed: int = 0
    """Of the bootstrap and of the maps."""
    replicates: int = REPLICATES
    device: str = "cpu"
    with_maps: bool = False


class Point(NamedTuple):
    """The network at the end of one epoch."""

    epoch: int
    augmenters: int
    """That it has met."""
    accuracy: Measured
    """Closed-set."""
    auroc: dict[str, Measured]
    """Known images against each group of unknown ones, and against `all`."""


@dataclass(frozen=True)
class History:
    """The outcome of a plan."""

    points: tuple[Point, ...]
    known: int
    """Known images with a score."""
    groups: dict[str, int]
    """Likewise, of each group of unknown ones and of `all`."""
    augmented: Augmented
    left_out: tuple[LeftOut, ...]
    """Images that got no score, by path."""

    @property
    def is_progressive(self) -> bool:
        """Whether the number of augmenters tells the epochs apart."""
        return len({point.augmenters for point in self.points}) == len(self.points)


class _Said(NamedTuple):
    """What the networks of E epochs say of one image."""

    labels: list[int]
    confidences: list[float]


def first_generator(classes: Sequence[str]) -> str:
    """The first class that is no camera."""
    return next((name for name in classes if name != "real"), classes[0])


def measure_history(plan: HistoryPlan, on_image: Callable[[int, int], None] | None = None) -> History:
    """Measures every epoch of a run; the outcome depends on the images and not on their order.

    Args:
        plan: what to do.
        on_image: called with (done, total), where each epoch counts every image.

    Raises:
        MissingError: a file of the run is damaged, or its network gives a score that is not finite.
        UsageError: a class that the run does not know.
    """
    space, selection = plan.space, plan.selection
    if plan.class_name not in space.classes:
        known_ones = f"It knows {', '.join(space.classes)}"
        raise UsageError(f"--class {plan.class_name}", "is no known class of this run", known_ones)
    label = space.classes.index(plan.class_name)
    unknown = tuple(sample for samples in selection.unknown.values() for sample in samples)
    said, left_out = _score(plan, selection.known + unknown, on_image)
    known = [sample for sample in selection.known if sample in said]
    groups = {name: [sample for sample in samples if sample in said] for name, samples in selection.unknown.items()}
    groups[ALL] = [sample for samples in groups.values() for sample in samples]
    return History(
        points=_points(plan, known, groups, said),
        known=len(known),
        groups={name: len(samples) for name, samples in groups.items()},
        augmented=augment_class(
            space,
            [sample for sample in known if sample.label == label],
            plan.class_name,
            seed=plan.seed,
            device=plan.device,
            with_maps=plan.with_maps,
        ),
        left_out=tuple(sorted(left_out, key=lambda entry: entry.path)),
    )


def _score(
    plan: HistoryPlan, samples: tuple[Sample, ...], on_image: Callable[[int, int], None] | None
) -> tuple[dict[Sample, _Said], list[LeftOut]]:
    epochs = range(1, plan.space.epochs + 1)
    said: dict[Sample, _Said] = {}
    left_out: list[LeftOut] = []
    done = 0

    def count(images: int = 1) -> None:
        nonlocal done
        done += images
        if on_image and images:
            on_image(done, len(samples) * len(epochs))

    for block in _blocks(samples, plan.space.preprocessing, left_out):
        for epoch in epochs:
            predictor = Predictor(plan.space.network(epoch), plan.device)
            for sample, logits, _ in predict_images(predictor, block):
                if not np.isfinite(logits).all():
                    reason = f"the network of epoch {epoch} gives no finite score on {sample.path}"
                    raise MissingError(str(plan.space.run), reason, "Train anew with a smaller lr")
                entry = said.setdefault(sample, _Said([], []))
                entry.labels.append(int(logits.astype(np.float64).mean(axis=0).argmax()))
                entry.confidences.append(largest_softmax(logits))
                count()
    count(len(left_out) * len(epochs))
    return said, left_out


def _blocks(
    samples: tuple[Sample, ...], preprocessing: str, left_out: list[LeftOut]
) -> Iterator[list[tuple[Sample, NDArray[np.uint8]]]]:
    """Images in their order, about `_TILES` tiles at a time; those that can not be read go to `left_out`."""
    block: list[tuple[Sample, NDArray[np.uint8]]] = []
    tiles = 0
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(samples), _AHEAD):
            some = samples[start : start + _AHEAD]
            for sample, outcome in zip(some, pool.map(lambda one: read_tiles(one, preprocessing), some), strict=True):
                if isinstance(outcome, FileOutcome):
                    left_out.append(LeftOut(str(sample.path), outcome.reason))
                else:
                    block.append((sample, outcome))
                    tiles += len(outcome)
            if tiles >= _TILES:
                yield block
                block, tiles = [], 0
    if block:
        yield block


def _points(
    plan: HistoryPlan, known: Sequence[Sample], groups: dict[str, list[Sample]], said: dict[Sample, _Said]
) -> tuple[Point, ...]:
    epochs = plan.space.epochs

    def confidences(samples: Sequence[Sample]) -> NDArray[np.float64]:
        return np.array([said[sample].confidences for sample in samples], dtype=np.float64).reshape(-1, epochs).T

    labels = np.array([said[sample].labels for sample in known], dtype=np.int64).reshape(-1, epochs).T
    correct = labels == np.array([sample.label for sample in known], dtype=np.int64)
    inside = confidences(known)
    accuracies = _accuracies(correct, _photographs(known), plan)
    curves = {
        name: _aurocs(inside, confidences(samples), _photographs([*known, *samples]), plan)
        for name, samples in groups.items()
    }
    return tuple(
        Point(
            epoch=place + 1,
            augmenters=plan.space.count(place + 1),
            accuracy=accuracies[place],
            auroc={name: curve[place] for name, curve in curves.items()},
        )
        for place in range(epochs)
    )


def _accuracies(correct: NDArray[np.bool_], photographs: list[str], plan: HistoryPlan) -> list[Measured]:
    """Of each epoch (E, N), with intervals over photographs."""
    if not photographs:
        return [Measured(Measure(None, NO_KNOWN), Interval(None, None, NO_KNOWN))] * len(correct)
    weights = photograph_weights(photographs, plan.replicates, plan.seed)
    totals, distinct = weights.sum(axis=1), len(set(photographs))
    found = []
    for right in correct:
        if right.all() or not right.any():
            # every replicate would be the same; so many photographs without one exception say so much
            interval = wilson(distinct if right.all() else 0, distinct)
        else:
            interval = percentile_interval(weights @ right / totals)
        found.append(Measured(Measure(float(right.mean())), interval))
    return found


def _aurocs(
    inside: NDArray[np.float64], outside: NDArray[np.float64], photographs: list[str], plan: HistoryPlan
) -> list[Measured]:
    """Of each epoch (E, N) against (E, M), with intervals over photographs, drawn once for all epochs."""
    weights = photograph_weights(photographs, plan.replicates, plan.seed)
    sides = weights[:, : inside.shape[1]], weights[:, inside.shape[1] :]
    found = []
    for known, unknown in zip(inside, outside, strict=True):
        value = auroc(known, unknown)
        if value.value is None:
            found.append(Measured(value, Interval(None, None, value.reason)))
        else:
            found.append(Measured(value, percentile_interval(auroc_replicates(known, unknown, *sides))))
    return found


def _photographs(samples: Sequence[Sample]) -> list[str]:
    return [sample.photo or str(sample.path) for sample in samples]
