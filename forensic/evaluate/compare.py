"""Two sets of weights on the same images: what the second changes, with intervals over photographs drawn for both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from forensic.engines import choice
from forensic.engines.runner import Runner
from forensic.errors import MissingError
from forensic.evaluate.images import LeftOut, attribute
from forensic.evaluate.measures import photographs
from forensic.evaluate.selection import ALL
from forensic.metrics.openset import auroc_replicates, fpr95_replicates, oscr_replicates
from forensic.metrics.paired import paired_difference, share_replicates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from forensic.data.layouts import Sample
    from forensic.evaluate.images import Attributed
    from forensic.evaluate.run import EvaluationPlan
    from forensic.metrics.measured import Measured
    from forensic.metrics.paired import Replicates
    from forensic.models.card import Card


@dataclass(frozen=True)
class Difference:
    """One measure of both, and second less first."""

    first: float | None
    second: float | None
    measured: Measured


@dataclass(frozen=True)
class ComparedCondition:
    """What differs on the images in one form; only images that both gave a score count."""

    known: int
    closed_set: dict[str, Difference]
    groups: dict[str, dict[str, Difference]]
    """Group -> measure."""
    sizes: dict[str, int]
    """Group -> images."""


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison."""

    stored: ComparedCondition
    jpeg: dict[int, ComparedCondition]
    left_out: tuple[LeftOut, ...]
    """Images that one of them gave no score, by path; they count nowhere."""


def check_same_classes(first: Card, second: Card, names: tuple[str, str]) -> None:
    """Whether two sets of weights can be compared; the order of their classes does not matter.

    Args:
        first: card of the first.
        second: card of the second.
        names: how they are called.

    Raises:
        MissingError: one knows a class that the other does not.
    """
    apart = []
    for name, card, other in ((names[0], first, second), (names[1], second, first)):
        if more := [known for known in card.classes if known not in other.classes]:
            apart.append(f"only {name} knows {', '.join(more)}")
    if apart:
        raise MissingError(
            f"--weights {names[0]} --weights {names[1]}",
            f"can not be compared, their known classes differ: {'; '.join(apart)}",
        )


def compare(
    first: EvaluationPlan, second: EvaluationPlan, on_image: Callable[[int, int], None] | None = None
) -> Comparison:
    """Runs both weights over the same images and compares them image by image.

    Args:
        first: the plan of the weights that the others are held against.
        second: the plan of the others: the same images, qualities and seed.
        on_image: called with (done, total) over both.
    """
    forms: tuple[int | None, ...] = (None, *first.jpeg)
    done = 0
    total = 2 * len(forms) * len(_everything(first))

    def count() -> None:
        nonlocal done
        done += 1
        if on_image:
            on_image(done, total)

    found: dict[int | None, list[list[Attributed]]] = {form: [] for form in forms}
    left_out: dict[str, LeftOut] = {}
    for plan in (first, second):
        predictor = Runner(plan.weights, plan.device, choice.choose(plan.engine, plan.device))
        for form in forms:
            said, missed = attribute(plan.weights, predictor, _everything(plan), jpeg=form, on_image=count)
            found[form].append(said)
            left_out |= {entry.path: entry for entry in missed}
    conditions = {form: _compared(found[form][0], found[form][1], first, second) for form in forms}
    return Comparison(
        conditions[None],
        {quality: conditions[quality] for quality in first.jpeg},
        tuple(left_out[path] for path in sorted(left_out)),
    )


@dataclass(frozen=True, eq=False)
class _Said:
    """What one set of weights says of images, in the order of both."""

    scores: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    right: NDArray[np.bool_]
    """Whether the label is the true one; of unknown images, whether it is `real`."""


def _everything(plan: EvaluationPlan) -> tuple[Sample, ...]:
    return plan.selection.known + tuple(sample for samples in plan.selection.unknown.values() for sample in samples)


