"""An evaluation as JSON, as rows for CSV, and as the tables of a terminal. Numbers are 0..1 in JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forensic.evaluate.run import Condition, Evaluation, UnknownMeasures
    from forensic.metrics.measured import Measured

DASH = "-"
CSV_COLUMNS = (
    "images", "kind", "name", "n", "accuracy", "accuracy_low", "accuracy_high", "auroc", "auroc_low", "auroc_high",
    "oscr", "oscr_low", "oscr_high", "fpr95", "fpr95_low", "fpr95_high", "false_real", "nearest", "reason",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Table(NamedTuple):
    """A table of a terminal; a column that begins with `>` is right-aligned."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def to_json(evaluation: Evaluation, head: dict[str, Any]) -> str:
    """One object: `head`, then what was measured on the images as stored; under `jpeg` the same for each quality.

    Args:
        evaluation: what was measured.
        head: what it was measured with: weights, data, options.
    """
    row = head | condition_to_dict(evaluation.stored)
    row["jpeg"] = {str(quality): condition_to_dict(condition) for quality, condition in evaluation.jpeg.items()}
    row["left_out"] = [{"path": entry.path, "reason": entry.reason} for entry in evaluation.left_out]
    return json.dumps(row, allow_nan=False, indent=2)


def condition_to_dict(condition: Condition) -> dict[str, Any]:
    """The measures of one form of the images; an undefined one is null, and `reason` says why."""
    accuracy = condition.closed_accuracy
    row: dict[str, Any] = {
        "closed_accuracy": accuracy.measure.value,
        "closed_accuracy_ci": _ends(accuracy),
        "known_accepted": condition.known_accepted.measure.value,
    }
    if accuracy.measure.reason:
        row["reason"] = accuracy.measure.reason
    row["groups"] = {name: _unknown_to_dict(measures) for name, measures in condition.groups.items()}
    classes: dict[str, Any] = {}
    for name, (measured, n) in condition.known_classes.items():
        classes[name] = {"accuracy": measured.measure.value, "accuracy_ci": _ends(measured), "n": n}
        if measured.measure.reason:
            classes[name]["reason"] = measured.measure.reason
    for name, measures in condition.unknown_classes.items():
        classes[name] = _unknown_to_dict(measures)
    return row | {"classes": classes}


def to_csv(evaluation: Evaluation) -> str:
    """One row a group and a class, with a header; cells that a spreadsheet would take for a formula are guarded."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    conditions = {"stored": evaluation.stored} | {f"jpeg-{q}": condition for q, condition in evaluation.jpeg.items()}
    for images, condition in conditions.items():
        row = condition_to_dict(condition)
        known = sum(n for _, n in condition.known_classes.values())
        accuracy = {"accuracy": row["closed_accuracy"], "accuracy_ci": row["closed_accuracy_ci"], "n": known}
        listed = [("closed-set", "known", accuracy | ({"reason": row["reason"]} if "reason" in row else {}))]
        listed += [("group", name, values) for name, values in row["groups"].items()]
        listed += [("class", name, values) for name, values in row["classes"].items()]
        for kind, name, values in listed:
            writer.writerow({"images": images, "kind": kind, "name": _guarded(name)} | _flat(values))
    return text.getvalue()


def to_tables(evaluation: Evaluation) -> list[Table]:
    """The tables of a terminal, in percent; a dash where a measure is undefined."""
    tables: list[Table] = []
    conditions = {"": evaluation.stored} | {f", JPEG quality {q}": c for q, c in evaluation.jpeg.items()}
    for suffix, condition in conditions.items():
        known = [
            ("all", _percent(condition.closed_accuracy), str(sum(n for _, n in condition.known_classes.values()))),
            *((name, _percent(measured), str(n)) for name, (measured, n) in condition.known_classes.items()),
        ]
        tables.append(Table(f"Known classes{suffix}", ("class", ">accuracy %", ">n"), known))
        for title, listed in (("Groups of unknown", condition.groups), ("Unknown classes", condition.unknown_classes)):
            if listed:
                rows = [_unknown_row(name, measures) for name, measures in listed.items()]
                tables.append(Table(f"{title}{suffix}", _UNKNOWN_COLUMNS, rows))
    return tables


_UNKNOWN_COLUMNS = (
    "unknown",
    ">AUROC %",
    ">OSCR %",
    ">FPR95 %",
    ">taken for real %",
    ">n",
    "nearest class",
)


def _unknown_to_dict(measures: UnknownMeasures) -> dict[str, Any]:
    opened = measures.open_set
    row: dict[str, Any] = {}
    for name, measured in (("auroc", opened.auroc), ("oscr", opened.oscr), ("fpr95", opened.fpr95)):
        row[name] = measured.measure.value
        row[f"{name}_ci"] = _ends(measured)
    row |= {"false_real": measures.false_real.value, "n": measures.n, "nearest": measures.nearest}
    reasons = [opened.auroc.measure.reason, measures.false_real.reason]
    said = list(dict.fromkeys(reason for reason in reasons if reason))
    return row | ({"reason": "; ".join(said)} if said else {})


def _unknown_row(name: str, measures: UnknownMeasures) -> tuple[str, ...]:
    opened = measures.open_set
    share = measures.false_real.value
    return (
        name,
        *(_percent(measured) for measured in (opened.auroc, opened.oscr, opened.fpr95)),
        DASH if share is None else f"{100 * share:.1f}",
        str(measures.n),
        measures.nearest or DASH,
    )


def _percent(measured: Measured) -> str:
    value, ends = measured.measure.value, measured.interval
    if value is None:
        return DASH
    said = f"{100 * value:.1f}"
    return said if ends.low is None or ends.high is None else f"{said} ({100 * ends.low:.1f}-{100 * ends.high:.1f})"


def _ends(measured: Measured) -> list[float] | None:
    low, high = measured.interval.low, measured.interval.high
    return None if low is None or high is None else [low, high]


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in values.items():
        if name.endswith("_ci"):
            low, high = value or (None, None)
            row |= {f"{name[:-3]}_low": low, f"{name[:-3]}_high": high}
        else:
            row[name] = _guarded(value) if isinstance(value, str) else value
    return row


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
