"""What is measured on attributed images: each group of unknown ones, and each unknown class, against all known ones."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from forensic.evaluate.reference import closed_as_authors, measure_as_authors, oscr_range
from forensic.evaluate.selection import ALL, Selection
from forensic.metrics import openset
from forensic.metrics.closedset import confusion
from forensic.metrics.measure import NO_KNOWN, NO_UNKNOWN, Interval, Measure
from forensic.metrics.measured import Measured, Side, measure_openset, measure_share_by_photograph
from forensic.metrics.reliability import Bin, ece, reliability_bins
from forensic.metrics.summary import generator_interval, macro, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from forensic.data.layouts import Sample
    from forensic.evaluate.images import Attributed

Computation = Literal["forensic", "reference"]
"""`forensic`: ties count one half, by the score of the weights; `reference`: the authors' program, quirks included."""

OVER_GENERATORS = ("auroc", "oscr", "fpr95", "rejection", "false_real")
"""What is averaged over the unknown classes, and whose worst class is named."""
_SMALLER_IS_BETTER = frozenset({"fpr95", "false_real"})
_NO_REAL = "these weights have no class real"


@dataclass(frozen=True)
class Terms:
    """What a measurement depends on beside the images."""

    classes: tuple[str, ...]
    real: str
    seed: int
    replicates: int
    computation: Computation = "forensic"


@dataclass(frozen=True)
class UnknownMeasures:
    """A group of unknown images, or one unknown class, against all known images."""

    open_set: dict[str, Measured]
    """`auroc`, `oscr`, `fpr95` and the others, in the order in which they are told."""
    rejection: Measured
    false_real: Measured
    confidence: Measure
    """Mean of the largest softmax."""
    n: int
    nearest: str | None
    """The class that most of them come out as."""
    nearest_share: float | None
    oscr_range: tuple[float, float] | None = None
    """Of the authors' OSCR, over the orders of equal scores; None in our own computation."""

    def __getitem__(self, name: str) -> Measured:
        """Any of them by its name in JSON."""
        if name in ("rejection", "false_real"):
            measured: Measured = getattr(self, name)
            return measured
        return self.open_set[name]


class OverGenerators(NamedTuple):
    """One measure over the unknown classes, each of which counts once."""

    macro: Measured
    worst: tuple[str, Measure] | None
    """Name and value of the class that is hardest."""


@dataclass(frozen=True)
class Condition:
    """Everything measured on the images in one form."""

    closed_accuracy: Measured
    known_accepted: Measured
    wrong_known: Measured
    """Share of known images that are accepted as another known class."""
    ece: Measure
    reliability: tuple[Bin, ...]
    groups: dict[str, UnknownMeasures]
    known_classes: dict[str, tuple[Measured, int]]
    """Class -> accuracy, number of images."""
    unknown_classes: dict[str, UnknownMeasures]
    class_groups: dict[str, str]
    """Unknown class -> its group."""
    generators: dict[str, OverGenerators]
    confusion: NDArray[np.int64]
    """(known classes + unknown classes, known classes): how many images of a row come out as a column's class."""
    attributed: tuple[Attributed, ...]
    """Every image with a score, for figures."""
    closed: dict[str, Measure]
    """Further closed-set measures by their names in JSON."""


def measure(found: Sequence[Attributed], selection: Selection, terms: Terms) -> Condition:
    """Everything about the images in one form.

    Args:
        found: what was said of each image.
        selection: which of them belong together.
        terms: classes, seed and computation.
    """
    known = [entry for entry in found if entry.sample.label >= 0]
    unknown = [entry for entry in found if entry.sample.label < 0]
    against = _Against(known, terms)
    by_sample = {entry.sample: entry for entry in unknown}

    def of(samples: Iterable[Sample]) -> list[Attributed]:
        return [by_sample[sample] for sample in samples if sample in by_sample]

    groups = {group: against(of(samples)) for group, samples in selection.unknown.items()}
    members = {name: (group, of(samples)) for name, (group, samples) in unknown_classes(selection, terms).items()}
    singles = {name: against(entries) for name, (_, entries) in members.items()}
    confidences = np.array([entry.confidence for entry in known], dtype=np.float64)
    accepted = np.array([entry.accepted for entry in known], dtype=bool)
    accuracy, closed = _share(against.correct, known, NO_KNOWN, terms), {}
    if terms.computation == "reference":
        closed = closed_as_authors([e.sample.label for e in known], [e.label for e in known])
        accuracy = Measured(closed.pop("closed_accuracy"), Interval(None, None, "the authors' computation has none"))
    return Condition(
        closed_accuracy=accuracy,
        known_accepted=_share(accepted, known, NO_KNOWN, terms),
        wrong_known=_share(accepted & ~against.correct, known, NO_KNOWN, terms),
        ece=ece(confidences, against.correct),
        reliability=tuple(reliability_bins(confidences, against.correct)),
        groups=groups | {ALL: against(unknown)},
        known_classes={
            name: _of_class([entry for entry in known if entry.sample.label == label], terms)
            for label, name in enumerate(terms.classes)
        },
        unknown_classes=singles,
        class_groups={name: group for name, (group, _) in members.items()},
        generators=_over_generators(singles, terms.seed),
        confusion=_confusion(known, [entries for _, entries in members.values()], len(terms.classes)),
        attributed=tuple(found),
        closed=closed,
    )


