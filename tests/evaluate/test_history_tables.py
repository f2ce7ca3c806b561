from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np

from forensic.evaluate.history import History, Point
from forensic.evaluate.history_tables import (
    CSV_COLUMNS,
    history_to_csv,
    history_to_json,
    history_to_tables,
    shown_groups,
    similarity_rows,
)
from forensic.metrics.measure import Interval, Measure
from forensic.metrics.measured import Measured


def test_json_holds_what_was_measured(history: History) -> None:
    row = json.loads(history_to_json(history, {"score": "x"}))
    assert row["score"] == "x"
    assert [point["epoch"] for point in row["points"]] == [1, 2, 3]
    for told, point in zip(row["points"], history.points, strict=True):
        assert told["closed_accuracy"] == point.accuracy.measure.value
        assert told["closed_accuracy_ci"] == [point.accuracy.interval.low, point.accuracy.interval.high]
        assert told["augmenters"] == point.augmenters
        for name, measured in point.auroc.items():
            assert told["groups"][name]["auroc"] == measured.measure.value
    assert row["n"] == history.known
    assert row["groups"] == history.groups
    assert row["class"]["similarity"] == history.augmented.similarity.tolist()
    assert (row["class"]["network_epoch"], row["class"]["name"]) == (3, "ae_ct4_d1_s0")


def without_unknown(history: History) -> History:
    nothing = Measured(Measure(None, "no unknown images"), Interval(None, None, "no unknown images"))
    points = tuple(Point(p.epoch, p.augmenters, p.accuracy, {"all": nothing}) for p in history.points)
    augmented = replace(history.augmented, similarity=np.zeros((0, 0)), reason="the run has no augmenters")
    return replace(history, points=points, groups={"all": 0}, augmented=augmented)


def test_what_is_undefined_is_null_with_a_reason(history: History) -> None:
    row = json.loads(history_to_json(without_unknown(history), {}))
    assert row["points"][0]["groups"]["all"] == {"auroc": None, "auroc_ci": None, "reason": "no unknown images"}
    assert row["class"]["mean_similarity"] is None
    assert row["class"]["reason"] == "the run has no augmenters"
    lines = list(csv.DictReader(io.StringIO(history_to_csv(without_unknown(history)))))
    assert lines[1]["value"] == lines[1]["low"] == ""
    assert lines[1]["reason"] == "no unknown images"
    curve, augmented = history_to_tables(without_unknown(history))
    assert curve.rows[0][-1] == "-"
    assert list(augmented.rows) == [("the run has no augmenters",)]


def test_csv_has_a_row_for_each_measure_of_each_epoch(history: History) -> None:
    text = history_to_csv(history)
    assert text.splitlines()[0] == ",".join(CSV_COLUMNS)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 3 * (1 + len(history.groups))
    last = [row for row in rows if row["epoch"] == "3" and row["group"] == "all"]
    assert float(last[0]["value"]) == history.points[2].auroc["all"].measure.value
    assert int(last[0]["n"]) == history.groups["all"]


def test_a_group_that_is_a_formula_is_guarded(history: History) -> None:
    points = tuple(
        Point(p.epoch, p.augmenters, p.accuracy, {"=1+1": p.auroc["all"], "all": p.auroc["all"]})
        for p in history.points
    )
    text = history_to_csv(replace(history, points=points, groups={"=1+1": 1, "all": 1}))
    assert "'=1+1" in text


def test_tables_show_the_curve_and_the_augmenters(history: History) -> None:
    curve, augmented = history_to_tables(history)
    assert curve.columns[:3] == ("epoch", ">augmenters", ">accuracy %")
    assert len(curve.columns) == 3 + len(history.groups)
    accuracy = history.points[0].accuracy.measure.value
    assert curve.rows[0][2].startswith(f"{100 * accuracy:.1f} (")
    assert "network of epoch 3" in augmented.title
    assert len(augmented.rows) == 3


def test_one_group_alone_is_all_of_them(history: History) -> None:
    assert shown_groups(history) == ["all", *(name for name in history.groups if name != "all")]
    assert shown_groups(replace(history, groups={"val_unseen": 4, "all": 4})) == ["all"]


def test_nearest_other_augmenter_by_hand(history: History) -> None:
    similarity = np.array(
        [[1.0, 0.9, 0.8, 0.7], [0.9, 1.0, 0.2, 0.3], [0.8, 0.2, 1.0, 0.6], [0.7, 0.3, 0.6, 1.0]],
    )
    assert similarity_rows(replace(history.augmented, similarity=similarity)) == [
        ("1", "0.900", "0.300", "3"),
        ("2", "0.800", "0.600", "3"),
        ("3", "0.700", "0.600", "2"),
    ]
    assert similarity_rows(replace(history.augmented, similarity=similarity[:2, :2])) == [("1", "0.900", "-", "-")]
