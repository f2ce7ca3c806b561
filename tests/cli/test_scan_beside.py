"""`scan` as a user meets what stands beside a finding: salvaged parts and carried claims, in every output."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, hostile: Path, samples: Path) -> Path:
    """A picture that claims, one that does not, a truncated one with enough left and one with too little."""
    made = tmp_path / "in"
    made.mkdir()
    for name in ("png-html-in-text.png", "jpeg-ok-control.jpg", "jpeg-truncated-half.jpg"):
        shutil.copyfile(hostile / name, made / name)
    whole = (samples / "full" / "real-2.png").read_bytes()
    (made / "cut.png").write_bytes(whole[: len(whole) * 7 // 10])
    return made


def test_every_output_tells_it_apart(forensic, folder, tmp_path, tiny_weights, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    common = ("scan", folder, "--weights", tiny_weights, "--engine", "torch")
    plain = forensic(*common, "--report", "plain.csv")
    reports = ("--report", "x.html", "--report", "x.csv", "--report", "x.jsonl")
    ran = forensic(*common, "--salvage", *reports)
    assert (plain.code, ran.code) == (3, 3)
    assert [line for line in ran.err.splitlines() if "images:" in line] == [
        line for line in plain.err.splitlines() if "images:" in line
    ]
    assert "salvaged: a part of 1 unreadable, scored beside and in no count" in ran.err
    assert "1 carries claims about its origin" in ran.err
    assert "salvaged" not in plain.out + plain.err
    rows = [json.loads(line) for line in ran.out.splitlines()]
    for before, after in zip(map(json.loads, plain.out.splitlines()), rows, strict=True):
        part = after.pop("salvaged", None)
        assert (part is not None) == (after["status"] == "unreadable")
        after["flags"] = [flag for flag in after["flags"] if not flag.startswith("salvaged=")]
        assert after == before
    assert (tmp_path / "x.jsonl").read_text() == ran.out
    listed = list(csv.DictReader((tmp_path / "x.csv").read_text().splitlines()))
    assert [row["verdict"] for row in listed] == ["", rows[1]["verdict"], "", rows[3]["verdict"]]
    assert json.loads(listed[0]["salvaged"])["of_rows"] == 448
    assert [row["claims"] for row in listed] == ["", "", "", "generator;text"]
    assert "salvaged" not in (tmp_path / "plain.csv").read_text()
    page = (tmp_path / "x.html").read_text()
    assert page.count('<p class="salvaged">Salvaged part, in no count: ') == 1
    assert "<span>&lt;/script&gt;&lt;script&gt;document.title=" in page
    exported = forensic("case", "export", "x.case", "--format", "csv")
    assert exported.out.replace("\r\n", "\n") == (tmp_path / "x.csv").read_bytes().decode().replace("\r\n", "\n")
    table = forensic(*common, "--salvage", "--format", "table")
    assert "of 448 rows: " in table.out
    assert "part not scored: 192x62, its least side must be 128" in table.out


def test_a_case_remembers_that_it_was_asked(forensic, folder, tmp_path, tiny_weights) -> None:
    common = ("scan", folder, "--weights", tiny_weights, "--case", "x.case")
    first = forensic(*common, "--salvage")
    again = forensic(*common, "--salvage")
    assert (again.code, again.out) == (3, first.out)
    other = forensic(*common)
    assert other.code == 2
    assert "salvage was True, is None" in other.err
    for level in ("0", "1", "2", "3"):
        weights = ("--weights", tiny_weights) if level == "3" else ()
        assert forensic("case", "verify", "x.case", "--level", level, *weights).code == 0
    shown = forensic("case", "show", "x.case").out.splitlines()
    assert ["unreadable", "2"] in [line.split() for line in shown]
    exhibit = forensic("case", "export", "x.case", "--exhibit", str(folder / "cut.png"))
    (tmp_path / "exhibit.json").write_text(exhibit.out)
    assert json.loads(exhibit.out)["finding"]["salvaged"]["verdict"] in ("known", "unknown")
    assert forensic("case", "verify-exhibit", "exhibit.json").code == 0
