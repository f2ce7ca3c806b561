"""`forensic discover` as a user runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def case(tmp_path: Path, samples: Path, comparing_weights: Path, forensic) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for path in sorted(samples.glob("*.png"))[::3]:
        shutil.copyfile(path, folder / path.name)
    said = forensic("scan", "in", "--weights", comparing_weights, "--threshold", "1e9", "--case", "a.case")
    assert said.code == 0, said.err
    return tmp_path / "a.case"


def test_json_page_list_and_copy(case: Path, tmp_path: Path, comparing_weights: Path, forensic) -> None:
    common = ("discover", case, "--weights", comparing_weights, "--k", "2")
    said = forensic(*common, "--out", "page.html")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert (tmp_path / "page.html").read_bytes().startswith(b"<!doctype html>")
    names = {Path(member["path"]).name for member in told["clusters"][0]["members"]}
    said = forensic(*common, "--list", "unknown-1", "-0", "--copy", "unknown-1", "copies", "--out", "all.json")
    paths = said.out.split("\0")
    assert paths[-1] == ""
    assert {Path(path).name for path in paths[:-1]} == names
    assert all(Path(path).is_file() for path in paths[:-1])
    assert len(list((tmp_path / "copies").iterdir())) == len(names)
    assert json.loads((tmp_path / "all.json").read_text()) == told


def test_table_and_a_changed_file(case: Path, tmp_path: Path, comparing_weights: Path, forensic) -> None:
    changed = min((tmp_path / "in").iterdir())
    changed.write_bytes(changed.read_bytes() + b"\0")
    said = forensic("discover", case, "--weights", comparing_weights, "--format", "table")
    assert said.code == 3
    assert "hint for the eye" in said.out
    assert f"{changed.name}: has another content" in said.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-0",), "is for --list"),
        (("--out", "in/page.html"), "inside"),
        (("--out", "page.pdf"), "is of no form"),
        (("--copy", "unknown-1", "in/copies"), "inside the evidence"),
        (("--list", "unknown-99", "--k", "2"), "is no cluster of this case"),
        (("--k", "1000"), "can be used"),
    ],
)
def test_wrong_use(case: Path, comparing_weights: Path, forensic, options: tuple[str, ...], said: str) -> None:
    found = forensic("discover", case, "--weights", comparing_weights, *options)
    assert found.code == 2
    assert said in found.err


def test_weights_of_the_case_are_looked_for(case: Path, forensic) -> None:
    found = forensic("discover", case)
    assert found.code == 5
    assert "--weights FILE" in found.err