def _compared(
    one: Sequence[Attributed], other: Sequence[Attributed], first: EvaluationPlan, second: EvaluationPlan
) -> ComparedCondition:
    # labels of the two differ where the order of their classes does: what is the same is path and group
    by_place = [{_place(entry): entry for entry in entries} for entries in (one, other)]
    common = sorted(by_place[0].keys() & by_place[1].keys())
    both = [[entries[place] for place in common] for entries in by_place]
    is_known = [entry.sample.label >= 0 for entry in both[0]]
    reals = [plan.weights.card.real for plan in (first, second)]
    classes = [plan.weights.card.classes for plan in (first, second)]

    def said(chosen: Sequence[bool], *, known: bool) -> list[_Said]:
        rows = []
        for entries, names, real in zip(both, classes, reals, strict=True):
            some = [entry for entry, wanted in zip(entries, chosen, strict=True) if wanted]
            right = [e.label == e.sample.label if known else names[e.label] == real for e in some]
            rows.append(
                _Said(
                    np.array([entry.score for entry in some], dtype=np.float64),
                    np.array([entry.accepted for entry in some], dtype=bool),
                    np.array(right, dtype=bool),
                )
            )
        return rows

    def photos(chosen: Sequence[bool]) -> list[str]:
        return photographs([entry for entry, wanted in zip(both[0], chosen, strict=True) if wanted])

    known, known_photos = said(is_known, known=True), photos(is_known)
    groups, sizes = {}, {}
    closed_set: dict[str, Difference] = {}
    for group in (*first.selection.unknown, ALL):
        chosen = [e.sample.label < 0 and group in (ALL, e.sample.group) for e in both[0]]
        draws = _Draws(known_photos, photos(chosen), first.seed, first.replicates)
        groups[group] = _open_set(known, said(chosen, known=False), draws, with_real=all(reals))
        sizes[group] = sum(chosen)
        if group == ALL:
            closed_set = _closed_set(known, draws)
    return ComparedCondition(sum(is_known), closed_set, groups, sizes)


@dataclass(frozen=True)
class _Draws:
    known: list[str]
    unknown: list[str]
    seed: int
    replicates: int

    def difference(self, first: Replicates, second: Replicates) -> Difference:
        ones = np.ones((1, len(self.known))), np.ones((1, len(self.unknown)))
        values = [float(measure(*ones)[0]) for measure in (first, second)]
        measured = paired_difference(
            first, second, self.known, self.unknown, seed=self.seed, replicates=self.replicates
        )
        said = [value if np.isfinite(value) else None for value in values]
        return Difference(said[0], said[1], measured)


def _closed_set(known: Sequence[_Said], draws: _Draws) -> dict[str, Difference]:
    shares = {
        "closed_accuracy": [side.right for side in known],
        "known_accepted": [side.accepted for side in known],
        "wrong_known": [side.accepted & ~side.right for side in known],
    }
    return {
        name: draws.difference(*(partial(share_replicates, some, known=True) for some in flags))
        for name, flags in shares.items()
    }


def _open_set(
    known: Sequence[_Said], unknown: Sequence[_Said], draws: _Draws, *, with_real: bool
) -> dict[str, Difference]:
    pairs = list(zip(known, unknown, strict=True))
    rows = {
        "auroc": draws.difference(*(partial(auroc_replicates, k.scores, u.scores) for k, u in pairs)),
        "oscr": draws.difference(*(partial(oscr_replicates, k.scores, k.right, u.scores) for k, u in pairs)),
        "fpr95": draws.difference(*(partial(fpr95_replicates, k.scores, u.scores) for k, u in pairs)),
        "rejection": draws.difference(*(partial(share_replicates, ~u.accepted, known=False) for u in unknown)),
    }
    if with_real:
        flags = [side.accepted & side.right for side in unknown]
        rows["false_real"] = draws.difference(*(partial(share_replicates, some, known=False) for some in flags))
    return rows


def _place(entry: Attributed) -> tuple[str, str, str]:
    return entry.sample.group or "", entry.sample.source, str(entry.sample.path)
