from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def scanned(forensic, tiny_weights, hostile, tmp_path) -> Path:
    """Folder `in` with three pictures and its case `a.case`."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        shutil.copyfile(hostile / "jpeg-ok-control.jpg", folder / name)
    assert forensic("scan", folder, "--weights", tiny_weights, "--case", "a.case").code == 0
    return folder


def test_equal_cases(forensic, scanned, tiny_weights, tmp_path) -> None:
    shutil.copytree(scanned, tmp_path / "copy")
    forensic("scan", tmp_path / "copy", "--weights", tiny_weights, "--case", "b.case")
    said = forensic("case", "diff", "a.case", "b.case")
    assert said.code == 0
    found = json.loads(said.out)
    assert (found["changes"], found["counts"]) == ([], {})
    assert said.out == json.dumps(found, indent=2) + "\n"
    assert "3 and 3 findings: the same files, verdicts and classes" in said.err


def test_what_changed_and_why(forensic, scanned, tiny_weights, hostile) -> None:
    shutil.copyfile(hostile / "jpeg-truncated-half.jpg", scanned / "a.jpg")
    (scanned / "b.jpg").rename(scanned / "d.jpg")
    threshold = (
        ("--threshold", "1e9") if '"known"' in forensic("case", "export", "a.case").out else ("--threshold", "-1e9")
    )
    forensic("scan", scanned, "--weights", tiny_weights, "--case", "b.case", *threshold)
    said = forensic("case", "diff", "a.case", "b.case", "--format", "json")
    assert said.code == 4
    found = json.loads(said.out)
    assert said.out == json.dumps(found, indent=2) + "\n"
    by_path = {change["path"]: change for change in found["changes"]}
    assert {path: change["kind"] for path, change in by_path.items()} == {
        "a.jpg": "content",
        "b.jpg": "only in the first",
        "c.jpg": "verdict",
        "d.jpg": "only in the second",
    }
    assert by_path["c.jpg"]["why"] == ["threshold"]
    assert by_path["c.jpg"]["first"]["verdict"] != by_path["c.jpg"]["second"]["verdict"]
    assert by_path["d.jpg"]["first"] is None
    assert found["header"] == {"threshold": [None, float(threshold[1])]}
    table = forensic("case", "diff", "a.case", "b.case", "--format", "table")
    assert table.code == 4
    assert "unreadable (truncated" in table.out
    assert "1 content, 1 only in the first, 1 only in the second, 1 verdict" in table.err
