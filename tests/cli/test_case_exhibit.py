from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest


@pytest.fixture
def case(forensic, tiny_weights, hostile, tmp_path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        shutil.copyfile(hostile / "jpeg-ok-control.jpg", folder / name)
    assert forensic("scan", "in", "--weights", tiny_weights, "--case", "a.case").code == 0
    return tmp_path / "a.case"


def test_one_exhibit_under_the_root_that_show_tells(forensic, case, tmp_path) -> None:
    root = next(line.split()[1] for line in forensic("case", "show", case).out.splitlines() if line.startswith("root"))
    said = forensic("case", "export", case, "--exhibit", "in/b.jpg", "--out", "b.json")
    assert (said.code, said.out) == (0, "")
    assert "number 1, from 0, of 3; no other" in said.err
    assert "2 other rows only" in said.err
    assert root in said.err
    assert forensic("case", "export", case, "--exhibit", "in/b.jpg").out == (tmp_path / "b.json").read_text()
    case.unlink()
    shutil.rmtree(tmp_path / "in")
    checked = forensic("case", "verify-exhibit", "b.json", "--expect-root", root.upper())
    assert checked.code == 0
    assert "in/b.jpg" in checked.out
    assert "Not checked" not in checked.err
    assert "Not checked: whether this is the root" in forensic("case", "verify-exhibit", "b.json").err


def test_mismatches_exit_with_4(forensic, case, tmp_path) -> None:
    forensic("case", "export", case, "--exhibit", "in/b.jpg", "--out", "b.json")
    assert forensic("case", "verify-exhibit", "b.json", "--expect-root", "0" * 64).code == 4
    said = json.loads((tmp_path / "b.json").read_text())
    said["finding"]["score"] += 1
    (tmp_path / "b.json").write_text(json.dumps(said))
    assert forensic("case", "verify-exhibit", "b.json").code == 4
    (tmp_path / "b.json").write_bytes(b"\xff")
    assert forensic("case", "verify-exhibit", "b.json").code == 4


def test_no_exhibit_of_an_altered_case(forensic, case) -> None:
    connection = sqlite3.connect(case)
    connection.execute("UPDATE finding SET finding = replace(finding, 'in/a.jpg', 'in/z.jpg')")
    connection.commit()
    connection.close()
    said = forensic("case", "export", case, "--exhibit", "in/b.jpg")
    assert (said.code, said.out) == (4, "")


def test_wrong_use(forensic, case) -> None:
    assert forensic("case", "export", case, "--exhibit", "in/none.jpg").code == 2
    assert forensic("case", "export", case, "--exhibit", "in/b.jpg", "--format", "csv").code == 2
    assert forensic("case", "export", case, "--exhibit", "in/b.jpg", "--out", "in/b.json").code == 2
    assert forensic("case", "verify-exhibit", "none.json").code == 2
    assert forensic("case", "verify-exhibit", case, "--expect-root", "12").code == 2
