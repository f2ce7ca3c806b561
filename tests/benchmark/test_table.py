from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from forensic.benchmark.table import COLUMNS, cells, to_json, to_markdown

RESULT: dict[str, Any] = {
    "row": "joint",
    "what": "all at once",
    "fields": ["augmenters=joint", "lr=1e-4"],
    "epochs": 4,
    "augmenters": 9,
    "steps": 152,
    "known": 210,
    "unknown": 60,
    "stored": {"accuracy": 0.98765, "auroc_softmax": 0.5, "auroc_score": None},
    "jpeg": {"accuracy": 1.0, "auroc_softmax": None, "auroc_score": 0.25},
    "recipe": {"score": "energy"},
    "seconds_per_step": 1.234,
    "processor": "A processor",
}
TABLE: dict[str, Any] = {
    "command": "forensic benchmark ablation --data x",
    "seed": 3,
    "data": {"name": "x", "sha256": "ab" * 32},
    "threads": 2,
    "device": "cpu",
    "versions": {"torch": "9"},
    "rows": [RESULT, RESULT | {"row": "base", "fields": [], "seconds_per_step": None, "processor": "B"}],
}


def test_cells_stand_under_their_columns() -> None:
    assert cells(RESULT) == ["joint", "9", "152", "0.988", "0.500", "-", "1.000", "-", "0.250", "1.23"]
    assert len(cells(RESULT)) == len(COLUMNS)
    assert cells(TABLE["rows"][1])[-1] == "-"


def test_page_says_what_makes_the_numbers() -> None:
    page = to_markdown(TABLE)
    for said in (
        f"$ {TABLE['command']}",
        "Seed 3, device cpu, torch threads 2; torch 9.",
        "ab" * 32,
        "on A processor, B.",
        "210 known, 60 unknown",
        "weights (energy), whose",
        "| joint | 9 | 152 | 0.988 | 0.500 | - | 1.000 | - | 0.250 | 1.23 |",
        "| joint | all at once | `augmenters=joint` `lr=1e-4` |",
        "| base | all at once | - |",
    ):
        assert said in page
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {len(COLUMNS) + 1, 4}


def test_json_is_the_whole_table() -> None:
    assert json.loads(to_json(TABLE)) == TABLE


def test_a_benchmark_leaves_both(undisturbed: tuple[Path, dict[str, Any]]) -> None:
    out, table = undisturbed
    assert (out / "table.json").read_text() == to_json(table)
    assert (out / "table.md").read_text() == to_markdown(table)


def test_the_same_seed_gives_the_same_page_but_for_times(
    undisturbed: tuple[Path, dict[str, Any]], timeless: Callable[[dict], dict]
) -> None:
    _, table = undisturbed
    later = table | {"rows": [row | {"seconds_per_step": 99.0} for row in table["rows"]]}
    assert to_markdown(later) != to_markdown(table)
    assert timeless(later) == timeless(table)
