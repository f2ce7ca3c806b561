"""What a process leaves that was killed while it wrote a case; the same command again needs no one to clean up."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import forensic
from forensic.case import database
from forensic.case.annotations import Mark, annotate, read_annotations
from forensic.case.database import connect_for_reading
from forensic.case.ledger import RunStart, create_case, has_log, open_case, put_in_order, resume_case
from forensic.case.merge import merge_cases
from forensic.case.rows import Artefacts
from forensic.errors import MachineError

NOTHING = Artefacts()
JOURNAL_OF_AN_EMPTY_FILE = (
    bytes.fromhex("d9d505f920a163d7") + bytes(4) + b"once" + bytes(4) + b"\0\0\2\0" + b"\0\0\x10\0" + bytes(484)
)
"""A rollback journal as SQLite writes it before the first page of a new database: file format, section 3."""
IMPORTS = f"""
import os, sys
sys.path[:0] = [{str(Path(forensic.__file__).parents[1])!r}, {str(Path(__file__).parent)!r}]
from pathlib import Path
"""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def hot(case: Path, folder: Path, mode: str) -> Path:
    """A copy of the case and of its log in the middle of a writer's work: `delete` before, `wal` after its commit."""
    folder.mkdir()
    copied = folder / case.name
    with closing(sqlite3.connect(case, isolation_level=None)) as writer:
        writer.execute(f"PRAGMA journal_mode = {mode}")
        writer.execute("PRAGMA cache_size = 1")  # pages go to the file before the commit
        writer.execute("BEGIN")
        writer.execute("CREATE TABLE half (text)")
        writer.executemany("INSERT INTO half VALUES (?)", [("x" * 3000,)] * 50)
        writer.execute("UPDATE header SET value = value || ' '")
        if mode == "wal":
            writer.execute("DROP TABLE half")
            writer.execute("COMMIT")
        for part in sorted(case.parent.glob(f"{case.name}*")):
            shutil.copyfile(part, folder / part.name)
        if mode != "wal":
            writer.execute("ROLLBACK")
    (folder / f"{case.name}.lock").write_text("process 1 on elsewhere\n")
    return copied


def test_a_case_whose_first_page_was_never_written_is_begun_anew(tmp_path, header, finding) -> None:
    path = tmp_path / "a.case"
    path.touch()
    (tmp_path / "a.case-journal").write_bytes(JOURNAL_OF_AN_EMPTY_FILE)
    (tmp_path / "a.case.lock").write_text("process 1 on elsewhere\n")
    with create_case(path, header()) as case:
        case.append([(finding(0), NOTHING)])
        case.finish()
    assert names(tmp_path) == ["a.case"]
    with open_case(path) as case:
        assert len(case) == 1


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_what_a_killed_writer_left_is_put_in_order(write_case, finding, tmp_path, mode) -> None:
    case = write_case([finding(n) for n in range(300)])
    with open_case(case) as stored:
        digest = stored.closing_digest
    left = hot(case, tmp_path / "left", mode)
    assert len(names(left.parent)) > 2
    if mode == "delete":
        with pytest.raises(MachineError, match="its writer died while it wrote"):
            connect_for_reading(left)
    put_in_order(left)
    assert names(left.parent) == ["made.case"]
    with open_case(left) as stored:
        assert (stored.complete, len(stored), stored.closing_digest) == (True, 300, digest)


def test_a_log_without_a_lock_is_merged_too(write_case, finding, tmp_path) -> None:
    left = hot(write_case([finding(0)]), tmp_path / "left", "wal")
    (left.parent / "made.case.lock").unlink()
    put_in_order(left)
    assert names(left.parent) == ["made.case"]


def test_nothing_is_made_where_there_is_no_case(tmp_path) -> None:
    (tmp_path / "a.case.lock").touch()
    put_in_order(tmp_path / "a.case")
    assert names(tmp_path) == []


def test_an_annotation_goes_in_beside_a_log(write_case, finding, tmp_path) -> None:
    """A reader of a case with a log keeps others from merging it, in the same process too."""
    left = hot(write_case([finding(0)]), tmp_path / "left", "wal")
    mark = Mark(flagged=True)
    assert annotate(left, [(0, mark)], by="A", at="2026-01-03T00:00:00+00:00", source="command") == 1
    assert names(left.parent) == ["made.case"]
    with open_case(left) as stored:
        assert [one.mark for one in read_annotations(stored)] == [mark]


