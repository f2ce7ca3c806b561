from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from forensic.case.ledger import open_case, put_in_order
from forensic.case.lock import CaseLock, writer_lives
from forensic.errors import UsageError, VerificationError
from forensic.scan import engine as engine_module
from forensic.scan import run as module
from forensic.scan.events import Found
from forensic.scan.plan import Details, ScanPlan
from forensic.scan.run import run


@pytest.fixture
def stopped(copies, tmp_path, tiny_weights, monkeypatch) -> tuple[Path, Path]:
    """A folder of eight files and its case, stopped after four, however long these take."""
    monkeypatch.setattr(module, "BATCH_FILES", 4)
    monkeypatch.setattr(module, "BATCH_SECONDS", float("inf"))
    folder = copies(tmp_path / "in", 8)
    events = run(ScanPlan(paths=(os.fsencode(folder),), weights=tiny_weights, case=tmp_path / "a.case"))
    next(events)
    assert isinstance(next(events), Found)
    events.close()
    return folder, tmp_path / "a.case"


def test_what_differs_is_named_and_nothing_is_lost(stopped, scan, tmp_path) -> None:
    folder, case = stopped
    before = case.read_bytes()
    with pytest.raises(UsageError, match=r"threshold was None, is 0\.5"):
        scan(folder, case=case, threshold=0.5)
    with pytest.raises(UsageError, match="scores was False, is True; thumbnails was full, is none"):
        scan(folder, case=case, scores=True, thumbnails=False)
    with pytest.raises(UsageError, match="examiner was '', is 'A'"):
        scan(folder, case=case, details=Details(examiner="A"))
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(UsageError, match=f"other files or folders are given now \\(with {other}\\)"):
        scan(folder, other, case=case)
    assert case.read_bytes() == before


DYING = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("UPDATE closing SET other_files = other_files")
os._exit(0)
"""
"""Leaves what a kill leaves between the last commit and the end: a log, and below a lock that nobody holds."""


def test_log_and_lock_of_a_scan_that_was_killed_at_the_very_end_go(scan, copies, tmp_path) -> None:
    folder, case = copies(tmp_path / "in", 1), tmp_path / "a.case"
    first = scan(folder, case=case)
    subprocess.run([sys.executable, "-c", DYING, case], check=True)
    (tmp_path / "a.case.lock").touch()
    assert len(list(tmp_path.glob("a.case*"))) == 4
    again = scan(folder, case=case)
    assert again.findings == first.findings
    assert again.summary.closing_digest == first.summary.closing_digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.case", "in"]


def test_a_log_is_not_merged_while_its_writer_lives(scan, copies, tmp_path) -> None:
    folder, case = copies(tmp_path / "in", 1), tmp_path / "a.case"
    scan(folder, case=case)
    with CaseLock(case):
        put_in_order(case)
        assert writer_lives(case)


def test_of_two_scans_the_second_is_refused_before_it_loads_the_network(stopped, scan, monkeypatch, tmp_path) -> None:
    """Else the first may be done when the second has loaded, and the case is not what it was found to be."""
    folder, begun = stopped
    monkeypatch.setattr(engine_module, "Engine", lambda *_: pytest.fail("it was loaded"))
    for case in (begun, tmp_path / "new.case"):
        with CaseLock(case), pytest.raises(UsageError, match=f"is being written by process {os.getpid()} on "):
            scan(folder, case=case)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.case", "in"]


def test_changed_evidence_is_not_gone_on_with(stopped, scan) -> None:
    folder, case = stopped
    os.utime(folder / "0002.jpg", ns=(1, 1))
    with pytest.raises(VerificationError, match=r"0002\.jpg: has changed since it was scanned"):
        scan(folder, case=case)


@pytest.mark.parametrize("change", ["added", "removed"])
def test_added_and_removed_files_are_noticed(stopped, scan, change) -> None:
    folder, case = stopped
    if change == "added":
        (folder / "0001a.jpg").touch()
    else:
        (folder / "0001.jpg").unlink()
    with pytest.raises(VerificationError, match="added or removed"):
        scan(folder, case=case)
    with open_case(case) as stored:
        assert len(stored) == 4


def test_files_that_were_not_reached_may_change(stopped, scan) -> None:
    folder, case = stopped
    (folder / "0007.jpg").unlink()
    (folder / "0009.jpg").touch()
    scanned = scan(folder, case=case)
    assert [finding.path[-8:] for finding in scanned.findings][4:] == ["0004.jpg", "0005.jpg", "0006.jpg", "0009.jpg"]


def test_goes_on_from_another_folder_under_the_old_names(copies, tmp_path, tiny_weights, scan, monkeypatch) -> None:
    monkeypatch.setattr(module, "BATCH_FILES", 4)
    monkeypatch.setattr(module, "BATCH_SECONDS", float("inf"))
    copies(tmp_path / "in", 8)
    monkeypatch.chdir(tmp_path)
    events = run(ScanPlan(paths=(b"in",), weights=tiny_weights, case=tmp_path / "a.case"))
    next(events)
    next(events)
    events.close()
    monkeypatch.chdir("/")
    scanned = scan(tmp_path / "in", case=tmp_path / "a.case")
    assert [finding.path for finding in scanned.findings] == [f"in/{number:04d}.jpg" for number in range(8)]
