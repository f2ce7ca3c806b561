"""`forensic benchmark ablation`: options to a plan, and what is printed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forensic.benchmark.ablation import ROWS

SMALL = [
    f"--set={assignment}"
    for assignment in (
        "batch_items=2",
        "augmented_items=1",
        "augmenter_channels=2",
        "augmenter_warmup_steps=1",
        "architecture.width=2",
        "architecture.neck_channels=2",
        "architecture.embedding_dim=8",
    )
]


@pytest.fixture(scope="module")
def data(osma_mini_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two training images a class, one for validation, one unknown of a class."""
    root = tmp_path_factory.mktemp("benchmark") / "small"
    for part, count in (("train", 2), ("val", 1), ("val_unseen", 1)):
        for folder in (osma_mini_small / part).iterdir():
            (root / part / folder.name).mkdir(parents=True)
            for image in sorted(folder.iterdir())[:count]:
                shutil.copy(image, root / part / folder.name)
    shutil.copy(osma_mini_small / "classes.yaml", root)
    return root


def test_a_table_by_json_and_again_without_work(forensic: Callable[..., Any], data: Path) -> None:
    arguments = [
        "benchmark",
        "ablation",
        "--data",
        data,
        "--only",
        "rgb,base",
        "--steps",
        "1",
        "--threads",
        "1",
        *SMALL,
    ]
    first = forensic(*arguments)
    assert first.code == 0, first.err
    table = json.loads(first.out)
    assert [row["row"] for row in table["rows"]] == ["base", "rgb"]
    assert table["command"].startswith("forensic benchmark ablation --data small --only base,rgb --steps 1 --set batch")
    assert str(data) not in json.dumps(table)
    assert all(row["recipe"]["batch_items"] == 2 for row in table["rows"])
    assert "written: runs/ablation/table.md" in first.err
    again = forensic(*arguments, "--format", "markdown")
    assert "base (1 of 2): finished earlier" in again.err
    assert again.out == Path("runs/ablation/table.md").read_text()
    third = forensic(*arguments, "--format", "table", "--quiet")
    lines = third.out.splitlines()
    assert lines[0] == table["command"]
    assert lines[1].split()[:3] == ["row", "augmenters", "steps"]
    assert lines[2].split()[:3] == ["base", "0", "1"]
    assert third.err == ""


def test_rows_are_listed(forensic: Callable[..., Any]) -> None:
    ran = forensic("benchmark", "ablation", "--list")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == ["row", *(row.name for row in ROWS)]
    assert "augmenter_resampling=down-up" in ran.out
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--only", "nothing"], 2, "--only nothing: is no row"),
        (["--set", "epochs=3"], 2, "Use --steps"),
        (["--set", "nothing=3"], 2, "recipe field nothing: is not known"),
        (["--device", "tpu"], 2, "is neither cpu nor cuda"),
        (["--steps", "0"], 2, "--steps"),
        (["--data", "nowhere"], 5, "nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line(forensic: Callable[..., Any], arguments: list[str], code: int, told: str) -> None:
    ran = forensic("benchmark", "ablation", *arguments)
    assert ran.code == code
    assert told in ran.err
    assert len(ran.err.splitlines()) == 1
    assert list(Path().iterdir()) == []
