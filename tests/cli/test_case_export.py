from __future__ import annotations

import csv
import hashlib
import io
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path, hostile) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "=b.jpg", "c\nd.jpg"):
        shutil.copyfile(hostile / "jpeg-ok-control.jpg", folder / name)
    shutil.copyfile(hostile / "empty.jpg", folder / "empty.jpg")
    (folder / "link.jpg").symlink_to("a.jpg")
    return folder


@pytest.fixture
def scanned(forensic, tiny_weights, folder, tmp_path) -> tuple[Path, str]:
    """The case, and what the scan printed."""
    said = forensic("scan", folder.name, "--scores", "--weights", tiny_weights, "--case", "a.case", "--format", "jsonl")
    assert said.code == 3
    return tmp_path / "a.case", said.out


def test_jsonl_is_what_the_scan_printed(forensic, scanned, tmp_path) -> None:
    case, printed = scanned
    assert forensic("case", "export", case).out == printed
    said = forensic("case", "export", case, "--out", "x.jsonl")
    assert (said.code, said.out) == (0, "")
    assert (tmp_path / "x.jsonl").read_text() == printed


def test_csv_is_what_the_scan_prints(forensic, scanned, tiny_weights) -> None:
    case, _ = scanned
    printed = forensic("scan", "in", "--scores", "--weights", tiny_weights, "--case", case, "--format", "csv")
    exported = forensic("case", "export", case, "--format", "csv")
    assert exported.out == printed.out
    assert "=b.jpg" in exported.out


def test_sha256sum_checks_the_files(forensic, scanned, tmp_path) -> None:
    said = forensic("case", "export", scanned[0], "--format", "sha256sum")
    assert "1 of the findings have no hash" in said.err
    checked = subprocess.run(
        ["sha256sum", "-c"], cwd=tmp_path, input=said.out.encode(), capture_output=True, check=True
    )
    assert checked.stdout.count(b": OK\n") == 4


def test_an_output_among_the_evidence_is_refused(forensic, scanned, folder) -> None:
    case, _ = scanned
    before = sorted(folder.iterdir())
    for out in (folder / "x.csv", folder / "sub" / ".." / "x.csv"):
        said = forensic("case", "export", case, "--format", "csv", "--out", out)
        assert said.code == 2
    assert forensic("case", "export", case, "--out", case).code == 2
    assert sorted(folder.iterdir()) == before


def test_a_failed_export_leaves_what_was_there(forensic, scanned, tmp_path, monkeypatch) -> None:
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("forensic.report.export.write_parquet", fail)
    (tmp_path / "x.parquet").write_text("before")
    said = forensic("case", "export", scanned[0], "--format", "parquet", "--out", "x.parquet")
    assert said.code == 6
    assert (tmp_path / "x.parquet").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_further_hashes_are_columns_of_csv(forensic, scanned, folder, tmp_path) -> None:
    case, _ = scanned
    said = forensic("case", "export", case, "--format", "csv", "--also-hash", "sha1,md5")
    rows = list(csv.DictReader(io.StringIO(said.out, newline="")))
    assert list(rows[0])[-2:] == ["md5", "sha1"]
    data = (folder / "a.jpg").read_bytes()
    row = next(row for row in rows if row["path"] == "in/a.jpg")
    assert (row["md5"], row["sha1"]) == (
        hashlib.md5(data, usedforsecurity=False).hexdigest(),
        hashlib.sha1(data, usedforsecurity=False).hexdigest(),
    )
    assert [row["md5"] for row in rows if row["path"] == "in/link.jpg"] == [""]
    folder.rename(tmp_path / "moved")
    command = ("case", "export", case, "--format", "csv", "--also-hash", "md5", "--out", "x.csv")
    assert forensic(*command).code == 4
    assert not (tmp_path / "x.csv").exists()
    assert forensic(*command, "--evidence", tmp_path / "moved").code == 0
    inside = (*command[:-1], tmp_path / "moved" / "x.csv", "--evidence", tmp_path / "moved")
    assert forensic(*inside).code == 2
    assert not (tmp_path / "moved" / "x.csv").exists()
    for wrong in (("--also-hash", "md5"), ("--format", "csv", "--also-hash", "sha9"), ("--evidence", ".")):
        assert forensic("case", "export", case, *wrong).code == 2