def unknown_classes(selection: Selection, terms: Terms) -> dict[str, tuple[str, list[Sample]]]:
    """Unknown class -> its group and samples; one whose name is taken is called GROUP/NAME."""
    found: dict[str, tuple[str, list[Sample]]] = {}
    for group, samples in selection.unknown.items():
        taken = set(found) | set(terms.classes)
        # by name, so that the order of the images does not matter
        for sample in sorted(samples, key=lambda sample: sample.source):
            name = f"{group}/{sample.source}" if sample.source in taken else sample.source
            found.setdefault(name, (group, []))[1].append(sample)
    return found


def score_of(entry: Attributed, computation: Computation) -> float:
    """The score that known and unknown are told apart by: that of the weights, or the authors' largest softmax."""
    # float32, as the authors': a saturated softmax is exactly 1 and ties
    return float(np.float32(entry.confidence)) if computation == "reference" else entry.score


def photographs(some: Sequence[Attributed]) -> list[str]:
    """What each image was made from: a photograph where the layout names one, else the image itself."""
    return [entry.sample.photo or str(entry.sample.path) for entry in some]


class _Against:
    """Measures unknown images against all known ones."""

    def __init__(self, known: Sequence[Attributed], terms: Terms) -> None:
        self.correct = np.array([entry.label == entry.sample.label for entry in known], dtype=bool)
        self._terms = terms
        self._known = self._side(known)

    def __call__(self, some: Sequence[Attributed]) -> UnknownMeasures:
        terms, side = self._terms, self._side(some)
        accepted = np.array([entry.accepted for entry in some], dtype=bool)
        nothing = Interval(None, None, _NO_REAL)
        as_real = np.array([terms.classes[entry.label] == terms.real for entry in some], dtype=bool)
        nearest, count = _nearest(some)
        by_authors = terms.computation == "reference"
        return UnknownMeasures(
            open_set=(
                measure_as_authors(self._known.scores, self.correct, side.scores)
                if by_authors
                else _measure_open(self._known, self.correct, side, terms)
            ),
            rejection=_share(~accepted, some, NO_UNKNOWN, terms),
            false_real=(
                _share(accepted & as_real, some, NO_UNKNOWN, terms)
                if terms.real
                else Measured(Measure(None, _NO_REAL), nothing)
            ),
            confidence=_mean([entry.confidence for entry in some]),
            n=len(some),
            nearest=None if nearest is None else terms.classes[nearest],
            nearest_share=count / len(some) if some else None,
            oscr_range=oscr_range(self._known.scores, self.correct, side.scores) if by_authors else None,
        )

    def _side(self, some: Sequence[Attributed]) -> Side:
        scores = np.array([score_of(entry, self._terms.computation) for entry in some], dtype=np.float64)
        return Side(scores, photographs(some))


def _measure_open(known: Side, correct: NDArray[np.bool_], unknown: Side, terms: Terms) -> dict[str, Measured]:
    opened = measure_openset(known, correct, unknown, seed=terms.seed, replicates=terms.replicates)
    found = {"auroc": opened.auroc, "oscr": opened.oscr, "fpr95": opened.fpr95}
    for name, value in (
        ("aupr_known", openset.aupr_known(known.scores, unknown.scores)),
        ("aupr_unknown", openset.aupr_unknown(known.scores, unknown.scores)),
        ("dtacc", openset.dtacc(known.scores, unknown.scores)),
        ("open_auc", openset.open_auc(known.scores, correct, unknown.scores)),
    ):
        found[name] = Measured(value, Interval(None, None, "not resampled"))
    return found


def _of_class(entries: Sequence[Attributed], terms: Terms) -> tuple[Measured, int]:
    correct = np.array([entry.label == entry.sample.label for entry in entries], dtype=bool)
    return _share(correct, entries, NO_KNOWN, terms), len(entries)


def _share(flags: NDArray[np.bool_], some: Sequence[Attributed], nothing: str, terms: Terms) -> Measured:
    return measure_share_by_photograph(flags, photographs(some), nothing, seed=terms.seed, replicates=terms.replicates)


def _over_generators(singles: Mapping[str, UnknownMeasures], seed: int) -> dict[str, OverGenerators]:
    rows = {}
    for name in OVER_GENERATORS:
        values = {single: measures[name].measure for single, measures in singles.items()}
        rows[name] = OverGenerators(
            Measured(macro(values), generator_interval(values, seed)),
            worst(values, larger_is_better=name not in _SMALLER_IS_BETTER),
        )
    return rows


def _mean(values: Sequence[float]) -> Measure:
    # an exact sum, so that the order of the images changes no bit
    return Measure(math.fsum(values) / len(values)) if values else Measure(None, NO_UNKNOWN)


def _confusion(
    known: Sequence[Attributed], unknown: Sequence[Sequence[Attributed]], num_classes: int
) -> NDArray[np.int64]:
    rows = [confusion([e.sample.label for e in known], [e.label for e in known], num_classes)]
    rows += [np.bincount([e.label for e in some], minlength=num_classes).astype(np.int64)[None] for some in unknown]
    return np.concatenate(rows)


def _nearest(some: Sequence[Attributed]) -> tuple[int | None, int]:
    """The most frequent label, the first in label order on ties, and how many have it."""
    if not some:
        return None, 0
    counts = Counter(entry.label for entry in some)
    label = min(counts, key=lambda label: (-counts[label], label))
    return label, counts[label]
