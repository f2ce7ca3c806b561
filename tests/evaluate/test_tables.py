from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from forensic.evaluate.run import Evaluation
from forensic.evaluate.tables import CSV_COLUMNS, condition_to_dict, to_csv, to_json, to_tables


def test_json_is_to_the_letter(evaluation: Evaluation) -> None:
    row = json.loads(to_json(evaluation, {"weights": {"hash": "x"}}))
    assert row["weights"] == {"hash": "x"}
    assert 0 <= row["closed_accuracy"] <= 1
    for name in ("seed", "arch", "dataset", "wild", "all"):
        group = row["groups"][name]
        assert {"auroc", "oscr", "fpr95", "n", "auroc_ci", "false_real"} <= group.keys()
        low, high = group["auroc_ci"]
        assert 0 <= low <= high <= 1
    assert {"accuracy", "n"} <= row["classes"]["real"].keys()
    unknown = row["classes"]["ae_bilinear_d1_s0"]
    assert {"auroc", "oscr", "fpr95", "false_real", "n", "nearest"} <= unknown.keys()
    assert row["jpeg"]["80"].keys() == {"closed_accuracy", "closed_accuracy_ci", "known_accepted", "groups", "classes"}
    assert row["left_out"] == []


def test_csv_has_the_same_numbers(evaluation: Evaluation) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(evaluation))))
    assert tuple(rows[0]) == CSV_COLUMNS
    stored = condition_to_dict(evaluation.stored)
    found = {(row["images"], row["kind"], row["name"]): row for row in rows}
    assert float(found["stored", "closed-set", "known"]["accuracy"]) == stored["closed_accuracy"]
    assert float(found["stored", "group", "all"]["auroc"]) == stored["groups"]["all"]["auroc"]
    assert float(found["stored", "group", "all"]["auroc_low"]) == stored["groups"]["all"]["auroc_ci"][0]
    assert found["stored", "class", "real"]["auroc"] == ""
    assert ("jpeg-80", "group", "wild") in found


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x"])
def test_csv_guards_formulas(evaluation: Evaluation, name: str) -> None:
    measures = evaluation.stored.groups["seed"]
    named = replace(evaluation, stored=replace(evaluation.stored, groups={name: measures}), jpeg={})
    rows = list(csv.DictReader(io.StringIO(to_csv(named))))
    assert rows[1]["name"] == f"'{name}"


def test_tables_are_in_percent(evaluation: Evaluation) -> None:
    tables = to_tables(evaluation)
    assert [table.title for table in tables[:3]] == ["Known classes", "Groups of unknown", "Unknown classes"]
    assert tables[3].title == "Known classes, JPEG quality 80"
    for table in tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
    accuracy = evaluation.stored.closed_accuracy.measure.value
    assert accuracy is not None
    assert tables[0].rows[0][1].startswith(f"{100 * accuracy:.1f} (")


def test_a_dash_where_nothing_was_measured(evaluation: Evaluation) -> None:
    empty = replace(evaluation.stored, groups={}, unknown_classes={})
    (known,) = to_tables(replace(evaluation, stored=empty, jpeg={}))
    assert known.title == "Known classes"
    absent = evaluation.stored.closed_accuracy._replace(
        measure=evaluation.stored.closed_accuracy.measure._replace(value=None, reason="no known images")
    )
    (table, *_) = to_tables(replace(evaluation, stored=replace(empty, closed_accuracy=absent), jpeg={}))
    assert table.rows[0][1] == "-"
