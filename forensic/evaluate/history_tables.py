"""The history of a run's open space as JSON, CSV and the tables of a terminal. Numbers are 0..1 in JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from forensic.evaluate.selection import ALL
from forensic.evaluate.tables import DASH, Table, guarded, percent

if TYPE_CHECKING:
    from forensic.evaluate.augmented import Augmented
    from forensic.evaluate.history import History
    from forensic.metrics.measured import Measured

CSV_COLUMNS = ("epoch", "augmenters", "measure", "group", "n", "value", "low", "high", "reason")


def history_to_json(history: History, head: dict[str, Any]) -> str:
    """One object: `head`, then numbers of images, one point an epoch, and one class under every augmenter.

    Args:
        history: what was measured.
        head: what it was measured with: run, data, options.
    """
    points = [
        {"epoch": point.epoch, "augmenters": point.augmenters}
        | {"closed_accuracy": point.accuracy.measure.value, "closed_accuracy_ci": _ends(point.accuracy)}
        | _why(point.accuracy)
        | {
            "groups": {
                name: {"auroc": measured.measure.value, "auroc_ci": _ends(measured)} | _why(measured)
                for name, measured in point.auroc.items()
            }
        }
        for point in history.points
    ]
    row = head | {"n": history.known, "groups": history.groups, "points": points}
    row["class"] = _class_to_dict(history.augmented, len(points))
    row["left_out"] = [{"path": entry.path, "reason": entry.reason} for entry in history.left_out]
    return json.dumps(row, allow_nan=False, indent=2)


def history_to_csv(history: History) -> str:
    """One row a measure of each epoch, with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for point in history.points:
        listed = [("closed_accuracy", "", history.known, point.accuracy)]
        listed += [("auroc", name, history.groups[name], measured) for name, measured in point.auroc.items()]
        for measure, group, n, measured in listed:
            low, high = _ends(measured) or ("", "")
            row = {"epoch": point.epoch, "augmenters": point.augmenters, "measure": measure, "group": guarded(group)}
            row |= {"n": n, "value": measured.measure.value, "low": low, "high": high, **_why(measured)}
            writer.writerow(row)
    return text.getvalue()


def history_to_tables(history: History) -> list[Table]:
    """The tables of a terminal, in percent; cosines as they are."""
    columns, rows = curve_rows(history)
    tables = [Table(f"After each epoch ({history.known} known images)", columns, rows)]
    augmented = history.augmented
    title = f"Class {augmented.class_name} under each augmenter"
    if augmented.reason:
        return [*tables, Table(title, ("",), [(augmented.reason,)])]
    title += f": cosine similarity of mean embeddings of {augmented.images} images, network of epoch"
    heads = ("augmenter", ">to the images as they are", ">to the nearest other augmenter", ">which")
    return [*tables, Table(f"{title} {len(history.points)}", heads, similarity_rows(augmented))]


def curve_rows(history: History) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows of the curve: epoch, augmenters, accuracy, AUROC of all unknown images and of each group."""
    names = shown_groups(history)
    aurocs = (f">AUROC %, {name} ({history.groups[name]})" for name in names)
    columns = ("epoch", ">augmenters", ">accuracy %", *aurocs)
    rows = [
        (
            str(point.epoch),
            str(point.augmenters),
            percent(point.accuracy),
            *(percent(point.auroc[name]) for name in names),
        )
        for point in history.points
    ]
    return columns, rows


def shown_groups(history: History) -> list[str]:
    """`all` first, then the groups that have images; one group alone is `all`."""
    names = [name for name, n in history.groups.items() if n and name != ALL]
    return [ALL, *(names if len(names) > 1 else [])]


def similarity_rows(augmented: Augmented) -> list[tuple[str, ...]]:
    """Augmenter, cosine to the images as they are, cosine to the nearest other augmenter, its number."""
    rows: list[tuple[str, ...]] = []
    for number, cosines in enumerate(augmented.similarity[1:], start=1):
        others = np.delete(cosines, [0, number])
        if not len(others):
            rows.append((str(number), f"{cosines[0]:.3f}", DASH, DASH))
            continue
        place = int(others.argmax()) + 1
        which = place if place < number else place + 1
        rows.append((str(number), f"{cosines[0]:.3f}", f"{cosines[which]:.3f}", str(which)))
    return rows


def _class_to_dict(augmented: Augmented, epochs: int) -> dict[str, Any]:
    row: dict[str, Any] = {"name": augmented.class_name, "n": augmented.images, "network_epoch": epochs}
    row |= {"mean_similarity": augmented.mean_similarity, "similarity": augmented.similarity.tolist()}
    return row | ({"reason": augmented.reason} if augmented.reason else {})


def _ends(measured: Measured) -> list[float] | None:
    low, high = measured.interval.low, measured.interval.high
    return None if low is None or high is None else [low, high]


def _why(measured: Measured) -> dict[str, str]:
    return {"reason": measured.measure.reason} if measured.measure.reason else {}
