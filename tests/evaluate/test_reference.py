"""The authors' numbers as recorded from their program, through the door that `evaluate --metrics reference` uses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from forensic.evaluate.reference import SAID, closed_as_authors, measure_as_authors, oscr_range

RECORDED = {
    "auroc": "AUROC_percent",
    "tnr_at_tpr95": "TNR_at_TPR95_percent",
    "dtacc": "DTACC_percent",
    "auin": "AUIN_percent",
    "auout": "AUOUT_percent",
}


def recorded(golden: Path) -> dict[str, dict]:
    return json.loads((golden / "metrics.json").read_text(encoding="utf-8"))["cases"]


def sides(case: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    known, unknown = np.array(case["known_scores"]), np.array(case["unknown_scores"])
    return known.max(axis=1), known.argmax(axis=1) == np.array(case["known_labels"]), unknown.max(axis=1)


def test_golden_cases_of_the_authors_program(golden: Path) -> None:
    cases = recorded(golden)
    assert len(cases) >= 3
    for name, case in cases.items():
        found = measure_as_authors(*sides(case))
        for measure, key in RECORDED.items():
            value = found[measure].measure.value
            assert value is not None
            assert 100 * value == pytest.approx(case["authors"][key], abs=1e-9), (name, measure)
        least, largest = oscr_range(*sides(case)) or (None, None)
        assert least == pytest.approx(case["authors"]["OSCR_min_over_tie_orders"], abs=1e-12)
        assert largest == pytest.approx(case["authors"]["OSCR_max_over_tie_orders"], abs=1e-12)
        assert least - 1e-12 <= found["oscr"].measure.value <= largest + 1e-12
        labels, guesses = case["known_labels"], np.array(case["known_scores"]).argmax(axis=1).tolist()
        closed = closed_as_authors(labels, guesses)
        assert closed["macro_f1"].value == pytest.approx(case["authors"]["macro_f1"])
        assert closed["macro_recall"].value == pytest.approx(case["authors"]["macro_recall"])
        assert closed["closed_accuracy"].value == round(case["authors"]["accuracy"], 4)


def test_oscr_with_ties_does_not_depend_on_the_order_of_the_images() -> None:
    known, correct, unknown = np.array([0.5, 0.5, 0.5, 0.9]), np.array([True, False, True, True]), np.array([0.5, 0.5])
    expected = measure_as_authors(known, correct, unknown)
    for seed in range(8):
        order = np.random.default_rng(seed).permutation(4)
        assert measure_as_authors(known[order], correct[order], unknown) == expected


def test_an_empty_side_has_a_reason_and_nothing_an_interval() -> None:
    none, some = np.zeros(0), np.array([0.5])
    found = measure_as_authors(some, np.array([True]), none)
    assert {measured.measure for measured in found.values()} == {(None, "no unknown images")}
    assert oscr_range(some, np.array([True]), none) is None
    for measured in measure_as_authors(some, np.array([True]), some).values():
        assert measured.interval.low is None
        assert measured.interval.reason == "the authors' computation has no intervals"


def test_what_is_said_beside_names_the_quirks() -> None:
    for word in ("largest softmax", "temperature 1", "tie", "oscr_range", "interval"):
        assert word in SAID
