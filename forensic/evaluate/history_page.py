"""The history of a run's open space as one HTML page: POSE's Fig. 7 and Fig. 5 of this run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from forensic.evaluate import plots
from forensic.evaluate.drawn import DRAWN_GROUPS, HUES
from forensic.evaluate.frame import Section, box, figure, figures, paragraph, render, table
from forensic.evaluate.history_tables import curve_rows, shown_groups, similarity_rows
from forensic.evaluate.page import NAMED
from forensic.evaluate.plots import Axis, Line
from forensic.evaluate.selection import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from forensic.evaluate.augmented import Augmented, Panel
    from forensic.evaluate.history import History

_SHAPES = ("disc", "square", "diamond", "triangle")
_UNCHANGED = "mark plus u"
_FOOT = (
    "Known and unknown are told apart by the largest softmax probability at temperature 1: the network of an epoch has "
    "no fitted scorer and no threshold. AUROC: how often a known image scores higher than an unknown one, ties one "
    "half. Intervals are 95 %, from a bootstrap over photographs, drawn for known and unknown images together. All "
    "epochs are measured on the same images: what one epoch has over another is surer than their intervals look."
)


def history_to_page(history: History, facts: Mapping[str, str], title: str, *, told: Callable[[str], str]) -> bytes:
    """The page; the same bytes for the same history.

    Args:
        history: what was measured, with its maps.
        facts: name and value of what it was measured with.
        title: of the page.
        told: makes a line fit to be shown; HTML is escaped here.
    """
    augmented = history.augmented
    sections = [
        Section(
            "Epoch by epoch",
            plots.definitions() + figures(draw_curve(history), box(table(*curve_rows(history)))),
        ),
        Section(f"Class {augmented.class_name} under every augmenter", _maps(augmented)),
        Section("How far the augmenters differ", _similarity(augmented, len(history.points))),
    ]
    if history.left_out:
        count = len(history.left_out)
        said = f"Images without a score, which count nowhere: {count}."
        said += f" The first {NAMED}:" if count > NAMED else ""
        rows = [(entry.path, entry.reason) for entry in history.left_out[:NAMED]]
        sections.append(Section("Images without a score", paragraph(said) + table(("image", "reason"), rows)))
    return render(title, facts.items(), sections, _FOOT, told=told)


def draw_curve(history: History) -> Markup:
    """Accuracy and AUROC over the number of augmenters, or over epochs where their number stays the same."""
    progressive = history.is_progressive
    places = [float(point.augmenters if progressive else point.epoch) for point in history.points]
    names = _drawn_groups(history)
    told = [("line l1", "closed-set accuracy", [point.accuracy for point in history.points])]
    for place, name in enumerate(names):
        kind = "line l0" if name == ALL else f"line l{place + 1}"
        said = "AUROC, all unknown" if name == ALL else f"AUROC, {name}"
        told.append((kind, said, [point.auroc[name] for point in history.points]))
    drawn, legend, shown = [], [], []
    for kind, said, values in reversed(told):
        have = [(x, v.measure.value) for x, v in zip(places, values, strict=True) if v.measure.value is not None]
        if have:
            across, up = np.array(have, dtype=np.float64).T
            drawn.append(Line(kind, across, up, dots=True))
            legend.append((kind, f"{said}, at the end {100 * have[-1][1]:.1f} %"))
            shown += [value for _, value in have]
    if not drawn:
        return box(paragraph("No images to measure."))
    counted = "augmenters" if progressive else "epochs"
    what = f"Closed-set accuracy and AUROC over the number of {counted}"
    drawing = plots.lines(what, _count_axis(counted, places), _share_axis(shown), drawn)
    caption = f"{what}, one disc an epoch. The axis upwards does not begin at 0."
    left_out = len(shown_groups(history)) - len(names)
    caption += f" Further groups with higher AUROC at the end, not drawn: {left_out}." if left_out else ""
    return figure(drawing, caption, legend[::-1])


def draw_panel(panel: Panel) -> Markup:
    """The map of one epoch; a sentence where there is none."""
    title = f"{panel.augmenters} augmenters" if panel.augmenters > 1 else "1 augmenter"
    if panel.reason:
        return box(paragraph(f"After epoch {panel.epoch}, {title}: no map, {panel.reason}."))
    points = [(_kind(number), x, y) for number, (x, y) in zip(panel.sets.tolist(), panel.points.tolist(), strict=True)]
    labels = []
    for number in range(1, panel.augmenters + 1):
        x, y = np.median(panel.points[panel.sets == number], axis=0).tolist()
        labels.append((str(number), x, y))
    told = f"Map of the class's embeddings with {title}"
    return figure(plots.scatter(told, points, labels), f"After epoch {panel.epoch}: {title}.")


def draw_similarity(similarity: NDArray[np.float64]) -> Markup:
    """The matrix of cosines as shaded cells; 0 is the class as it is, the other numbers are augmenters.

    Args:
        similarity: (1 + A, 1 + A), in [-1, 1].
    """
    count = len(similarity)
    low = min(0.5, math.floor(10 * float(similarity.min())) / 10)
    left, top, end = 26, 22, plots.WIDTH - 70
    side = (end - left) / count
    every = max(1, math.ceil(count / 16))
    shapes = []
    for row in range(count):
        if row % every == 0:
            middle = (row + 0.5) * side
            shapes.append(
                Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(left + middle, top - 7, row)
            )
            shapes.append(
                Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(left - 6, top + middle + 4, row)
            )
        for column in range(count):
            value = float(similarity[row, column])
            x, y = f"{left + column * side:.1f}", f"{top + row * side:.1f}"
            title = f"{_name(row)} and {_name(column)}: {value:.3f}"
            shapes.append(_cell(x, y, f"{side - 0.8:.1f}", f"{side - 0.8:.1f}", _shade(value, low), title))
    steps = 24
    height = (end - left) / steps
    for step in range(steps):
        value = 1 - (1 - low) * (step + 0.5) / steps
        shapes.append(_cell(str(end + 16), f"{top + step * height:.1f}", "14", f"{height:.1f}", _shade(value, low), ""))
    for value, below in ((1.0, 9.0), ((1 + low) / 2, (end - left) / 2 + 4), (low, float(end - left))):
        shapes.append(Markup('<text x="{}" y="{:.1f}">{:.2f}</text>').format(end + 34, top + below, value))
    height_all = round(top + end - left + 10)
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        plots.WIDTH, height_all, "Cosine similarity of the mean embeddings, pair by pair", Markup("").join(shapes)
    )


def _maps(augmented: Augmented) -> Markup:
    if augmented.reason:
        return paragraph(f"Nothing to show: {augmented.reason}.")
    said = paragraph(
        f"t-SNE of the embeddings of {augmented.images} images as they are and under each augmenter, each map in the "
        "space of its own epoch's network, with the augmenters that this network has met. A number stands at the "
        "median of its augmenter's images. Neighbours are neighbours; distances between far groups mean nothing."
    )
    most = max((panel.augmenters for panel in augmented.panels), default=0)
    listed = [(_UNCHANGED, "as it is"), *((_kind(number), str(number)) for number in range(1, most + 1))]
    legend = figure(Markup(""), "", listed) if any(panel.reason is None for panel in augmented.panels) else Markup("")
    return said + figures(*(draw_panel(panel) for panel in augmented.panels)) + legend


def _similarity(augmented: Augmented, epochs: int) -> Markup:
    if augmented.reason:
        return paragraph(f"Nothing to show: {augmented.reason}.")
    mean = augmented.mean_similarity
    said = f"Cosine similarity of the mean embeddings of the same {augmented.images} images under the last network"
    said += f" (epoch {epochs}): 1 where two augmenters lead to the same place."
    said += "" if mean is None else f" Mean over the pairs of augmenters: {mean:.3f}."
    heads = ("augmenter", ">to the class as it is", ">to the nearest other augmenter", ">which")
    caption = "0: the class as it is; the other numbers: augmenters, in the order of their epochs."
    return paragraph(said) + figures(
        figure(draw_similarity(augmented.similarity), caption), box(table(heads, similarity_rows(augmented)))
    )


def _drawn_groups(history: History) -> list[str]:
    names = shown_groups(history)
    last = history.points[-1].auroc

    def value(name: str) -> tuple[float, str]:
        return last[name].measure.value or 0.0, name

    hardest = sorted(names[1:], key=value)[:DRAWN_GROUPS]
    return [ALL, *(name for name in names[1:] if name in hardest)]


def _count_axis(name: str, places: Sequence[float]) -> Axis:
    """Over whole numbers, ticked at so many of them as fit."""
    low, high = int(min(places)), int(max(places))
    step = max(1, math.ceil((high - low) / 10))
    ticks = tuple((float(at), str(at)) for at in range(low, high + 1, step))
    return Axis(name, low - 0.5, high + 0.5, ticks) if low == high else Axis(name, float(low), float(high), ticks)


def _share_axis(values: Sequence[float]) -> Axis:
    """From the tenth below to the tenth above the values, in percent."""
    low, high = math.floor(10 * min(values)), math.ceil(10 * max(values))
    low, high = (low - 1, high + 1) if low == high else (low, high)
    low, high = max(0, low), min(10, high)
    return Axis("%", low / 10, high / 10, tuple((at / 10, str(10 * at)) for at in range(low, high + 1)))


def _kind(number: int) -> str:
    """Class of the style sheet of an augmenter's marks; 0 is the image as it is."""
    if not number:
        return _UNCHANGED
    place = number - 1
    return f"mark {_SHAPES[place // HUES % len(_SHAPES)]} k{place % HUES + 1}"


def _name(number: int) -> str:
    return f"augmenter {number}" if number else "as it is"


def _shade(value: float, low: float) -> str:
    return f"{0.03 + 0.87 * (value - low) / (1 - low):.2f}"


def _cell(x: str, y: str, width: str, height: str, shade: str, title: str) -> Markup:
    named = Markup("<title>{}</title>").format(title) if title else Markup("")
    return Markup('<path class="k1" fill-opacity="{}" d="M{} {}h{}v{}h-{}Z">{}</path>').format(
        shade, x, y, width, height, width, named
    )
