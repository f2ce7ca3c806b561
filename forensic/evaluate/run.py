"""One evaluation: weights on known and unknown images, as stored and re-encoded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forensic.evaluate.images import ALL, Attributed, LeftOut, Selection, attribute
from forensic.metrics.measure import NO_KNOWN, Measure
from forensic.metrics.measured import REPLICATES, Measured, OpenSet, Side, measure_openset, measure_share
from forensic.metrics.openset import false_real
from forensic.models.predict import Predictor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from forensic.data.layouts import Sample
    from forensic.models.weights import Weights


@dataclass(frozen=True)
class EvaluationPlan:
    """What is evaluated, and how."""

    weights: Weights
    selection: Selection
    jpeg: tuple[int, ...] = ()
    """Qualities at which every image is re-encoded, each an evaluation of its own beside the one as stored."""
    seed: int = 0
    """Of the bootstrap."""
    replicates: int = REPLICATES
    device: str = "cpu"


@dataclass(frozen=True)
class UnknownMeasures:
    """A group of unknown images, or one unknown class, against all known images."""

    open_set: OpenSet
    false_real: Measure
    n: int
    nearest: str | None
    """The class that most of them come out as."""


@dataclass(frozen=True)
class Condition:
    """Everything measured on the images in one form."""

    closed_accuracy: Measured
    known_accepted: Measured
    groups: dict[str, UnknownMeasures]
    known_classes: dict[str, tuple[Measured, int]]
    """Class -> accuracy, number of images."""
    unknown_classes: dict[str, UnknownMeasures]
    attributed: tuple[Attributed, ...]
    """Every image with a score, for figures."""


@dataclass(frozen=True)
class Evaluation:
    """The outcome of a plan."""

    stored: Condition
    jpeg: dict[int, Condition]
    left_out: tuple[LeftOut, ...]
    """Images that got no score, by path; they count nowhere."""


def evaluate(plan: EvaluationPlan, on_image: Callable[[int, int], None] | None = None) -> Evaluation:
    """Runs an evaluation; it depends on the images and not on their order.

    Args:
        plan: what to do.
        on_image: called with (done, total).
    """
    predictor = Predictor(plan.weights, plan.device)
    unknown = tuple(sample for samples in plan.selection.unknown.values() for sample in samples)
    everything = plan.selection.known + unknown
    forms: tuple[int | None, ...] = (None, *plan.jpeg)
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if on_image:
            on_image(done, len(everything) * len(forms))

    conditions: dict[int | None, Condition] = {}
    left_out: dict[str, LeftOut] = {}
    for form in forms:
        found, missed = attribute(plan.weights, predictor, everything, jpeg=form, on_image=count)
        conditions[form] = _measure(found, plan)
        left_out |= {entry.path: entry for entry in missed}
    return Evaluation(
        stored=conditions[None],
        jpeg={quality: conditions[quality] for quality in plan.jpeg},
        left_out=tuple(left_out[path] for path in sorted(left_out)),
    )


def _measure(found: list[Attributed], plan: EvaluationPlan) -> Condition:
    classes = plan.weights.card.classes
    known = [entry for entry in found if entry.sample.label >= 0]
    unknown = [entry for entry in found if entry.sample.label < 0]
    correct = _correct(known)

    def against_known(some: Sequence[Attributed]) -> UnknownMeasures:
        accepted = [entry.accepted for entry in some]
        real = plan.weights.card.real
        as_real = [classes[entry.label] == real for entry in some]
        return UnknownMeasures(
            open_set=measure_openset(_side(known), correct, _side(some), seed=plan.seed, replicates=plan.replicates),
            false_real=false_real(accepted, as_real) if real else Measure(None, "these weights have no class real"),
            n=len(some),
            nearest=_nearest(some, classes),
        )

    by_sample = {entry.sample: entry for entry in unknown}

    def of(samples: Sequence[Sample]) -> list[Attributed]:
        return [by_sample[sample] for sample in samples if sample in by_sample]

    groups = {group: against_known(of(samples)) for group, samples in plan.selection.unknown.items()}
    counts = {name: sum(entry.sample.label == label for entry in known) for label, name in enumerate(classes)}
    return Condition(
        closed_accuracy=measure_share(correct, NO_KNOWN),
        known_accepted=measure_share(np.array([entry.accepted for entry in known], dtype=bool), NO_KNOWN),
        groups=groups | {ALL: against_known(unknown)},
        known_classes={
            name: (measure_share(_correct([entry for entry in known if entry.sample.label == label]), NO_KNOWN), n)
            for label, (name, n) in enumerate(counts.items())
        },
        unknown_classes={
            name: against_known(of(samples)) for name, samples in _unknown_classes(plan.selection, classes).items()
        },
        attributed=tuple(found),
    )


def _unknown_classes(selection: Selection, classes: tuple[str, ...]) -> dict[str, list[Sample]]:
    """Samples of each unknown class; one whose name is taken is called GROUP/NAME."""
    found: dict[str, list[Sample]] = {}
    for group, samples in selection.unknown.items():
        taken = set(found) | set(classes)
        # by name, so that the order of the images does not matter
        for sample in sorted(samples, key=lambda sample: sample.source):
            name = f"{group}/{sample.source}" if sample.source in taken else sample.source
            found.setdefault(name, []).append(sample)
    return found


def _correct(known: Sequence[Attributed]) -> NDArray[np.bool_]:
    return np.array([entry.label == entry.sample.label for entry in known], dtype=bool)


def _side(some: Sequence[Attributed]) -> Side:
    scores = np.array([entry.score for entry in some], dtype=np.float64)
    return Side(scores, [entry.sample.photo or str(entry.sample.path) for entry in some])


def _nearest(some: Sequence[Attributed], classes: tuple[str, ...]) -> str | None:
    """The most frequent label; the first in label order on ties."""
    if not some:
        return None
    counts = Counter(entry.label for entry in some)
    return classes[min(counts, key=lambda label: (-counts[label], label))]
