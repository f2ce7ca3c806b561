"""An evaluation as JSON, as rows for CSV, and as the tables of a terminal. Numbers are 0..1 in JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forensic.evaluate.measures import Condition, OverGenerators, UnknownMeasures
    from forensic.evaluate.run import Evaluation
    from forensic.metrics.measured import Measured

DASH = "-"
CSV_COLUMNS = (
    "images", "kind", "name", "n", "accuracy", "accuracy_low", "accuracy_high", "auroc", "auroc_low", "auroc_high",
    "oscr", "oscr_low", "oscr_high", "fpr95", "fpr95_low", "fpr95_high", "false_real", "nearest", "reason",
    "false_real_low", "false_real_high", "rejection", "rejection_low", "rejection_high", "nearest_share", "confidence",
    "aupr_known", "aupr_unknown", "dtacc", "open_auc", "tnr_at_tpr95", "auin", "auout", "group", "known_accepted",
    "known_accepted_low", "known_accepted_high", "wrong_known", "wrong_known_low", "wrong_known_high", "ece",
)  # fmt: skip
"""New ones go to the end."""
HEADINGS = {"auroc": "AUROC", "oscr": "OSCR", "fpr95": "FPR95", "rejection": "rejected", "false_real": "taken for real"}
"""What is told of every unknown, in percent."""
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
    row: dict[str, Any] = {}
    for name in ("closed_accuracy", "known_accepted", "wrong_known"):
        measured: Measured = getattr(condition, name)
        row |= {name: measured.measure.value, f"{name}_ci": _ends(measured)}
    row |= {"ece": condition.ece.value} | {name: value.value for name, value in condition.closed.items()}
    if condition.closed_accuracy.measure.reason:
        row["reason"] = condition.closed_accuracy.measure.reason
    row["groups"] = {name: _unknown_to_dict(measures) for name, measures in condition.groups.items()}
    classes: dict[str, Any] = {}
    for name, (measured, n) in condition.known_classes.items():
        classes[name] = {"accuracy": measured.measure.value, "accuracy_ci": _ends(measured), "n": n}
        if measured.measure.reason:
            classes[name]["reason"] = measured.measure.reason
    for name, measures in condition.unknown_classes.items():
        classes[name] = _unknown_to_dict(measures) | {"group": condition.class_groups[name]}
    return row | {
        "classes": classes,
        "generators": {"n": len(condition.unknown_classes)}
        | {name: _over_to_dict(over) for name, over in condition.generators.items()},
        "reliability": [entry._asdict() for entry in condition.reliability],
        "confusion": {
            "columns": list(condition.known_classes),
            "rows": dict(
                zip((*condition.known_classes, *condition.unknown_classes), condition.confusion.tolist(), strict=True)
            ),
        },
    }


def to_csv(evaluation: Evaluation) -> str:
    """One row a group and a class, with a header; cells that a spreadsheet would take for a formula are guarded."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    conditions = {"stored": evaluation.stored} | {f"jpeg-{q}": condition for q, condition in evaluation.jpeg.items()}
    for images, condition in conditions.items():
        row = condition_to_dict(condition)
        known = {"n": sum(n for _, n in condition.known_classes.values())}
        known |= {"accuracy": row["closed_accuracy"], "accuracy_ci": row["closed_accuracy_ci"]}
        known |= {
            name: row[name]
            for name in ("known_accepted", "known_accepted_ci", "wrong_known", "wrong_known_ci", "ece", "reason")
            if name in row
        }
        listed = [("closed-set", "known", known)]
        listed += [("group", name, values) for name, values in row["groups"].items()]
        listed += [("class", name, values) for name, values in row["classes"].items()]
        over = {name: row["generators"][name] for name in condition.generators}
        means: dict[str, Any] = {"n": row["generators"]["n"]}
        for name, values in over.items():
            means |= {name: values["macro"], f"{name}_ci": values["macro_ci"]}
        listed += [("over-generators", "macro mean", means)]
        listed += [("over-generators", "worst", {name: values["worst_value"] for name, values in over.items()})]
        for kind, name, values in listed:
            flat = {column: value for column, value in _flat(values).items() if column in CSV_COLUMNS}
            writer.writerow({"images": images, "kind": kind, "name": guarded(name)} | flat)
    return text.getvalue()