def test_a_killed_merge_leaves_nothing_for_the_next_one(write_case, finding, tmp_path) -> None:
    parts = [write_case([finding(0)], name="one.case"), write_case([finding(1)], name="two.case")]
    out = tmp_path / "both.case"
    code = f"""{IMPORTS}
from forensic.case import merge
from forensic.case.ledger import RunStart
filled = merge._fill
merge._fill = lambda *all: (filled(*all), os.kill(os.getpid(), 9))
parts = [Path(name) for name in {[str(part) for part in parts]}]
merge.merge_cases(parts, Path({str(out)!r}), run=RunStart(started=""))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert names(tmp_path) != ["one.case", "two.case"]
    merge_cases(parts, out, run=RunStart(started="2026-01-03T00:00:00+00:00"))
    assert names(tmp_path) == ["both.case", "one.case", "two.case"]
    with open_case(out) as case:
        assert len(case) == 2


def test_a_merge_that_was_killed_when_all_was_written_is_known_again(write_case, finding, tmp_path) -> None:
    parts = [write_case([finding(0)], name="one.case"), write_case([finding(1)], name="two.case")]
    out = tmp_path / "both.case"
    code = f"""{IMPORTS}
from forensic.case import merge
from forensic.case.ledger import RunStart
merge.sync_folder = lambda _: os.kill(os.getpid(), 9)
parts = [Path(name) for name in {[str(part) for part in parts]}]
merge.merge_cases(parts, Path({str(out)!r}), run=RunStart(started="2026-01-03T00:00:00+00:00"))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    written = out.read_bytes()
    again = merge_cases(parts, out, run=RunStart(started="2026-01-04T00:00:00+00:00"))
    assert (again.findings, again.was_there, out.read_bytes() == written) == (2, True, True)
    assert names(tmp_path) == ["both.case", "one.case", "two.case"]
    with open_case(out) as case:
        assert (case.complete, case.closing_digest) == (True, again.closing_digest)


def test_a_link_and_its_target_are_one_case(tmp_path, finding) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (here / "b.case").symlink_to(there / "a.case")
    code = f"""{IMPORTS}
from conftest import made_finding, made_header
from forensic.case.ledger import create_case
from forensic.case.rows import Artefacts
case = create_case(Path({str(here / "b.case")!r}), made_header())
case.append([(made_finding(0), Artefacts())])
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with open_case(here / "b.case") as case:  # with the log, which lies beside the file itself
        assert len(case) == 1
    with resume_case(there / "a.case") as case:
        case.append([(finding(1), NOTHING)])
        case.finish()
    assert (names(there), names(here)) == (["a.case"], ["b.case"])
    assert (here / "b.case").is_symlink()


def test_a_merge_that_finds_no_room_names_what_it_was_to_write(write_case, finding, tmp_path) -> None:
    parts = [write_case([finding(n) for n in rows], name=f"{rows[0]}.case") for rows in ((*range(99),), (99,))]
    out = tmp_path / "both.case"
    code = f"""{IMPORTS}
import resource
from forensic.case.ledger import RunStart
from forensic.case.merge import merge_cases
from forensic.errors import MachineError
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    merge_cases([Path(name) for name in {[str(part) for part in parts]}], Path({str(out)!r}), run=RunStart(started=""))
except MachineError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout.startswith(f"{out}: "), done
    assert names(tmp_path) == ["0.case", "99.case"]


def test_a_case_of_another_user_is_not_taken_for_a_dead_writer_s(write_case, finding, monkeypatch) -> None:
    case = write_case([finding(0)])

    def unwritable(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)

    monkeypatch.setattr(database, "connect_for_writing", unwritable)
    with pytest.raises(MachineError, match=r"made\.case: can not be written: permission denied\. Name a place"):
        annotate(case, [(0, Mark(flagged=True))], by="A", at="2026-01-03T00:00:00+00:00", source="command")


def test_a_reader_does_not_keep_a_scan_from_its_end(tmp_path, header, finding, monkeypatch) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.2)
    path = tmp_path / "a.case"
    with create_case(path, header()) as case:
        case.append([(finding(n), NOTHING) for n in range(3)])
        with open_case(path) as reader:
            rows = reader.rows()
            next(rows)
            case.finish()
            case.close()
            assert has_log(path)
            assert sum(1 for _ in rows) == 2
        with open_case(path) as stored:
            assert (stored.complete, len(stored)) == (True, 3)
    put_in_order(path)
    assert names(tmp_path) == ["a.case"]
    with open_case(path) as stored:
        assert (stored.complete, len(stored)) == (True, 3)


def test_a_case_that_was_closed_before_its_end_does_not_breed_a_log(write_case, finding, tmp_path) -> None:
    """As SIGTERM leaves it: the log is merged with the last connection, but the head of the file still tells of one."""
    case = write_case([finding(0)])
    database.connect_for_writing(case).close()
    assert (names(tmp_path), database.is_settled(case)) == (["made.case"], False)
    put_in_order(case)
    assert (names(tmp_path), database.is_settled(case)) == (["made.case"], True)
