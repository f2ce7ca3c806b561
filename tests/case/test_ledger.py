from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import forensic
from forensic.case.exhibit import told_root
from forensic.case.ledger import (
    Root,
    case_is_begun,
    create_case,
    header_differences,
    now,
    open_case,
    resume_case,
)
from forensic.case.rows import Artefacts, finding_to_json
from forensic.case.verify import verify_case
from forensic.errors import MachineError, UsageError

NOTHING = Artefacts()


def test_closed_case_is_one_file_without_a_log(write_case, finding) -> None:
    path = write_case([finding(1)])
    assert [entry.name for entry in path.parent.iterdir()] == ["made.case"]
    assert path.read_bytes()[18:20] == b"\x01\x01"  # SQLite's header: 1 = rollback journal, 2 = write-ahead log


def test_same_findings_same_digest_in_one_batch_or_many(tmp_path, header, finding) -> None:
    digests = set()
    for size in (1, 2, 5):
        with create_case(tmp_path / f"{size}.case", header()) as case:
            entries = [(finding(number), NOTHING) for number in range(5)]
            for start in range(0, 5, size):
                case.append(entries[start : start + size])
            digests.add(case.finish())
    assert len(digests) == 1


def test_resumed_case_ends_as_an_undisturbed_one(tmp_path, header, finding) -> None:
    entries = [(finding(number), Artefacts(spectrum=(0.1, 0.2))) for number in range(4)]
    with create_case(tmp_path / "whole.case", header()) as case:
        case.append(entries)
        whole = case.finish()
    with create_case(tmp_path / "parts.case", header()) as case:
        case.append(entries[:3])
        case.stop("interrupted")
    with resume_case(tmp_path / "parts.case") as case:
        assert len(case) == 3
        case.append(entries[3:])
        assert case.finish() == whole
    with open_case(tmp_path / "parts.case") as case:
        assert [run.outcome for run in case.runs] == ["interrupted", "done"]
        assert case.complete


def test_a_case_that_an_earlier_version_began_goes_on(tmp_path, header, finding) -> None:
    """Without the table of the root and without the later indices."""
    entries = [(finding(number), NOTHING) for number in range(4)]
    paths = [tmp_path / "old.case", tmp_path / "new.case"]
    for path in paths:
        with create_case(path, header()) as case:
            case.append(entries[:3])
            case.stop("interrupted")
    with closing(sqlite3.connect(paths[0])) as old:
        old.executescript("DROP TABLE tree; DROP INDEX finding_by_outcome; DROP INDEX finding_that_is_a_root")
    told = []
    for path in paths:
        with resume_case(path) as case:
            case.append(entries[3:])
            case.finish()
        with open_case(path) as case:
            kept = case.stored_root
            told.append((case.closing_digest, told_root(case), case.counts, case.counts_by_class, len(case)))
        assert (kept is None) == (path.name == "old.case")
        assert verify_case(path).agrees
    assert told[0] == told[1]


def test_batch_is_all_or_nothing(tmp_path, header, finding) -> None:
    with create_case(tmp_path / "a.case", header()) as case:
        case.append([(finding(0), NOTHING)])
        before = case.closing_digest
        with pytest.raises(ValueError, match="JSON"):
            case.append([(finding(1), NOTHING), (finding(2, score=float("inf")), NOTHING)])
        assert len(case) == 1
        assert case.closing_digest == before
        case.append([(finding(1), NOTHING)])
        assert len(case) == 2


def test_one_writer_only_and_the_message_says_whose(tmp_path, header) -> None:
    path = tmp_path / "a.case"
    with create_case(path, header()), pytest.raises(UsageError, match=f"process {os.getpid()} on "):
        resume_case(path)


def test_nothing_is_overwritten(tmp_path, header, write_case, finding) -> None:
    text = tmp_path / "notes.case"
    text.write_text("not a case")
    with pytest.raises(UsageError, match="is not a case"):
        create_case(text, header())
    path = write_case([finding(1)])
    before = path.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        create_case(path, header())
    with pytest.raises(UsageError, match="is complete"):
        resume_case(path)
    assert path.read_bytes() == before
    assert text.read_text() == "not a case"


