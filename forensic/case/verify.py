"""Whether a case still says what it said when it was written: level 0, the file against itself.

What this level does not check: what no digest covers (the examiner's words, the card, the runs, times), whether the
files are unchanged, and whether decoding and scoring them again gives the same findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forensic.case import database
from forensic.case.annotations import annotation_differences, annotations_digest
from forensic.case.chain import chain_next, chain_start
from forensic.case.exhibit import case_root, key_start
from forensic.case.form import form_differences
from forensic.case.reader import CaseReader
from forensic.case.record import record_differences
from forensic.case.rows import exact_path, finding_from_json

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from forensic.case.rows import CaseHeader, Finding

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
    root: str | None = None
    """As it is kept, 64 hex digits; None where none is."""
    annotations: str = ""
    """Where the chain of annotations ends, 64 hex digits."""

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return self.count == 0


def verify_case(path: Path, expected: str | None = None, expected_annotations: str | None = None) -> Verification:
    """Check a case against its own chain: every digest, every column, the closing row, the form of schema.sql.

    Args:
        path: of the case.
        expected: the closing digest as it was published elsewhere, 64 hex digits. Whoever alters a case can compute its
            whole chain anew; the digest on paper he can not.
        expected_annotations: where the annotations ended when the last of them was told, 64 hex digits: the last ones
            can be cut off and leave no trace.

    Raises:
        UsageError: no such case, or one of another format.
        VerificationError: the file is so damaged that it can not be read.
        MachineError: it can not be read.
    """
    connection = database.connect_for_reading(path)
    with database.told(path):
        misshapen = [*_structure(connection), *form_differences(connection)]
    if misshapen:  # rows of another form are not walked: what they hold can not be relied on
        connection.close()
        return Verification(0, "", False, tuple(misshapen[:MOST]), len(misshapen))  # noqa: FBT003 - as the class names it
    with CaseReader(path, connection) as case, database.read(path):
        differences = Differences()
        differences.add(*record_differences(case))
        findings, digest, key = _rows(case, differences)
        differences.add(*_closing(connection, findings, digest))
        differences.add(*annotation_differences(connection, digest, findings))
        kept = case.stored_root
        # altered rows have another root, and are told
        if kept is not None and not differences.count and kept != case_root(case, key):
            differences.add("the root is not that of the rows")
        if expected is not None and expected != digest.hex():
            differences.add(f"the chain ends in {digest.hex()}, expected was {expected}")
        marked = "" if differences.count else annotations_digest(case)  # they may be unreadable, which is told
        if marked and expected_annotations not in (None, marked):
            differences.add(f"the annotations end in {marked}, expected was {expected_annotations}")
        told = tuple(differences.told)
        return Verification(findings, digest.hex(), case.complete, told, differences.count, kept, marked)


class Differences:
    """The first ones in words, and how many there are."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.count = 0

    def add(self, *differences: str) -> None:
        """Further ones, a sentence each."""
        self.count += len(differences)
        self.told = [*self.told, *differences][:MOST]


def _rows(case: CaseReader, differences: Differences) -> tuple[int, bytes, bytes]:
    """Walk all rows: how many there are, where their chain ends, and the key of the leaves' salts."""
    query = (
        "SELECT seq, root, path, status, verdict, label, sha256, finding, digest, thumbnail, spectrum "
        "FROM finding LEFT JOIN artefact USING (seq) ORDER BY seq"
    )
    roots = [root.given for root in case.roots]
    digest, key, findings = chain_start(case.header), key_start(case.header), 0
    for seq, root, below, *columns, line, stored, thumbnail, spectrum in case.connection.execute(query):
        found = [] if seq == findings else ["its number does not follow the one before"]
        if not line.isascii() or chain_next(digest, line, thumbnail, spectrum) != stored:
            found.append("its digest does not follow from the row and the one before")
        found += _row(line, columns, _told(roots, root, below), case.header)
        found += ["its root is none of the case's"] if roots and not 0 <= root < len(roots) else []
        differences.add(*(f"row {seq}: {what}" for what in found))
        digest = stored  # one altered row is one difference, not all rows after it
        key.update(digest)
        findings += 1
    return findings, digest, key.digest()


def _structure(connection: sqlite3.Connection) -> Iterator[str]:
    for (said,) in connection.execute("PRAGMA integrity_check(3)"):
        if said != "ok":
            yield f"SQLite: {said}"


def _row(line: str, columns: list[str | None], path: bytes | None, header: CaseHeader) -> Iterator[str]:
    try:
        finding = finding_from_json(line)
    except (TypeError, ValueError, KeyError) as error:
        yield f"its finding can not be read ({error})"
        return
    if columns != [finding.status, finding.verdict, finding.label, finding.sha256]:
        yield "its columns say something else than its finding"
    if path is not None and path != exact_path(finding):
        yield "its path is not that of its finding"
    if (finding.weights, finding.preprocessing) != (header.weights, header.preprocessing):
        yield "its weights or preprocessing are not those of the case"
    if not _follows(finding):
        yield "its verdict does not follow from its score and threshold"


def _follows(finding: Finding) -> bool:
    """Whether the verdict is what score and threshold say; without a score there is none."""
    score, threshold = finding.score, finding.threshold
    if finding.status != "ok" or score is None or threshold is None:
        return finding.status != "ok" and (finding.verdict, finding.label, score) == (None, None, None)
    known = score >= threshold
    return finding.verdict == ("known" if known else "unknown") and finding.label == (
        finding.nearest if known else None
    )


def _told(roots: list[bytes], root: int, below: bytes) -> bytes | None:
    """The path as the scan tells it; None where the case has no such root. Without roots a place is the whole path."""
    if not roots:
        return below
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
