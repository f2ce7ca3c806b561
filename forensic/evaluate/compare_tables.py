"""A comparison as JSON, CSV, tables of a terminal and an HTML page. Numbers are 0..1 in JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from forensic.evaluate.frame import Section, paragraph, render, table
from forensic.evaluate.tables import DASH, HEADINGS, Table, guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from markupsafe import Markup

    from forensic.evaluate.compare import ComparedCondition, Comparison, Difference

CSV_COLUMNS = ("images", "kind", "name", "n", "measure", "first", "second", "difference", "low", "high", "reason")
_TOLD = {
    "closed_accuracy": "accuracy",
    "known_accepted": "known accepted",
    "wrong_known": "taken for another known class",
} | HEADINGS
_COLUMNS = ("measure", ">first %", ">second %", ">second - first", ">95 % interval", "")
_SAID = (
    "Differences are second less first, in percentage points, on the images that both gave a score. Photographs are "
    "drawn once for both sets of weights and for known and unknown images together, so that what a hard photograph "
    "does to both cancels. Where the interval holds 0, these images do not tell the two apart."
)


def comparison_to_json(comparison: Comparison, head: dict[str, Any]) -> str:
    """One object: `head`, then the differences on the images as stored; under `jpeg` the same for each quality."""
    row = head | _condition_to_dict(comparison.stored)
    row["jpeg"] = {str(quality): _condition_to_dict(condition) for quality, condition in comparison.jpeg.items()}
    row["left_out"] = [{"path": entry.path, "reason": entry.reason} for entry in comparison.left_out]
    return json.dumps(row, allow_nan=False, indent=2)


def comparison_to_csv(comparison: Comparison) -> str:
    """One row a measure of each group, with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    conditions = {"stored": comparison.stored} | {f"jpeg-{q}": condition for q, condition in comparison.jpeg.items()}
    for images, condition in conditions.items():
        listed = [("closed-set", "known", condition.known, condition.closed_set)]
        listed += [("group", name, condition.sizes[name], rows) for name, rows in condition.groups.items()]
        for kind, name, n, rows in listed:
            for measure, entry in rows.items():
                row = _difference_to_dict(entry)
                low, high = row.pop("difference_ci") or ("", "")
                place = {"images": images, "kind": kind, "name": guarded(name), "n": n, "measure": measure}
                writer.writerow(place | row | {"low": low, "high": high})
    return text.getvalue()


def comparison_to_tables(comparison: Comparison) -> list[Table]:
    """The tables of a terminal, in percent and percentage points."""
    conditions = {"": comparison.stored} | {f", JPEG quality {q}": c for q, c in comparison.jpeg.items()}
    return [
        Table(f"{title}{suffix}", _COLUMNS, list(_rows(rows)))
        for suffix, condition in conditions.items()
        for title, rows in _parts(condition)
    ]


def comparison_to_page(
    comparison: Comparison, facts: Mapping[str, str], title: str, *, told: Callable[[str], str]
) -> bytes:
    """The page; the same bytes for the same comparison.

    Args:
        comparison: what was measured.
        facts: name and value of what was compared.
        title: of the page.
        told: makes a line fit to be shown; HTML is escaped here.
    """
    conditions = {"Images as stored": comparison.stored}
    conditions |= {f"Re-encoded as JPEG, quality {quality}": each for quality, each in comparison.jpeg.items()}
    sections = [Section(name, _section(condition)) for name, condition in conditions.items()]
    if comparison.left_out:
        said = f"Images to which one of the two gave no score, and which count nowhere: {len(comparison.left_out)}."
        rows = [(entry.path, entry.reason) for entry in comparison.left_out[:50]]
        sections.append(Section("Images without a score", paragraph(said) + table(("image", "reason"), rows)))
    return render(title, facts.items(), sections, _SAID, told=told)


def _section(condition: ComparedCondition) -> Markup:
    made = [paragraph(title) + table(_COLUMNS, _rows(rows)) for title, rows in _parts(condition)]
    whole = made[0]
    for part in made[1:]:
        whole += part
    return whole


def _parts(condition: ComparedCondition) -> Iterable[tuple[str, Mapping[str, Difference]]]:
    yield f"Known images ({condition.known})", condition.closed_set
    for name, rows in condition.groups.items():
        if condition.sizes[name]:
            n = condition.sizes[name]
            yield f"Unknown: {name} ({n} {'image' if n == 1 else 'images'})", rows


def _rows(rows: Mapping[str, Difference]) -> Iterable[tuple[str, ...]]:
    for name, entry in rows.items():
        value, ends = entry.measured.measure.value, entry.measured.interval
        interval = DASH if ends.low is None or ends.high is None else f"{100 * ends.low:+.1f} to {100 * ends.high:+.1f}"
        told_apart = ends.low is not None and ends.high is not None and not ends.low <= 0 <= ends.high
        yield (
            _TOLD[name],
            _percent(entry.first),
            _percent(entry.second),
            DASH if value is None else f"{100 * value:+.1f}",
            interval,
            "" if value is None else "differs" if told_apart else "not told apart",
        )


def _condition_to_dict(condition: ComparedCondition) -> dict[str, Any]:
    return {
        "n": condition.known,
        "closed_set": {name: _difference_to_dict(entry) for name, entry in condition.closed_set.items()},
        "groups": {
            group: {name: _difference_to_dict(entry) for name, entry in rows.items()} | {"n": condition.sizes[group]}
            for group, rows in condition.groups.items()
        },
    }


def _difference_to_dict(entry: Difference) -> dict[str, Any]:
    measure, ends = entry.measured
    row: dict[str, Any] = {
        "first": entry.first,
        "second": entry.second,
        "difference": measure.value,
        "difference_ci": None if ends.low is None or ends.high is None else [ends.low, ends.high],
    }
    reason = measure.reason or ends.reason
    return row | ({"reason": reason} if reason else {})


def _percent(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.1f}"