def test_a_database_that_is_no_case_is_refused(tmp_path, header) -> None:
    other = tmp_path / "other.case"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(UsageError, match="not a case of forensic"):
        create_case(other, header())


def test_a_file_without_a_run_is_begun_anew(tmp_path, header) -> None:
    path = tmp_path / "a.case"
    path.touch()
    assert not case_is_begun(path)
    with create_case(path, header()) as case:
        case.finish()
    assert case_is_begun(path)


def test_missing_folder_is_told(tmp_path, header) -> None:
    with pytest.raises(UsageError, match="folder does not exist"):
        create_case(tmp_path / "no" / "a.case", header())


def test_without_a_path_nothing_is_left(tmp_path, header, finding, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with create_case(None, header()) as case:
        case.append([(finding(1), NOTHING)])
        assert case.first_with(finding(1).sha256) == finding(1).path
        case.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_dies_leaves_a_case_that_goes_on(tmp_path, finding) -> None:
    path = tmp_path / "a.case"
    code = f"""
import os, sys
sys.path[:0] = [{str(Path(forensic.__file__).parents[1])!r}, {str(Path(__file__).parent)!r}]
from pathlib import Path
from conftest import made_finding, made_header
from forensic.case.ledger import create_case
from forensic.case.rows import Artefacts
case = create_case(Path({str(path)!r}), made_header())
case.append([(made_finding(0), Artefacts())])
case.append([(made_finding(1), Artefacts())])
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    assert (tmp_path / "a.case-wal").stat().st_size > 0
    with open_case(path) as case:  # the log is read although nobody has merged it
        assert not case.complete
        assert len(case) == 2
        assert case.runs[0].outcome is None
    with resume_case(path) as case:
        case.append([(finding(2), NOTHING)])
        case.finish()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.case"]
    with open_case(path) as case:
        assert [finding_to_json(row) for _, row, _ in case.rows()] == [finding_to_json(finding(n)) for n in range(3)]


def test_full_disk_keeps_what_was_committed(tmp_path, finding) -> None:
    """A limit on the file's size stands for the full disk; it needs no mount."""
    path = tmp_path / "a.case"
    code = f"""
import resource, sys
sys.path[:0] = [{str(Path(forensic.__file__).parents[1])!r}, {str(Path(__file__).parent)!r}]
from pathlib import Path
from conftest import made_finding, made_header
from forensic.case.ledger import create_case
from forensic.case.rows import Artefacts
from forensic.errors import MachineError
with create_case(Path({str(path)!r}), made_header()) as case:
    case.append([(made_finding(0), Artefacts())])
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        case.append([(made_finding(n), Artefacts(thumbnail=bytes(5000))) for n in range(1, 100)])
    except MachineError as error:
        sys.exit(int(error.exit_code))
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == MachineError.exit_code
    with resume_case(path) as case:
        assert len(case) == 1
        case.append([(finding(1), NOTHING)])
        case.finish()
    with open_case(path) as case:
        assert case.complete
        assert len(case) == 2


def test_differences_are_named(header) -> None:
    wanted = header(weights="ffffffffffff", configuration={"threshold": 0.5, "tiles": 25})
    assert header_differences(header(), wanted) == [
        "weights was 0123456789ab, is ffffffffffff",
        "threshold was None, is 0.5",
    ]
    assert header_differences(header(), header(examiner="x")) == []


def test_roots_and_places_are_exact_bytes(tmp_path, header) -> None:
    roots = [Root(b"in\xff", b"/evidence/in\xff")]
    with create_case(tmp_path / "a.case", header(), roots=roots) as case:
        assert case.roots == roots


def test_time_is_utc_with_offset() -> None:
    assert now().endswith("+00:00")
