r"""What examiners mark after a scan: a flag, a grade, tags, a note for a finding; added to a complete case.

Nothing is ever changed or taken away. Findings and their chain stay as they are; annotations have a chain of their own
that begins where theirs ended:

    start    = SHA-256("forensic annotations 1\n" + closing digest of the findings)
    digest n = SHA-256(digest n-1 + SHA-256(canonical JSON of the annotation))

The last annotation of a finding is what holds; those before it are its history.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from forensic.case import database
from forensic.case.lock import lock_case
from forensic.case.reader import CaseReader
from forensic.case.strict import TEXT, WHOLE, check_each, check_types, parsed
from forensic.errors import UsageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

GRADES = range(1, 6)
_START = b"forensic annotations 1\n"
_OF_MARK: dict[str, tuple[type, ...]] = {"flagged": (bool,), "grade": WHOLE, "tags": (list,)}


@dataclass(frozen=True)
class Mark:
    """What an examiner says of one finding.

    Raises:
        ValueError: a grade that is none of `GRADES`.
    """

    flagged: bool = False
    grade: int | None = None
    tags: tuple[str, ...] = ()
    """Sorted, none twice."""
    note: str = ""

    def __post_init__(self) -> None:
        if self.grade is not None and (type(self.grade) is not int or self.grade not in GRADES):
            raise ValueError(f"grade: expected {GRADES[0]} to {GRADES[-1]}, got {self.grade}")
        object.__setattr__(self, "tags", tuple(sorted(set(self.tags))))


@dataclass(frozen=True)
class Annotation:
    """One row: who marked which finding, when, how."""

    number: int
    """1, 2, ... without gaps."""
    at: str
    """UTC, ISO 8601 with offset."""
    by: str
    seq: int
    """Of the finding."""
    mark: Mark
    source: str
    """`command`, or name and SHA-256 of the file that it was imported from."""


def read_annotations(case: CaseReader) -> list[Annotation]:
    """All annotations of a case, in their order; none where its format has no place for them."""
    with database.read(case.path):
        return [annotation for annotation, _ in _stored(case.connection)]


def annotations_digest(case: CaseReader) -> str:
    """Where the chain of annotations ends, 64 hex digits: it fixes all of them, and that none was taken away."""
    with database.read(case.path):
        digests = [digest for _, digest in _stored(case.connection)]
    return (digests[-1] if digests else _start(case.closing_digest)).hex()


def marks(case: CaseReader) -> dict[int, Mark]:
    """Number of a finding -> what holds of it now, in the order of the numbers."""
    found = {annotation.seq: annotation.mark for annotation in read_annotations(case)}
    return dict(sorted(found.items()))


def annotate(path: Path, entries: Sequence[tuple[int, Mark]], *, by: str, at: str, source: str) -> int:
    """Add annotations to a complete case, all or none; how many there are now.

    Args:
        path: of the case.
        entries: number of the finding and its mark; one that is as it was adds nothing.
        by: who says so.
        at: when, UTC.
        source: `command`, or the file that says so.

    Raises:
        UsageError: no case, one that is not complete, a number without a finding, or another process writes it.
        MachineError: the disk is full or fails; nothing is stored.
    """
    with lock_case(path):
        with CaseReader(path, database.connect_for_reading(path)) as stored:  # closed before anything is written
            if not stored.complete:
                raise UsageError(
                    os.fspath(path), "is not complete", "Finish the scan first, with the command that began it"
                )
            held, closing = marks(stored), stored.closing_digest
            fresh = [(seq, mark) for seq, mark in entries if held.get(seq, Mark()) != mark]
            if wrong := [seq for seq, _ in fresh if not 0 <= seq < len(stored)]:
                raise UsageError(os.fspath(path), f"has no finding number {wrong[0]}")
            if not fresh:
                return len(read_annotations(stored))
        connection = database.connect_for_writing(path)
        try:
            with database.transaction(connection, path):
                database.make_room_for_annotations(connection)
                before = list(_stored(connection))
                digest = before[-1][1] if before else _start(closing)
                for number, (seq, mark) in enumerate(fresh, start=len(before) + 1):
                    annotation = Annotation(number, at, by, seq, mark, source)
                    digest = _next(digest, annotation)
                    told = json.dumps(asdict(mark), ensure_ascii=True, sort_keys=True)
                    values = (number, at, by, seq, told, source, digest)
                    connection.execute("INSERT INTO annotation VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            database.remove_log(connection, path)
        finally:
            connection.close()
    return len(before) + len(fresh)


def annotation_differences(connection: sqlite3.Connection, closing: bytes, findings: int) -> Iterator[str]:
    """What does not agree in the annotations of a case, a sentence each.

    Args:
        connection: to the case.
        closing: digest of the last finding.
        findings: how many there are.
    """
    digest = _start(closing.hex())
    try:
        for place, (annotation, stored) in enumerate(_stored(connection), start=1):
            if not 0 <= annotation.seq < findings:
                yield f"annotation {annotation.number}: the case has no finding {annotation.seq}"
            if annotation.number != place:
                yield f"annotation {annotation.number}: its number does not follow the one before"
            if _next(digest, annotation) != stored:
                yield f"annotation {annotation.number}: its digest does not follow from it and the one before"
            digest = stored
    except (TypeError, ValueError):
        yield "an annotation can not be read"


def _stored(connection: sqlite3.Connection) -> Iterator[tuple[Annotation, bytes]]:
    if not database.has_annotations(connection):
        return
    query = "SELECT number, at, by, seq, mark, source, digest FROM annotation ORDER BY number"
    for number, at, by, seq, mark, source, digest in connection.execute(query):
        check_each([at, by, source], TEXT)
        read = parsed(mark)
        check_types(read, _OF_MARK, frozenset({"flagged", "tags", "note"}))
        check_each(read["tags"], TEXT)
        made = Mark(**(read | {"tags": tuple(read["tags"])}))
        yield Annotation(number, at, by, seq, made, source), database.blob(digest)


def _start(closing: str) -> bytes:
    return hashlib.sha256(_START + closing.encode("ascii")).digest()


def _next(before: bytes, annotation: Annotation) -> bytes:
    canonical = json.dumps(asdict(annotation), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(before + hashlib.sha256(canonical.encode("ascii")).digest()).digest()
