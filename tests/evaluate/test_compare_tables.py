from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from forensic.cli.console import safe
from forensic.evaluate.compare import ComparedCondition, Comparison, Difference
from forensic.evaluate.compare_tables import (
    CSV_COLUMNS,
    comparison_to_csv,
    comparison_to_json,
    comparison_to_page,
    comparison_to_tables,
)
from forensic.evaluate.images import LeftOut
from forensic.metrics.measure import Interval, Measure
from forensic.metrics.measured import Measured

NONE = "no unknown images"


def difference(first: float, second: float, low: float, high: float) -> Difference:
    return Difference(first, second, Measured(Measure(second - first), Interval(low, high)))


ABSENT = Difference(None, None, Measured(Measure(None, NONE), Interval(None, None, NONE)))
STORED = ComparedCondition(
    known=8,
    closed_set={
        "closed_accuracy": difference(0.5, 0.75, 0.125, 0.375),
        "wrong_known": difference(0.25, 0.125, -0.25, 0.0),
    },
    groups={"=wild": {"auroc": difference(0.5, 0.5, -0.0625, 0.0625), "false_real": ABSENT}, "all": {"auroc": ABSENT}},
    sizes={"=wild": 4, "all": 0},
)
COMPARISON = Comparison(STORED, {90: STORED}, (LeftOut("x.png", "cut"),))


def test_json_holds_both_values_and_the_interval() -> None:
    row = json.loads(comparison_to_json(COMPARISON, {"seed": 0}))
    assert row["seed"] == 0
    assert row["closed_set"]["closed_accuracy"] == {
        "first": 0.5, "second": 0.75, "difference": 0.25, "difference_ci": [0.125, 0.375]
    }  # fmt: skip
    assert row["groups"]["=wild"]["false_real"] == {
        "first": None, "second": None, "difference": None, "difference_ci": None, "reason": NONE
    }  # fmt: skip
    assert row["groups"]["=wild"]["n"] == 4
    assert row["jpeg"]["90"]["groups"] == row["groups"]
    assert row["left_out"] == [{"path": "x.png", "reason": "cut"}]


def test_csv_has_a_row_for_each_measure_and_guards_formulas() -> None:
    rows = list(csv.DictReader(io.StringIO(comparison_to_csv(COMPARISON))))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert len(rows) == 2 * 5
    assert [rows[0][name] for name in ("measure", "first", "second", "difference", "low", "high", "n")] == [
        "closed_accuracy", "0.5", "0.75", "0.25", "0.125", "0.375", "8"
    ]  # fmt: skip
    assert rows[2]["name"] == "'=wild"
    assert rows[3]["reason"] == NONE


def test_tables_say_what_the_images_can_tell_apart() -> None:
    tables = comparison_to_tables(COMPARISON)
    assert [table.title for table in tables] == [
        "Known images (8)",
        "Unknown: =wild (4 images)",
        "Known images (8), JPEG quality 90",
        "Unknown: =wild (4 images), JPEG quality 90",
    ]
    assert tables[0].rows == [
        ("accuracy", "50.0", "75.0", "+25.0", "+12.5 to +37.5", "differs"),
        ("taken for another known class", "25.0", "12.5", "-12.5", "-25.0 to +0.0", "not told apart"),
    ]
    assert tables[1].rows == [
        ("AUROC", "50.0", "50.0", "+0.0", "-6.2 to +6.2", "not told apart"),
        ("taken for real", "-", "-", "-", "-", ""),
    ]


def test_the_page_escapes_and_repeats() -> None:
    hostile = replace(STORED, groups={"<script>": STORED.groups["=wild"], "all": {}}, sizes={"<script>": 1, "all": 0})
    made = comparison_to_page(
        Comparison(hostile, {90: hostile}, (LeftOut("<b>", "cut"),)), {"first": "<i>"}, "b against <u>", told=safe
    )
    assert made == comparison_to_page(
        Comparison(hostile, {90: hostile}, (LeftOut("<b>", "cut"),)), {"first": "<i>"}, "b against <u>", told=safe
    )
    text = made.decode()
    for tag in ("<script", "<b>", "<i>", "<u>"):
        assert tag not in text
    assert text.count("+12.5 to +37.5") == 2
    assert "<h2>Re-encoded as JPEG, quality 90</h2>" in text
    assert "&lt;script&gt; (1 images)" not in text
    assert "Unknown: &lt;script&gt; (1 image)" in text


@pytest.mark.parametrize("count", [0, 60])
def test_images_left_out_are_counted(count: int) -> None:
    left_out = tuple(LeftOut(f"n{n}.png", "cut") for n in range(count))
    made = comparison_to_page(replace(COMPARISON, left_out=left_out), {}, "t", told=safe).decode()
    assert ("Images without a score" in made) == (count > 0)
    assert made.count("cut") == min(count, 50)
