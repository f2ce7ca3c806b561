"""`forensic case annotate` and `import` on a case that a scan wrote."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from forensic.case.annotations import Mark, marks
from forensic.case.ledger import open_case


@pytest.fixture(scope="module")
def scanned(run_forensic, tiny_weights: Path, hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of two pictures."""
    folder = tmp_path_factory.mktemp("annotated")
    (folder / "in").mkdir()
    for name in ("jpeg-ok-control.jpg", "png-16bit-rgb.png"):
        shutil.copyfile(hostile / name, folder / "in" / name)
    ran = run_forensic("scan", "--weights", tiny_weights, "in", "--case", "x.case", cwd=folder)
    assert ran.code == 0
    return folder / "x.case"


@pytest.fixture
def case(scanned: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "x.case"
    shutil.copyfile(scanned, copied)
    return copied


def saved(case: Path, **changes: Any) -> dict[str, Any]:
    """What a report page would save."""
    with open_case(case) as stored:
        finding = next(iter(stored.lines()))[0]
        digest = stored.closing_digest
    entry = {"seq": 0, "path": finding.path, "sha256": finding.sha256, "flagged": True, "grade": 3, "tags": ["x"]}
    return {
        "format": "forensic-triage",
        "version": 1,
        "case": {"digest": digest},
        "by": "E",
        "entries": [entry | {"note": "n"}],
    } | changes


def test_marks_are_added_to_and_shown(forensic, case: Path) -> None:
    said = forensic("case", "annotate", case, "in/png-16bit-rgb.png", "--by", "E", "--tag", "a", "--tag", "b", "--flag")
    told, digest = said.err.splitlines()
    assert (said.code, told) == (0, f"{case}: 1 annotation")
    expected = ("--expect-annotations", digest.removeprefix("digest of the annotations "))
    assert forensic("case", "verify", case, "--level", "0", *expected).code == 0
    assert (
        forensic("case", "annotate", case, "in/png-16bit-rgb.png", "--by", "F", "--untag", "a", "--grade", "5").code
        == 0
    )
    with open_case(case) as stored:
        assert marks(stored) == {1: Mark(flagged=True, grade=5, tags=("b",))}
    shown = forensic("case", "show", case, "--annotations").out
    assert "flagged, grade 5, b" in shown
    assert forensic("case", "verify", case, "--level", "0").code == 0
    later = forensic("case", "verify", case, "--level", "0", *expected)
    assert (later.code, "the annotations end in" in later.err) == (4, True)
    missing = forensic("case", "annotate", case, "in/no.png", "--by", "E", "--flag")
    assert (missing.code, "the case has no such path" in missing.err) == (2, True)


def test_what_a_report_saved(forensic, case: Path, tmp_path: Path) -> None:
    triage = tmp_path / "triage.json"
    triage.write_text(json.dumps(saved(case)))
    assert forensic("case", "import", case, triage).code == 0
    with open_case(case) as stored:
        assert marks(stored) == {0: Mark(flagged=True, grade=3, tags=("x",), note="n")}


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (lambda said: said["case"].update(digest="0" * 64), 4, "belongs to another case"),
        (lambda said: said["entries"][0].update(sha256="0" * 64), 4, "is not what finding 0 of the case is"),
        (lambda said: said["entries"][0].update(seq=7), 4, "is not what finding 7 of the case is"),
        (lambda said: said["entries"][0].update(grade=9), 2, "has an entry that can not be read"),
        (lambda said: said.update(version=2), 2, "is of format forensic-triage 2"),
        (lambda said: said.pop("entries"), 2, "is no triage file"),
        (lambda said: said.update(by=""), 2, "does not say who marked"),
    ],
)
def test_what_does_not_fit_imports_nothing(forensic, case: Path, tmp_path: Path, change, code: int, told: str) -> None:
    said = saved(case)
    change(said)
    triage, before = tmp_path / "triage.json", case.read_bytes()
    triage.write_text(json.dumps(said))
    ran = forensic("case", "import", case, triage)
    assert (ran.code, told in ran.err) == (code, True), ran.err
    assert case.read_bytes() == before


