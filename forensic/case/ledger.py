"""The one writer of a case: create or go on, append by batch, finish.

A batch is one transaction. A closed case is one file without a log beside it.
"""

from __future__ import annotations

import json
import os
import platform
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from forensic.case import database
from forensic.case.chain import chain_next, spectrum_bytes
from forensic.case.exhibit import case_root, key_start
from forensic.case.lock import CaseLock, left_behind, lock_case
from forensic.case.reader import CaseReader, Place, Root, open_case
from forensic.case.rows import Artefacts, CaseHeader, Finding, Run, exact_path, finding_to_json
from forensic.errors import ForensicError, UsageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = [
    "DETAILS",
    "CaseReader",
    "CaseWriter",
    "Place",
    "Root",
    "RunStart",
    "case_is_begun",
    "create_case",
    "has_log",
    "header_differences",
    "lock_unfinished",
    "now",
    "open_case",
    "put_in_order",
    "resume_case",
]


DETAILS = ("question", "examiner", "case_number", "exhibit", "note")
"""Fields of the header that are the examiner's words."""


@dataclass(frozen=True, kw_only=True)
class RunStart:
    """What is noted when a process begins to work on a case."""

    started: str
    argv: tuple[str, ...] = ()
    versions: dict[str, str] | None = None


def now() -> str:
    """The time as a case tells it: UTC, ISO 8601 with offset, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class CaseWriter(CaseReader):
    """The one writer of a case, through `create_case` or `resume_case`; it reads too.

    Leaving the context without `finish` or `stop` closes the file and leaves the run without an end, as a death would.
    """

    def __init__(self, path: Path | None, connection: sqlite3.Connection, lock: CaseLock | None) -> None:
        super().__init__(path, connection)
        self._lock = lock
        self._next = len(self)
        self._digest = self._last_digest()
        self._key = None if self._next else key_start(self.header)  # a resumed case gathers it at its end

    def append(self, batch: Iterable[tuple[Finding, Artefacts]], places: Sequence[Place] | None = None) -> None:
        """Store findings in the order given, in one transaction.

        Args:
            batch: findings with what is kept beside them.
            places: where each file lies, one a finding; without it, the path as given below root 0.

        Raises:
            MachineError: the disk is full or fails; nothing of the batch is stored.
            ValueError: a finding holds a number that is not finite; nothing of the batch is stored.
        """
        digest, seq = self._digest, self._next
        chained: list[bytes] = []
        with database.transaction(self._connection, self._path):
            for number, (finding, artefacts) in enumerate(batch):
                place = places[number] if places is not None else Place(path=exact_path(finding))
                line = finding_to_json(finding)
                spectrum = spectrum_bytes(artefacts.spectrum) if artefacts.spectrum is not None else None
                digest = chain_next(digest, line, artefacts.thumbnail, spectrum)
                self._connection.execute(
                    "INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        seq,
                        place.root,
                        place.path,
                        place.mtime_ns,
                        finding.status,
                        finding.verdict,
                        finding.label,
                        finding.sha256,
                        line,
                        digest,
                    ),
                )
                if artefacts.thumbnail is not None or spectrum is not None:
                    self._connection.execute(
                        "INSERT INTO artefact VALUES (?, ?, ?)", (seq, artefacts.thumbnail, spectrum)
                    )
                seq += 1
                chained.append(digest)
        self._digest, self._next = digest, seq
        if self._key is not None:
            self._key.update(b"".join(chained))

    def finish(self, *, other_files: int = 0, ended: str | None = None) -> str:
        """Mark the case complete and merge the log; returns the closing digest in hex.

        Raises:
            MachineError: the disk is full or fails.
        """
        with database.transaction(self._connection, self._path):
            self._connection.execute("INSERT INTO closing VALUES (1, ?, ?, ?)", (self._next, other_files, self._digest))
            if self._path is not None and database.has_tree(self._connection):
                root = bytes.fromhex(case_root(self, None if self._key is None else self._key.digest()))
                self._connection.execute("INSERT OR REPLACE INTO tree VALUES (1, ?)", (root,))
            self._end_run("done", ended)
        database.remove_log(self._connection, self._path)
        return self._digest.hex()

    def stop(self, outcome: str, *, ended: str | None = None) -> None:
        """End this run before the scan is complete: `interrupted` or `stopped: ...`. The case can be resumed.

        Raises:
            MachineError: the disk is full or fails.
        """
        with database.transaction(self._connection, self._path):
            self._end_run(outcome, ended)
        database.remove_log(self._connection, self._path)

    def _end_run(self, outcome: str, ended: str | None) -> None:
        self._connection.execute(
            "UPDATE run SET ended = ?, outcome = ? WHERE run_id = (SELECT max(run_id) FROM run)",
            (ended or now(), outcome),
        )

    def close(self) -> None:
        """Close the file and let go of the lock; a second call does nothing."""
        super().close()
        if self._lock is not None:
            self._lock.release()


def create_case(
    path: Path | None,
    header: CaseHeader,
    *,
    roots: Sequence[Root] = (),
    run: RunStart | None = None,
    history: Sequence[Run] = (),
    lock: CaseLock | None = None,
) -> CaseWriter:
    """Begin a case. Without a path it lives in an anonymous temporary database and is gone when closed.

    Args:
        path: of the new file.
        header: what all findings share.
        roots: what is scanned.
        run: of this process.
        history: runs before it, of the cases that this one is put together from; they are numbered anew.
        lock: of the path, where it is held already; the writer lets go of it.

    Raises:
        UsageError: the file exists and is not an empty one, or another process writes it.
        MachineError: the disk is full or fails.
    """
    with ExitStack() as undo:
        if path is not None:
            lock = lock or lock_case(path)
            undo.callback(lock.release)
            if database.is_begun(path):
                raise UsageError(os.fspath(path), "exists already", "Choose another --case; nothing is overwritten")
        connection = database.connect_for_writing(path)
        undo.callback(connection.close)
        with database.transaction(connection, path):
            database.create_tables(connection)
            for field in fields(header):
                value = json.dumps(getattr(header, field.name), ensure_ascii=True, allow_nan=False)
                connection.execute("INSERT INTO header VALUES (?, ?)", (field.name, value))
            rows = ((number, root.given, root.absolute) for number, root in enumerate(roots))
            connection.executemany("INSERT INTO root VALUES (?, ?, ?)", rows)
            connection.executemany(
                "INSERT INTO run (started, ended, outcome, argv, versions, host, pid) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (_stored(entry) for entry in history),
            )
            _begin_run(connection, run)
        writer = CaseWriter(path, connection, lock)
        undo.pop_all()
    return writer


def resume_case(path: Path, *, run: RunStart | None = None, lock: CaseLock | None = None) -> CaseWriter:
    """Go on with a case that was begun and is not complete.

    Args:
        path: of the case.
        run: of this process.
        lock: of the path, where it is held already; the writer lets go of it.

    Raises:
        UsageError: no case, one of another format, a complete one, or another process writes it.
        VerificationError: the file is damaged.
        MachineError: the disk is full or fails.
    """
    with ExitStack() as undo:
        lock = lock or lock_case(path)
        undo.callback(lock.release)
        if not database.is_begun(path):
            raise UsageError(os.fspath(path), "no such case")
        with open_case(path) as stored:  # a complete case is not even opened for writing: its bytes stay
            if stored.complete:
                raise UsageError(os.fspath(path), "is complete")
        connection = database.connect_for_writing(path)
        undo.callback(connection.close)
        with database.transaction(connection, path):
            _begin_run(connection, run)
        writer = CaseWriter(path, connection, lock)
        undo.pop_all()
    return writer


def _begin_run(connection: sqlite3.Connection, run: RunStart | None) -> None:
    run = run or RunStart(started=now())
    versions = run.versions or {"python": platform.python_version()}
    connection.execute(
        "INSERT INTO run (started, argv, versions, host, pid) VALUES (?, ?, ?, ?, ?)",
        (run.started, json.dumps(run.argv), json.dumps(versions, sort_keys=True), socket.gethostname(), os.getpid()),
    )


def _stored(run: Run) -> tuple[str | int | None, ...]:
    argv, versions = json.dumps(run.argv), json.dumps(run.versions, sort_keys=True)
    return run.started, run.ended, run.outcome, argv, versions, run.host, run.pid


def case_is_begun(path: Path) -> bool:
    """Whether there is a case to read or to go on with.

    Raises:
        UsageError: the file exists and is something else.
        VerificationError: the file is damaged.
        MachineError: it can not be read.
    """
    return database.is_begun(path)


def header_differences(stored: CaseHeader, wanted: CaseHeader) -> list[str]:
    """What keeps a scan from going on with a stored case, a sentence each: `--threshold was 0.5, is 0.7`."""
    differences = [
        f"{name} was {getattr(stored, name)}, is {getattr(wanted, name)}"
        for name in ("weights", "preprocessing")
        if getattr(stored, name) != getattr(wanted, name)
    ]
    before, after = stored.configuration, json.loads(json.dumps(wanted.configuration))
    differences += [
        f"{name} was {before.get(name)}, is {after.get(name)}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    return differences


def has_log(path: Path) -> bool:
    """Whether a log lies beside a case: a writer lives, or was killed, or somebody read the case when it ended."""
    return database.has_log(path)


def put_in_order(path: Path) -> None:
    """Merges the log and removes the lock that a writer left who was killed; one that lives keeps both.

    Nothing is done, and nothing said, where the case can not be written.
    """
    with suppress(ForensicError, OSError):
        if not left_behind(path) and database.is_settled(path):
            return
        with CaseLock(path):
            if database.is_begun(path):
                _merge_log(path)


def _merge_log(path: Path) -> None:
    connection = database.connect_for_writing(path)
    try:
        database.remove_log(connection, path)
    finally:
        connection.close()


def lock_unfinished(path: Path) -> CaseLock | None:
    """The lock of a case that is to be begun or gone on with; None where it is complete and so not written again.

    What a writer left who was killed is put in order first.

    Raises:
        UsageError: another process writes it, or the file is something else.
        VerificationError: the file is damaged.
        MachineError: it can not be read, or the folder not be written.
    """
    put_in_order(path)
    if database.is_begun(path):
        with open_case(path) as stored:
            if stored.complete:
                return None
    return lock_case(path)