def to_tables(evaluation: Evaluation) -> list[Table]:
    """The tables of a terminal, in percent; a dash where a measure is undefined."""
    tables: list[Table] = []
    conditions = {"": evaluation.stored} | {f", JPEG quality {q}": c for q, c in evaluation.jpeg.items()}
    columns = ("unknown", *(f">{told} %" for told in HEADINGS.values()), ">n", "nearest class")
    for suffix, condition in conditions.items():
        known = [
            ("all", percent(condition.closed_accuracy), str(sum(n for _, n in condition.known_classes.values()))),
            *((name, percent(measured), str(n)) for name, (measured, n) in condition.known_classes.items()),
        ]
        tables.append(Table(f"Known classes{suffix}", ("class", ">accuracy %", ">n"), known))
        for title, listed in (("Groups of unknown", condition.groups), ("Unknown classes", condition.unknown_classes)):
            if listed:
                rows = [_unknown_row(name, measures) for name, measures in listed.items()]
                tables.append(Table(f"{title}{suffix}", columns, rows))
        if condition.unknown_classes:
            tables.append(
                Table(f"Over unknown classes ({len(condition.unknown_classes)}){suffix}", _OVER, over_rows(condition))
            )
        tables.append(Table(f"Operating point{suffix}", ("", ">%"), operating_rows(condition)))
    return tables


_OVER = ("measure", ">mean %", ">worst %", "worst class")


def over_rows(condition: Condition) -> list[tuple[str, str, str, str]]:
    """Measure, mean over the unknown classes, worst value, worst class."""
    return [
        (
            HEADINGS[name],
            percent(over.macro),
            DASH if over.worst is None or over.worst[1].value is None else f"{100 * over.worst[1].value:.1f}",
            DASH if over.worst is None else over.worst[0],
        )
        for name, over in condition.generators.items()
    ]


def operating_rows(condition: Condition) -> list[tuple[str, str]]:
    """What the threshold of the weights costs."""
    pooled = condition.groups["all"]
    return [
        ("known images rejected", percent(condition.known_accepted, complement=True)),
        ("known images accepted as another known class", percent(condition.wrong_known)),
        ("unknown images accepted", percent(pooled.rejection, complement=True)),
        ("unknown images accepted as real", percent(pooled.false_real)),
    ]


def percent(measured: Measured, *, complement: bool = False) -> str:
    """`83.1 (78.0-87.9)`, without the interval where there is none, a dash where there is no value.

    Args:
        measured: a share of 0..1.
        complement: tell what is left to the whole.
    """
    value, ends = measured.measure.value, measured.interval
    if value is None:
        return DASH
    if ends.low is None or ends.high is None:
        return f"{100 * (1 - value if complement else value):.1f}"
    low, high = (1 - ends.high, 1 - ends.low) if complement else (ends.low, ends.high)
    return f"{100 * (1 - value if complement else value):.1f} ({100 * low:.1f}-{100 * high:.1f})"


def _unknown_to_dict(measures: UnknownMeasures) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, measured in measures.open_set.items():
        row[name] = measured.measure.value
        if name in HEADINGS or measured.interval.low is not None:
            row[f"{name}_ci"] = _ends(measured)
    if measures.oscr_range is not None:
        row["oscr_range"] = list(measures.oscr_range)
    for name in ("rejection", "false_real"):
        row |= {name: measures[name].measure.value, f"{name}_ci": _ends(measures[name])}
    row |= {"n": measures.n, "nearest": measures.nearest, "nearest_share": measures.nearest_share}
    row["confidence"] = measures.confidence.value
    reasons = [measures["auroc"].measure.reason, measures.false_real.measure.reason]
    said = list(dict.fromkeys(reason for reason in reasons if reason))
    return row | ({"reason": "; ".join(said)} if said else {})


def _over_to_dict(over: OverGenerators) -> dict[str, Any]:
    worst = None if over.worst is None else over.worst[0]
    row = {
        "macro": over.macro.measure.value,
        "macro_ci": _ends(over.macro),
        "worst": worst,
        "worst_value": None if over.worst is None else over.worst[1].value,
    }
    reason = over.macro.measure.reason or over.macro.interval.reason
    return row | ({"reason": reason} if reason else {})


def _unknown_row(name: str, measures: UnknownMeasures) -> tuple[str, ...]:
    return (
        name,
        *(percent(measures[measure]) for measure in HEADINGS),
        str(measures.n),
        measures.nearest or DASH,
    )


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
            row[name] = guarded(value) if isinstance(value, str) else value
    return row


def guarded(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
