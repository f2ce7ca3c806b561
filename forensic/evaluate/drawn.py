"""The figures of an evaluation's page: curves, histograms, reliability, the map of embeddings, JPEG qualities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from forensic.evaluate import plots
from forensic.evaluate.frame import figure, figures, paragraph
from forensic.evaluate.measures import score_of
from forensic.evaluate.plots import Axis, Line
from forensic.evaluate.selection import ALL
from forensic.metrics.curves import Curve, oscr_curve, roc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forensic.evaluate.images import Attributed
    from forensic.evaluate.measures import Computation, Condition
    from forensic.evaluate.run import Evaluation

    Floats = NDArray[np.float64]

DRAWN_GROUPS = 5
"""Beside `all`; of more groups those with the lowest AUROC are drawn."""
HUES = 6
"""Of the style sheet, for lines and classes."""
_SHAPES = ("diamond", "triangle", "cross", "plus")


def draw_curves(stored: Condition, computation: Computation) -> Markup:
    """ROC and OSCR of each group and of all unknown images, with the operating point of the weights."""
    known, unknown = _sides(stored)
    if not known or not unknown:
        return paragraph("No known images." if not known else "No unknown images: nothing to set the known against.")
    correct = np.array([entry.label == entry.sample.label for entry in known], dtype=bool)
    accepted = np.array([entry.accepted for entry in known], dtype=bool)
    inside = _scores(known, computation)
    members = {ALL: list(unknown)}
    for entry in unknown:
        members.setdefault(entry.sample.group or "", []).append(entry)
    drawn = _drawn_groups(stored)
    curves: dict[str, tuple[list[Line], list[tuple[str, float, float]]]] = {"roc": ([], []), "oscr": ([], [])}
    for place, group in reversed(list(enumerate(drawn))):
        some = members[group]
        outside = _scores(some, computation)
        passed = float(np.mean([entry.accepted for entry in some]))
        for name, curve, share in (
            ("roc", roc(inside, outside), accepted.mean()),
            ("oscr", oscr_curve(inside, correct, outside), (accepted & correct).mean()),
        ):
            curves[name][0].append(_line(place, curve))
            curves[name][1].append((f"mark disc l{place}", passed, float(share)))
    legend = [(f"line l{place}", _with_value(stored, group)) for place, group in enumerate(drawn)]
    left_out = sum(measures.n > 0 for measures in stored.groups.values()) - len(drawn) if len(drawn) > 1 else 0
    where = "the threshold of the weights" + (", on their own score" if computation == "reference" else "")
    more = f" {left_out} further groups, with higher AUROC, are not drawn." if left_out > 1 else ""
    more += " 1 further group, with higher AUROC, is not drawn." if left_out == 1 else ""
    x = Axis.shares("unknown images accepted, %")
    made = []
    for name, axis, told in (
        ("roc", "known images accepted, %", "ROC: known images accepted over unknown images accepted"),
        ("oscr", "known accepted and right, %", "OSCR: known images accepted and right over unknown images accepted"),
    ):
        lines, points = curves[name]
        drawing = plots.lines(told, x, Axis.shares(axis), lines, points=points, diagonal=name == "roc")
        made.append(figure(drawing, f"{told}. Discs: {where}.{more}", legend if name == "roc" else ()))
    return figures(*made)


def draw_costs(stored: Condition, threshold: float | None) -> Markup:
    """Shares of known and unknown images accepted, over the threshold; nothing where a side is empty."""
    known, unknown = _sides(stored)
    if not known or not unknown:
        return Markup("")
    wrong = np.array([entry.label != entry.sample.label for entry in known], dtype=bool)
    inside, outside = _scores(known, "forensic"), _scores(unknown, "forensic")
    at = np.unique(np.concatenate([inside, outside]))
    kinds = {
        "line l1": ("known images", _reaching(inside, at) / len(inside)),
        "line l4": ("known images, as another known class", _reaching(inside[wrong], at) / len(inside)),
        "line l2": ("unknown images", _reaching(outside, at) / len(outside)),
    }
    drawing = plots.lines(
        "Shares of known and unknown images accepted, over the threshold",
        Axis.over("threshold", _inner(at)),
        Axis.shares("images accepted, %"),
        [Line(kind, at, shares) for kind, (_, shares) in kinds.items()],
        upright=threshold,
    )
    dashed = " Dashed: the threshold of the weights." if threshold is not None else ""
    caption = f"What another threshold would accept, on the scale of the weights' score.{dashed}"
    return figure(drawing, caption, [(kind, name) for kind, (name, _) in kinds.items()])


def draw_confidence(stored: Condition, threshold: float | None) -> Markup:
    """Histograms of score and of largest softmax, and the reliability of the latter."""
    known, unknown = _sides(stored)
    right = [entry for entry in known if entry.label == entry.sample.label]
    wrong = [entry for entry in known if entry.label != entry.sample.label]
    legend = [
        ("right", f"known, right class ({len(right)})"),
        ("wrong", f"known, wrong class ({len(wrong)})"),
        ("foreign", f"unknown ({len(unknown)})"),
    ]
    scores = _scores([*known, *unknown], "forensic")
    dashed = " Dashed: the threshold." if threshold is not None else ""
    made = []
    if len(scores):
        made.append(
            figure(
                plots.histogram(
                    "Histogram of the score of known and of unknown images",
                    Axis.over("score of the weights", _inner(scores, threshold)),
                    [("right", [e.score for e in right]), ("wrong", [e.score for e in wrong])],
                    ("foreign", [e.score for e in unknown]),
                    threshold,
                ),
                "Score: known images upwards, unknown ones downwards, each in shares of their own number; the "
                f"outermost 1 in 200 lie in the outermost bars.{dashed}",
                legend,
            )
        )
        made.append(
            figure(
                plots.histogram(
                    "Histogram of the largest softmax of known and of unknown images",
                    Axis.shares("largest softmax, %"),
                    [("right", [e.confidence for e in right]), ("wrong", [e.confidence for e in wrong])],
                    ("foreign", [e.confidence for e in unknown]),
                ),
                "Largest softmax probability at temperature 1, drawn likewise.",
                legend,
            )
        )
    if stored.ece.value is not None:
        made.append(
            figure(
                plots.reliability("Reliability: accuracy over largest softmax, known images", stored.reliability),
                "Reliability of the known images: accuracy where the largest softmax is so high, discs at the mean of "
                "each bin. On the dotted line confidence is worth its word; pale bars hold few images. Expected "
                f"calibration error {100 * stored.ece.value:.1f} %.",
            )
        )
    return figures(*made) if made else paragraph("No images.")


def draw_embeddings(evaluation: Evaluation) -> Markup:
    """The map of known and unknown embeddings, with its legend; a sentence where there is none."""
    drawn = evaluation.map
    if drawn is None or not drawn.samples:
        return paragraph(f"No map: {drawn.reason if drawn is not None else 'not asked for'}.")
    names = list(evaluation.stored.known_classes)
    groups = [group for group in evaluation.stored.groups if group != ALL]
    points, legend = [], []
    for place, name in enumerate(names):
        legend.append((_known_kind(place), f"{place + 1}  {name}"))
    for place, group in enumerate(groups):
        legend.append((_unknown_kind(place), f"unknown: {group}"))
    at: dict[int, list[tuple[float, float]]] = {}
    for sample, (x, y) in zip(drawn.samples, drawn.points.tolist(), strict=True):
        if sample.label >= 0:
            points.append((_known_kind(sample.label), x, y))
            at.setdefault(sample.label, []).append((x, y))
        else:
            points.append((_unknown_kind(groups.index(sample.group) if sample.group in groups else 0), x, y))
    labels = [(str(label + 1), *np.median(np.array(places), axis=0).tolist()) for label, places in sorted(at.items())]
    shown = sum(sample.label >= 0 for sample in drawn.samples)
    known, unknown = (len(side) for side in _sides(evaluation.stored))
    caption = (
        f"t-SNE of the embeddings of {shown} of {known} known images and {len(drawn.samples) - shown} of {unknown} "
        "unknown ones, taken evenly over classes and over the images of each. Filled: known, numbered at the median of "
        "each class; open: unknown. Neighbours are neighbours; distances between far groups mean nothing."
    )
    drawing = plots.scatter("Map of embeddings, known and unknown", points, labels)
    return plots.definitions() + figures(figure(drawing, caption, legend))


def draw_qualities(evaluation: Evaluation) -> Markup:
    """Accuracy, AUROC and the shares at the threshold over JPEG quality."""
    qualities = sorted(evaluation.jpeg)
    conditions = [evaluation.jpeg[quality] for quality in qualities]
    kinds = {
        "line l1": ("closed-set accuracy", [c.closed_accuracy for c in conditions]),
        "line l2": ("AUROC, all unknown", [c.groups[ALL]["auroc"] for c in conditions]),
        "line l3": ("known accepted", [c.known_accepted for c in conditions]),
        "line l4": ("unknown rejected", [c.groups[ALL].rejection for c in conditions]),
    }
    x = Axis("JPEG quality", *_ends(qualities), tuple((float(quality), str(quality)) for quality in qualities))
    drawn, legend = [], []
    for kind, (name, values) in kinds.items():
        have = [
            (float(q), v.measure.value) for q, v in zip(qualities, values, strict=True) if v.measure.value is not None
        ]
        if have:
            across, up = np.array(have).T
            drawn.append(Line(kind, across, up, dots=True))
            legend.append((kind, name))
    told = "Accuracy, AUROC and shares at the threshold over JPEG quality"
    return figure(plots.lines(told, x, Axis.shares("%"), drawn), f"{told}.", legend)


def _sides(stored: Condition) -> tuple[list[Attributed], list[Attributed]]:
    known = [entry for entry in stored.attributed if entry.sample.label >= 0]
    return known, [entry for entry in stored.attributed if entry.sample.label < 0]


def _scores(some: Sequence[Attributed], computation: Computation) -> Floats:
    return np.array([score_of(entry, computation) for entry in some], dtype=np.float64)


def _drawn_groups(stored: Condition) -> list[str]:
    """`all` first, then the groups in their order."""
    groups = [group for group, measures in stored.groups.items() if group != ALL and measures.n]
    if len(groups) == 1:
        return [ALL]  # the same images
    hardest = sorted(groups, key=lambda group: (stored.groups[group]["auroc"].measure.value or 0.0, group))
    return [ALL, *(group for group in groups if group in hardest[:DRAWN_GROUPS])]


def _with_value(stored: Condition, group: str) -> str:
    value = stored.groups[group]["auroc"].measure.value
    return group if value is None else f"{group}, AUROC {100 * value:.1f} %"


def _line(place: int, curve: Curve) -> Line:
    return Line(f"line l{place}", curve.x, curve.y)


def _reaching(scores: Floats, thresholds: Floats) -> NDArray[np.int64]:
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")


def _inner(scores: Floats, *more: float | None) -> list[float]:
    """The ends of all scores but the outermost 1 in 200 on each side, and whatever else must be in view."""
    ends = np.quantile(scores, [0.005, 0.995]).tolist()
    return [*ends, *(value for value in more if value is not None)]


def _ends(qualities: Sequence[int]) -> tuple[float, float]:
    low, high = float(min(qualities)), float(max(qualities))
    return (low, high) if low < high else (low - 1, high + 1)


def _known_kind(label: int) -> str:
    return f"mark {'disc' if label // HUES % 2 == 0 else 'square'} k{label % HUES + 1}"


def _unknown_kind(place: int) -> str:
    return f"mark {_SHAPES[place % len(_SHAPES)]} u"
