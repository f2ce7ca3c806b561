from __future__ import annotations

import base64
import csv
import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from forensic.case.rows import Counts, Finding
from forensic.cli import console, findings
from forensic.errors import MachineError
from forensic.scan.events import Finished, Found, Started, Summary


@pytest.mark.parametrize(("text", "width", "short"), [("abc", 3, "abc"), ("abcdefghij", 7, "abc…ghij"[:2] + "…ghij")])
def test_shortened_keeps_the_end(text, width, short) -> None:
    assert findings.shortened(text, width) == short
    assert len(findings.shortened(text, width)) <= width


def test_json_lines_unless_a_person_reads(monkeypatch) -> None:
    assert findings.chosen_format(None) == "jsonl"
    monkeypatch.setattr(console, "is_terminal", lambda *_: True)
    assert findings.chosen_format(None) == "table"
    assert findings.chosen_format("csv") == "csv"


def told(capsys, summary: Summary, written: list[Path] | None = None) -> str:
    findings.tell_summary(summary, written or [])
    return capsys.readouterr().err


def test_summary_lines(capsys) -> None:
    counts = Counts(known=3, unknown=2, unreadable=1, skipped=4)
    text = told(capsys, Summary("done", counts, 7, 2, "ab" * 32, Path("a.case")), [Path("r.html")])
    assert "10 images: 3 known, 2 unknown, 1 unreadable, 4 skipped" in text
    assert "7 other files are no images" in text
    assert text.count("forensic-attribution[heic]") == 1
    assert f"closing digest {'ab' * 32}" in text
    assert "written: a.case, r.html" in text


def test_one_is_counted_as_one(capsys) -> None:
    text = told(capsys, Summary("done", Counts(known=1), 1, 0, "", None))
    assert "1 image: 1 known" in text
    assert "1 other file is no image" in text


def test_class_real_is_never_told_without_how_many_others_come_out_so(capsys) -> None:
    card = {"real": "real", "metrics": {"stored": {"unknown": 60, "unknown_rejected": {"value": 0.9}}}}
    summary = Summary("done", Counts(known=2), 0, 0, "", None, as_real=1, card=card)
    assert "this one among them: crops, as stored, 10.0 % of 60." in told(capsys, summary)
    assert "was not measured at the threshold of this scan" in told(capsys, replace(summary, own_threshold=True))
    assert "class real" not in told(capsys, replace(summary, as_real=0))
    assert "class real" not in told(capsys, replace(summary, card=card | {"calibration": {}}))


def test_only_skipped_inputs(capsys) -> None:
    assert "2 images: 0 scored, 2 skipped" in told(capsys, Summary("done", Counts(skipped=2), 0, 0, "", None))


def test_interrupted_says_how_to_go_on(capsys) -> None:
    summary = Summary("interrupted", Counts(known=3), 0, 0, "", Path("a.case"))
    assert "3 findings are kept in a.case; the same command goes on" in told(capsys, summary)


def test_table_in_a_pipe_cuts_nothing(capsys) -> None:
    long = "d/" * 150 + "[/red]\x1b[31m.png"
    finding = Finding(path=long, status="unreadable", reason="truncated", preprocessing="p", weights="w")
    summary = Summary("done", Counts(unreadable=1), 0, 0, "", None)
    events = [Started(0, "w"), Found(finding), Finished(summary)]
    assert findings.follow(events, "table") is summary
    out = capsys.readouterr().out
    assert "d/" * 150 + "[/red]\\x1b[31m.png" in out
    assert "truncated" in out


def test_stdout_that_fails_is_the_machines_fault(monkeypatch) -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

        def fileno(self) -> int:
            return -1

    monkeypatch.setattr(sys, "stdout", Full())
    monkeypatch.setattr("os.dup2", lambda *_: None)
    finding = Finding(path="x", status="skipped", reason="link", preprocessing="p", weights="w")
    with pytest.raises(MachineError, match="no space left"):
        findings.follow([Found(finding)], "jsonl")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_no_locale_changes_what_is_told_of_a_path(form: str, run_forensic, tiny_weights, hostile, tmp_path) -> None:
    """A name in UTF-8 under a locale that is none: the exact bytes are those on the disk."""
    (tmp_path / "in").mkdir()
    name = "ü-写真.jpg".encode()
    (tmp_path / "in" / os.fsdecode(name)).write_bytes((hostile / "jpeg-ok-control.jpg").read_bytes())
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = ("scan", "--weights", tiny_weights, "--format", form, tmp_path / "in")
    told, other = run_forensic(*command), run_forensic(*command, env=plain, new=True)
    assert (told.code, other.code) == (0, 0)
    assert other.out == told.out
    if form == "csv":
        (row,) = csv.DictReader(told.out.splitlines())
        assert base64.b64decode(row["path_b64"]).endswith(b"/" + name)


def test_paths_that_no_system_has_are_findings_among_others(run_forensic, tiny_weights, hostile, tmp_path) -> None:
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    paths = [hostile / "jpeg-ok-control.jpg", tmp_path / "circle.jpg", tmp_path / ("x" * 300 + ".jpg")]
    ran = run_forensic("scan", "--weights", tiny_weights, "--format", "jsonl", *paths)
    assert ran.code == 3, ran.err
    told = {row["path"]: row["reason"] for row in map(json.loads, ran.lines)}
    assert [told[str(path)] for path in paths] == [
        None,
        "link, not followed",
        "path too long (ENAMETOOLONG)",
    ]