def test_the_same_command_goes_through_after_it_was_killed(forensic, case: Path, tmp_path: Path) -> None:
    """In the middle of what it writes first, with a journal that must be undone."""
    killed = tmp_path / "killed" / "x.case"
    killed.parent.mkdir()
    with closing(sqlite3.connect(case, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 1")  # pages go to the file before the commit
        writer.execute("BEGIN")
        writer.execute("CREATE TABLE half AS SELECT randomblob(3000) FROM header, header")
        for part in (case, case.with_name("x.case-journal")):
            shutil.copyfile(part, killed.with_name(part.name))
        writer.execute("ROLLBACK")
    killed.with_name("x.case.lock").write_text("process 1 on elsewhere\n")
    shutil.copytree(killed.parent, tmp_path / "other")
    assert forensic("case", "annotate", killed, "in/png-16bit-rgb.png", "--by", "E", "--flag").code == 0
    (tmp_path / "triage.json").write_text(json.dumps(saved(case)))
    assert forensic("case", "import", tmp_path / "other" / "x.case", tmp_path / "triage.json").code == 0
    for folder in (killed.parent, tmp_path / "other"):
        assert [path.name for path in folder.iterdir()] == ["x.case"]
        assert forensic("case", "verify", folder / "x.case", "--level", "0").code == 0


def test_a_case_that_can_not_be_written_is_told(forensic, case: Path) -> None:
    case.with_name(case.name + ".lock").mkdir()
    said = forensic("case", "annotate", case, "in/png-16bit-rgb.png", "--by", "E", "--flag")
    assert (said.code, "copy it there" in said.err) == (6, True)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["entries"][0].update(seq=float("inf")),
        lambda said: said["entries"][0].update(seq=0.5),
        lambda said: said["entries"][0].update(seq="0"),
        lambda said: said["entries"][0].update(grade=2.0),
        lambda said: said["entries"][0].update(grade=True),
        lambda said: said["entries"][0].update(tags="abc"),
        lambda said: said["entries"][0].update(tags=[["a"]]),
        lambda said: said["entries"][0].update(tags=["\ud800"]),
        lambda said: said["entries"][0].update(note=["x"]),
        lambda said: said["entries"][0].update(flagged="no"),
        lambda said: said["entries"].append([1]),
        lambda said: said.update(entries={"a": 1}),
        lambda said: said.update(by=["E"]),
        lambda said: said.update(by="\ud800"),
        lambda said: said.update(version=True),
        lambda said: said.update(case="x"),
    ],
)
def test_what_no_report_saves_is_wrong_use_and_imports_nothing(forensic, case: Path, tmp_path: Path, change) -> None:
    said = saved(case)
    change(said)
    triage, before = tmp_path / "triage.json", case.read_bytes()
    triage.write_text(json.dumps(said))
    assert forensic("case", "import", case, triage).code == 2
    assert case.read_bytes() == before


@pytest.mark.parametrize("data", [b"", b"[" * 200_000, b"\xff", b"9" * 10_000, b"[]", b'"x"'])
def test_what_is_no_triage_file(forensic, case: Path, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "triage.json").write_bytes(data)
    said = forensic("case", "import", case, tmp_path / "triage.json")
    assert (said.code, "is no triage file" in said.err) == (2, True)


def test_a_triage_file_that_is_not_there_is_wrong_use(forensic, case: Path, tmp_path: Path) -> None:
    said = forensic("case", "import", case, tmp_path / "triage.json")
    assert (said.code, "can not be read" in said.err, "Name the saved file" in said.err) == (2, True, True)


@pytest.mark.parametrize("option", ["--by", "--tag", "--note"])
def test_words_that_are_no_text_are_refused(forensic, case: Path, option: str) -> None:
    others = [] if option == "--by" else ["--by", "E"]
    said = forensic("case", "annotate", case, "in/png-16bit-rgb.png", option, "a\udcff", *others)
    assert (said.code, "is no text" in said.err) == (2, True)
    nobody = forensic("case", "annotate", case, "in/png-16bit-rgb.png", "--by", " ", "--flag")
    assert (nobody.code, "does not say who marks" in nobody.err) == (2, True)
