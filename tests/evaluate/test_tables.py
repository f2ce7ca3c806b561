from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from forensic.evaluate.run import Evaluation, EvaluationPlan, evaluate
from forensic.evaluate.selection import Selection
from forensic.evaluate.tables import (
    CSV_COLUMNS,
    condition_to_dict,
    operating_rows,
    percent,
    to_csv,
    to_json,
    to_tables,
)
from forensic.metrics.measure import Interval, Measure
from forensic.metrics.measured import Measured
from forensic.models.weights import Weights


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
    assert row["jpeg"]["80"].keys() == {
        "closed_accuracy", "closed_accuracy_ci", "known_accepted", "known_accepted_ci", "wrong_known", "wrong_known_ci",
        "ece", "groups", "classes", "generators", "reliability", "confusion",
    }  # fmt: skip
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
    groups = {name: measures, "all": measures}
    named = replace(evaluation, stored=replace(evaluation.stored, groups=groups), jpeg={})
    rows = list(csv.DictReader(io.StringIO(to_csv(named))))
    assert rows[1]["name"] == f"'{name}"


def test_tables_are_in_percent(evaluation: Evaluation) -> None:
    tables = to_tables(evaluation)
    assert [table.title for table in tables[:3]] == ["Known classes", "Groups of unknown", "Unknown classes"]
    assert [table.title for table in tables[3:6]] == [
        "Over unknown classes (5)", "Operating point", "Known classes, JPEG quality 80"
    ]  # fmt: skip
    for table in tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
    accuracy = evaluation.stored.closed_accuracy.measure.value
    assert accuracy is not None
    assert tables[0].rows[0][1].startswith(f"{100 * accuracy:.1f} (")


def test_a_dash_where_nothing_was_measured(tiny: Weights, selection: Selection) -> None:
    known_only = evaluate(EvaluationPlan(tiny, Selection(selection.known[:2], {}), replicates=10))
    tables = {table.title: table for table in to_tables(known_only)}
    assert list(tables) == ["Known classes", "Groups of unknown", "Operating point"]
    assert tables["Groups of unknown"].rows == [("all", "-", "-", "-", "-", "-", "0", "-")]
    assert [row[1] for row in tables["Operating point"].rows[2:]] == ["-", "-"]
    unknown_only = evaluate(EvaluationPlan(tiny, Selection((), {"wild": selection.unknown["wild"][:1]}), replicates=10))
    assert to_tables(unknown_only)[0].rows[0] == ("all", "-", "0")


def test_what_the_threshold_costs_adds_up(evaluation: Evaluation) -> None:
    pooled = evaluation.stored.groups["all"]
    rows = dict(operating_rows(evaluation.stored))
    accepted, rejected = evaluation.stored.known_accepted, pooled.rejection
    assert accepted.measure.value is not None
    assert rejected.measure.value is not None
    assert rows["known images rejected"].startswith(f"{100 - 100 * accepted.measure.value:.1f} (")
    assert rows["unknown images accepted"].startswith(f"{100 - 100 * rejected.measure.value:.1f} (")
    assert rows["unknown images accepted as real"] == percent(pooled.false_real)


def test_a_complement_turns_its_interval_round() -> None:
    assert percent(Measured(Measure(0.25), Interval(0.125, 0.5))) == "25.0 (12.5-50.0)"
    assert percent(Measured(Measure(0.25), Interval(0.125, 0.5)), complement=True) == "75.0 (50.0-87.5)"
    assert percent(Measured(Measure(0.25), Interval(None, None, "few")), complement=True) == "75.0"
    assert percent(Measured(Measure(None, "none"), Interval(None, None, "none")), complement=True) == "-"


def test_json_has_the_new_measures_beside(evaluation: Evaluation) -> None:
    row = json.loads(to_json(evaluation, {}))
    group = row["groups"]["all"]
    for name in ("aupr_known", "aupr_unknown", "dtacc", "open_auc", "rejection", "confidence", "nearest_share"):
        assert 0 <= group[name] <= 1, name
    assert row["generators"]["n"] == 5
    values = {name: row["classes"][name]["auroc"] for name in evaluation.stored.unknown_classes}
    assert row["generators"]["auroc"]["macro"] == pytest.approx(sum(values.values()) / 5)
    assert row["generators"]["auroc"]["worst_value"] == min(values.values())
    assert row["generators"]["auroc"]["reason"] == "fewer than 10 generators"
    assert row["classes"]["ae_bilinear_d1_s0"]["group"] == "arch"
    assert sum(map(sum, row["confusion"]["rows"].values())) == len(evaluation.stored.attributed)
    assert row["reliability"][0]["low"] == 0.0
    assert sum(entry["n"] for entry in row["reliability"]) == sum(
        n for _, n in evaluation.stored.known_classes.values()
    )


def test_csv_has_mean_and_worst_over_generators(evaluation: Evaluation) -> None:
    rows = {(row["images"], row["name"]): row for row in csv.DictReader(io.StringIO(to_csv(evaluation)))}
    over = json.loads(to_json(evaluation, {}))["generators"]
    assert float(rows["stored", "macro mean"]["auroc"]) == over["auroc"]["macro"]
    assert float(rows["stored", "worst"]["false_real"]) == over["false_real"]["worst_value"]
    assert float(rows["jpeg-80", "known"]["ece"]) == evaluation.jpeg[80].ece.value
