from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from forensic.case.ledger import open_case


def test_three_parts_are_the_undivided_scan_byte_for_byte(
    forensic, samples: Path, hostile: Path, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("undivided", "merged"):
        (tmp_path / name).mkdir()
    extra = tmp_path / "extra"
    extra.mkdir()
    for number in range(6):  # told first; the first of them is the one that all others are duplicates of
        shutil.copyfile(samples / "real-00006.png", extra / f"again-{number}.png")
    (extra / "notes.txt").write_text("no image")
    scan = ("scan", extra, samples, hostile / "empty.jpg", "--weights", tiny_weights, "--format", "jsonl")
    undivided = forensic(*scan, "--case", "undivided/a.case")
    assert undivided.code == 3
    parts = []
    for number in (1, 2, 3):
        said = forensic(*scan, "--shard", f"{number}/3", "--case", f"{number}.case")
        assert said.code in (0, 3)
        parts.append(set(said.out.splitlines()))
    assert all(parts)
    assert set.union(*parts) != set(undivided.out.splitlines())  # a part can not know of duplicates elsewhere
    merged = forensic("case", "merge", "2.case", "3.case", "1.case", "--out", "merged/a.case")
    assert merged.code == 0
    assert forensic("case", "export", "merged/a.case").out == undivided.out
    with open_case(tmp_path / "undivided" / "a.case") as one, open_case(tmp_path / "merged" / "a.case") as other:
        assert one.closing_digest == other.closing_digest
        assert f"closing digest {one.closing_digest}" in merged.err
        assert list(one.entries()) == list(other.entries())
        assert one.other_files == other.other_files > 0
        assert one.roots == other.roots
    for name in ("undivided", "merged"):
        assert forensic("report", f"{name}/a.case", "--out", f"{name}/a.html").code == 0
    pages = [(tmp_path / name / "a.html").read_bytes() for name in ("undivided", "merged")]
    assert pages[0] == pages[1]
    assert forensic("case", "verify", "merged/a.case").code == 0
    again = forensic("case", "merge", "2.case", "3.case", "1.case", "--out", "merged/a.case")
    assert (again.code, again.err.splitlines()[-1]) == (0, "merged/a.case is this merge already; it stays as it is")


def test_a_part_says_that_it_is_one_and_goes_on_as_one(forensic, hostile, tiny_weights) -> None:
    scan = ("scan", hostile / "jpeg-ok-control.jpg", "--weights", tiny_weights, "--case", "a.case")
    assert forensic(*scan, "--shard", "1/1").code == 0
    assert "1/1 of that" in forensic("case", "show", "a.case").out
    assert forensic("report", "a.case", "--out", "a.html").code == 0
    assert "1/1; the other files are in other cases" in Path("a.html").read_text()
    said = forensic(*scan)
    assert said.code == 2
    assert "shard was 1/1, is None" in said.err
    assert forensic(*scan, "--shard", "1/1").code == 0


def test_a_part_without_files_is_a_case_all_the_same(forensic, hostile, tiny_weights) -> None:
    scan = ("scan", hostile / "jpeg-ok-control.jpg", "--weights", tiny_weights)
    for number in (1, 2):
        assert forensic(*scan, "--shard", f"{number}/2", "--case", f"{number}.case").code == 0
    with open_case(Path("1.case")) as one, open_case(Path("2.case")) as other:
        assert sorted([len(one), len(other)]) == [0, 1]
    assert forensic("case", "merge", "1.case", "2.case", "--out", "c.case").code == 0
    undivided = forensic(*scan, "--case", "w.case", "--format", "jsonl").out
    assert forensic("case", "export", "c.case").out == undivided


def test_dry_run_lists_the_part(forensic, hostile) -> None:
    whole = forensic("scan", hostile, "--dry-run").out.splitlines()
    parts = [forensic("scan", hostile, "--dry-run", "--shard", f"{n}/2").out.splitlines() for n in (1, 2)]
    assert sorted(parts[0] + parts[1]) == sorted(whole)
    assert all(parts)


def test_wrong_use(forensic, hostile, tiny_weights, tmp_path) -> None:
    assert forensic("scan", hostile, "--shard", "3/2").code == 2
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copyfile(hostile / "jpeg-ok-control.jpg", folder / "a.jpg")
    for number in (1, 2):
        forensic("scan", folder, "--weights", tiny_weights, "--shard", f"{number}/2", "--case", f"{number}.case")
    said = forensic("case", "merge", "1.case", "2.case", "--out", folder / "c.case")
    assert said.code == 2
    assert "lies inside the evidence folder" in said.err
    assert forensic("case", "merge", "1.case", "none.case", "--out", "c.case").code == 2
    assert forensic("case", "merge", "1.case", "2.case", "--out", "1.case").code == 2
    assert [path.name for path in folder.iterdir()] == ["a.jpg"]
