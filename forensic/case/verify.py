"""Whether a case still says what it said when it was written: level 0, the file against itself.

What this level does not check: whether the files are unchanged, and whether decoding and scoring them again gives the
same findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forensic.case import database
from forensic.case.annotations import annotation_differences
from forensic.case.chain import chain_next, chain_start
from forensic.case.exhibit import case_root
from forensic.case.reader import CaseReader
from forensic.case.rows import exact_path, finding_from_json

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

MOST = 10
"""Differences that are told; further ones are only counted."""


@dataclass(frozen=True)
class Verification:
    """What a check of a case came to."""

    findings: int
    """Rows that were checked."""
    digest: str
    """Where the chain ends when it is computed anew, 64 hex digits."""
    complete: bool
    differences: tuple[str, ...]
    """The first `MOST`, a sentence each."""
    count: int
    """Of all differences."""

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return self.count == 0


def verify_case(path: Path, expected: str | None = None) -> Verification:
    """Check a case against its own chain: every digest, every column, the closing row, SQLite's own structure.

    Args:
        path: of the case.
        expected: the closing digest as it was published elsewhere, 64 hex digits. Whoever alters a case can compute its
            whole chain anew; the digest on paper he can not.

    Raises:
        UsageError: no such case, or one of another format.
        VerificationError: the file is so damaged that it can not be read.
        MachineError: it can not be read.
    """
    connection = database.connect_for_reading(path)
    with CaseReader(path, connection) as case, database.told(path):
        differences: list[str] = []
        count = findings = 0
        digest = chain_start(case.header)
        for what in _structure(connection):
            count += 1
            differences.append(what)
        query = (
            "SELECT seq, root, path, status, verdict, label, sha256, finding, digest, thumbnail, spectrum "
            "FROM finding LEFT JOIN artefact USING (seq) ORDER BY seq"
        )
        roots = [root.given for root in case.roots]
        for seq, root, below, *columns, line, stored, thumbnail, spectrum in connection.execute(query):
            digest = chain_next(digest, line, thumbnail, spectrum)
            found = list(_row(seq == findings, digest == stored, line, columns, _told(roots, root, below)))
            found += ["its root is none of the case's"] if roots and not 0 <= root < len(roots) else []
            count += len(found)
            differences += [f"row {seq}: {what}" for what in found]
            del differences[MOST:]
            digest = bytes(stored)  # one altered row is one difference, not all rows after it
            findings += 1
        for what in (*_closing(connection, findings, digest), *annotation_differences(connection, digest)):
            count += 1
            differences.append(what)
        kept = case.stored_root
        if kept is not None and not count and kept != case_root(case):  # altered rows have another root, and are told
            count += 1
            differences.append("the root is not that of the rows")
        if expected is not None and expected != digest.hex():
            count += 1
            differences.append(f"the chain ends in {digest.hex()}, expected was {expected}")
        return Verification(findings, digest.hex(), case.complete, tuple(differences[:MOST]), count)


def _structure(connection: sqlite3.Connection) -> Iterator[str]:
    for (said,) in connection.execute("PRAGMA integrity_check(3)"):
        if said != "ok":
            yield f"SQLite: {said}"
    query = "SELECT count(*) FROM artefact WHERE seq NOT IN (SELECT seq FROM finding)"
    (orphans,) = connection.execute(query).fetchone()
    if orphans:
        yield f"{orphans} artefacts belong to no finding"


def _row(in_place: bool, chained: bool, line: str, columns: list[str | None], path: bytes | None) -> Iterator[str]:  # noqa: FBT001 - two plain facts of a row
    if not in_place:
        yield "its number does not follow the one before"
    if not chained:
        yield "its digest does not follow from the row and the one before"
    try:
        finding = finding_from_json(line)
    except (TypeError, ValueError, KeyError):
        yield "its finding can not be read"
        return
    if columns != [finding.status, finding.verdict, finding.label, finding.sha256]:
        yield "its columns say something else than its finding"
    if path is not None and path != exact_path(finding):
        yield "its path is not that of its finding"


def _told(roots: list[bytes], root: int, below: bytes) -> bytes | None:
    """The path as the scan tells it; None where the case was not made by a scan and has no roots."""
    if not 0 <= root < len(roots):
        return None
    given = roots[root]
    return given.rstrip(b"/") + b"/" + below if below else given


def _closing(connection: sqlite3.Connection, findings: int, digest: bytes) -> Iterator[str]:
    for counted, closed in connection.execute("SELECT findings, digest FROM closing"):
        if counted != findings:
            yield f"closed with {counted} findings, there are {findings}"
        if closed != digest:
            yield "the closing digest is not that of the last row"
