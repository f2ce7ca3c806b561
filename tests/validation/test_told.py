from __future__ import annotations

import json
from dataclasses import replace

import pytest

from forensic.metrics.measure import Interval, Measure
from forensic.metrics.measured import Measured
from forensic.validation.statement import Range
from forensic.validation.told import base_rates, limits, range_in_words, to_json


def test_json_has_numbers_hashes_and_the_command(validated, tiny, made_calibration) -> None:
    row = json.loads(to_json(validated))
    assert row["weights"]["hash"] == tiny.card.hash
    assert row["calibration"]["hash"] == made_calibration.hash
    assert row["data"]["files_hash"] == validated.files
    assert row["command"] == "forensic validate --data <mini>"
    assert row["holds_for"] == "PNG, sides of 128 px, scores over 1 tile"
    assert set(row["classes"]) == set(tiny.card.classes)
    named = row["known"]["named"]
    assert named["value"] == validated.statement.known.named.measure.value
    assert 0 <= named["low"] <= named["value"] <= named["high"] <= 1
    assert row["ranges"]["accepted"]["high"] == max(one["accepted"]["value"] for one in row["generators"].values())
    assert row["told"] is None
    assert any("gives no ratios" in line for line in row["limits"])


def test_without_a_calibration_json_says_so(validated) -> None:
    bare = replace(validated, plan=replace(validated.plan, calibration=None))
    assert json.loads(to_json(bare))["calibration"] is None
    assert any(line.startswith("No calibration") for line in limits(bare))


def test_limits_end_with_those_of_the_card_and_name_the_condition(validated) -> None:
    told = limits(validated)
    assert told[-1] == validated.plan.weights.card.limits
    assert "For any other: no error rate for this condition." in told[0]
    some = replace(validated, statement=replace(validated.statement, outside={"format": 2, "size": 1}))
    assert any("2 for their format, 1 for their size" in line for line in limits(some))


def test_a_generator_not_seen_before_gets_a_range_and_no_interval_of_the_mean() -> None:
    said = range_in_words("taken for real", Range(0.0, "a", 0.65, "b"), 10)
    assert said.startswith("taken for real: from 0.0 % (a) to 65.0 % (b) over 10 generators.")
    assert "at most 1/11" in said
    alike = range_in_words("taken for real", Range(0.0, "a", 0.0, "a"), 3)
    assert alike.startswith("taken for real: 0.0 % for each of 3 generators. Were a further one")
    assert (
        range_in_words("x", Range(0.2, "a", 0.2, "a"), 1)
        == "x: 20.0 %, of one generator; it says nothing of another one."
    )


def share(value: float, high: float | None = None) -> Measured:
    return Measured(Measure(value), Interval(0.0, value if high is None else high))


def test_base_rates_of_a_case_by_hand(validated) -> None:
    statement = validated.statement
    known = replace(statement.known, named=share(0.5))
    unknown = [replace(statement.unknown, accepted=share(a), real=share(r)) for a, r in ((0.1, 0.1), (0.4, 0.1))]
    made = replace(
        statement,
        classes={"real": known, "alpha": replace(known, named=share(0.9))},
        generators=dict(zip("ab", unknown, strict=True)),
        real_as_generator=share(0.02, 0.05),
    )
    rows = base_rates(made)
    assert [row["prevalence"] for row in rows] == [0.01, 0.1, 0.5]
    assert rows[0]["rightly"] == 700
    assert rows[0]["wrongly_photographs"] == [1980, 4950]
    assert rows[0]["wrongly_unknown"] == [0, 29700]
    assert rows[2]["wrongly_unknown"] == [0, 15000]


@pytest.mark.parametrize("change", [{"ranges": {}}, {"classes": {}}])
def test_base_rates_need_all_sides(validated, change) -> None:
    assert base_rates(replace(validated.statement, **change)) == []
