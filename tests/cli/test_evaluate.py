from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def small(osma_mini_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One test image a class, one unknown class, and no validation images."""
    root = tmp_path_factory.mktemp("evaluate") / "osma-mini"
    for folder in (osma_mini_small / "test").iterdir():
        (root / "test" / folder.name).mkdir(parents=True)
        shutil.copy(min(folder.iterdir()), root / "test" / folder.name)
    shutil.copytree(osma_mini_small / "test_unseen" / "wild", root / "test_unseen" / "wild")
    shutil.copy(osma_mini_small / "classes.yaml", root)
    return root


def test_json_by_default_in_a_pipe_and_a_figure(run_forensic, small: Path, tiny_weights: Path, tmp_path: Path) -> None:
    figure = tmp_path / "scores.svg"
    ran = run_forensic("evaluate", "--data", small, "--weights", tiny_weights, "--out", figure)
    assert ran.code == 0, ran.err
    row = json.loads(ran.out)
    assert row["on"] == "test"
    assert row["weights"]["name"] == "tiny"
    assert row["classes"]["real"]["n"] == 1
    assert row["groups"]["wild"]["n"] == row["groups"]["all"]["n"] > 0
    assert figure.read_text().startswith("<?xml")
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.svg"]


def test_a_damaged_image_is_named_and_the_code_is_3(
    run_forensic, small: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    shutil.copytree(small, root)
    shutil.rmtree(root / "test_unseen")
    broken = next((root / "test" / "real").iterdir())
    broken.write_bytes(broken.read_bytes()[:-100])
    ran = run_forensic("evaluate", "--data", root, "--weights", tiny_weights, "--format", "table")
    assert ran.code == 3
    assert str(broken) in ran.err
    assert "1 image got no score and counts nowhere" in ran.err
    # no unknown images: a dash, never a number
    assert (
        next(line for line in ran.lines if line.startswith("all  ") and line.rstrip().endswith("-")).split()[1] == "-"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--data", "nowhere"], 5, "nowhere: "),
        (["--weights", "nope"], 5, "weights nope: "),
        (["--jpeg", "0"], 2, "--jpeg 0: expected qualities from 1 to 100"),
        (["--jpeg", "high"], 2, "--jpeg high: expected qualities"),
        (["--out", "x.gif"], 2, "--out x.gif: is no format that can be written"),
        (["--out", "no/such/x.png"], 2, "its folder is not there"),
        (["--device", "tpu"], 2, "is neither cpu nor cuda"),
        (["--on", "train"], 2, "--on"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line(
    run_forensic, tiny_weights: Path, tmp_path: Path, arguments, code: int, told: str
) -> None:
    weights = [] if "--weights" in arguments else ["--weights", tiny_weights]
    ran = run_forensic("evaluate", *arguments, *weights, cwd=tmp_path)
    assert ran.code == code
    assert told in ran.err
    assert len(ran.err.splitlines()) == 1
    assert ran.out == ""
