"""A case as its readers see it: header, runs, counts, rows.

Readers never change the file; a case that is not complete, or is being written, can be read all the same.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from forensic.case import database
from forensic.case.chain import chain_start, spectrum_values
from forensic.case.rows import Artefacts, CaseHeader, Counts, Finding, Run, exact_path, finding_from_json
from forensic.case.strict import NUMBER, TEXT, WHOLE, check_each, check_types, parsed
from forensic.errors import VerificationError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType


_PAGE = 256
_OF_HEADER: dict[str, tuple[type, ...]] = {
    "configuration": (dict,),
    "card": (dict,),
    "classes": (list,),
    "class_spectra": (dict,),
}
_OF_RUN: dict[str, tuple[type, ...]] = {
    "run_id": WHOLE,
    "started": TEXT,
    "ended": TEXT,
    "outcome": TEXT,
    "argv": (list,),
    "versions": (dict,),
    "host": TEXT,
    "pid": WHOLE,
}


@dataclass(frozen=True)
class Root:
    """One argument of a scan."""

    given: bytes
    absolute: bytes


@dataclass(frozen=True)
class Place:
    """Where a finding's file lies: `path` below root number `root`; both as stored with the finding."""

    root: int = 0
    path: bytes = b""
    mtime_ns: int | None = None


class CaseReader:
    """A case, read-only. Use it as a context manager, through `open_case`."""

    def __init__(self, path: Path | None, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        with database.read(path):
            stored = {name: parsed(value) for name, value in connection.execute("SELECT name, value FROM header")}
            self.header: CaseHeader = _header_from(stored)
        self._lengths = {len(part) for pair in self.header.class_spectra.values() for part in pair}

    @property
    def path(self) -> Path | None:
        """Of the file; None of a temporary case."""
        return self._path

    @property
    def connection(self) -> sqlite3.Connection:
        """For the other files of this room."""
        return self._connection

    @property
    def runs(self) -> list[Run]:
        """The processes that worked on the case, first to last."""
        query = "SELECT run_id, started, ended, outcome, argv, versions, host, pid FROM run ORDER BY run_id"
        with database.read(self._path):
            return [_run_from(row) for row in self._connection.execute(query)]

    @property
    def run_times(self) -> tuple[str, str | None]:
        """Start of the first run and end of the last one; None while it lives or where it died."""
        runs = self.runs
        if not runs:
            raise VerificationError(str(self._path), "holds no run, so nobody made it", "See `forensic case verify`")
        return runs[0].started, runs[-1].ended

    @property
    def roots(self) -> list[Root]:
        """What was asked to be scanned, in the order of the command line."""
        with database.read(self._path):
            return [
                Root(*map(database.blob, row))
                for row in self._connection.execute("SELECT given, absolute FROM root ORDER BY id")
            ]

    @property
    def roots_that_are_files(self) -> frozenset[int]:
        """Numbers of the roots that are the file itself; a folder that could not be listed is none."""
        query = "SELECT root, finding FROM finding WHERE path = x''"
        with database.read(self._path):
            found = self._connection.execute(query).fetchall()
            return frozenset(root for root, line in found if not exact_path(finding_from_json(line)).endswith(b"/"))

    @property
    def complete(self) -> bool:
        """Whether the scan came to its end."""
        return self._closing() is not None

    @property
    def other_files(self) -> int | None:
        """Files below the roots that are no images; None while the case is not complete."""
        closing = self._closing()
        return closing[0] if closing else None

    @property
    def closing_digest(self) -> str:
        """Hex digest of the last finding, 64 digits; of the chain's start where there is none."""
        return self._last_digest().hex()

    @property
    def stored_root(self) -> str | None:
        """The root over all rows as it was kept when the scan ended, 64 hex digits; None where none was kept."""
        with database.read(self._path):
            if not database.has_tree(self._connection):
                return None
            row = self._connection.execute("SELECT root FROM tree").fetchone()
            return None if row is None else database.blob(row[0]).hex()

    @property
    def counts(self) -> Counts:
        """Findings by outcome."""
        found: Counter[str] = Counter()
        query = (
            "SELECT coalesce(verdict, status), count(*) FROM finding GROUP BY verdict, status"  # as the index has it
        )
        with database.read(self._path):
            for outcome, count in self._connection.execute(query):
                found[outcome] += count
        return Counts(**found)

    @property
    def counts_by_class(self) -> dict[str, int]:
        """Known findings of each class in label order; classes without any are there with 0."""
        found: Counter[str] = Counter()
        query = "SELECT label, count(*) FROM finding WHERE verdict = 'known' GROUP BY status, label"
        with database.read(self._path):
            for label, count in self._connection.execute(query):
                found[label] += count
        return {name: found[name] for name in self.header.classes}

    def __len__(self) -> int:
        with database.read(self._path):
            (count,) = self._connection.execute("SELECT count(*) FROM finding").fetchone()
        return int(count)

    def rows(self, start: int = 0, limit: int | None = None) -> Iterator[tuple[int, Finding, Artefacts]]:
        """Number, finding and artefacts of each row from number `start` on, at most `limit` of them, in path order."""
        query = (
            "SELECT seq, finding, thumbnail, spectrum FROM finding LEFT JOIN artefact USING (seq) "
            "WHERE seq >= ? ORDER BY seq LIMIT ?"
        )
        with database.read(self._path):
            for seq, line, thumbnail, spectrum in self._connection.execute(
                query, (start, -1 if limit is None else limit)
            ):
                yield seq, finding_from_json(line), self._artefacts(thumbnail, spectrum)

    def _artefacts(self, thumbnail: object, spectrum: object) -> Artefacts:
        values = None if spectrum is None else spectrum_values(database.blob(spectrum))
        if values is not None and (self._lengths - {len(values)} or not all(map(math.isfinite, values))):
            raise ValueError("a spectrum is not as long as those of the classes, or not finite")
        return Artefacts(thumbnail=None if thumbnail is None else database.blob(thumbnail), spectrum=values)

    def entries(self) -> Iterator[tuple[Finding, Artefacts, Place]]:
        """Everything of each row, in path order."""
        query = (
            "SELECT finding, thumbnail, spectrum, root, path, mtime_ns FROM finding LEFT JOIN artefact USING (seq) "
            "ORDER BY seq"
        )
        with database.read(self._path):
            for line, thumbnail, spectrum, *place in self._connection.execute(query):
                yield finding_from_json(line), self._artefacts(thumbnail, spectrum), _place_from(*place)

    def stored_rows(self, start: int = 0) -> Iterator[tuple[str, bytes | None, bytes | None]]:
        """JSON line, thumbnail and spectrum of each row from number `start` on, as they are stored and chained."""
        query = (
            "SELECT finding, thumbnail, spectrum FROM finding LEFT JOIN artefact USING (seq) "
            "WHERE seq >= ? ORDER BY seq"
        )
        with database.read(self._path):
            yield from self._connection.execute(query, (start,))

    def digests(self) -> Iterator[bytes]:
        """The chain's digest of each row, 32 bytes."""
        with database.read(self._path):
            for (digest,) in self._connection.execute("SELECT digest FROM finding ORDER BY seq"):
                yield database.blob(digest)

    def lines(self, start: int = 0, limit: int | None = None) -> Iterator[tuple[Finding, Place]]:
        """Each finding with its place from row number `start` on, at most `limit`, in path order, without artefacts."""
        query = "SELECT finding, root, path, mtime_ns FROM finding WHERE seq >= ? ORDER BY seq LIMIT ?"
        with database.read(self._path):
            for line, *place in self._connection.execute(query, (start, -1 if limit is None else limit)):
                yield finding_from_json(line), _place_from(*place)

    def paged_lines(self) -> Iterator[tuple[Finding, Place]]:
        """As `lines`, read in pages: for slow work on each row, during which a scan may go on writing the case."""
        start = 0
        while page := list(self.lines(start, _PAGE)):
            yield from page
            start += len(page)

    def places(self) -> Iterator[tuple[int, Place]]:
        """Number and place of each row, in path order; no finding is read."""
        with database.read(self._path):
            for seq, *place in self._connection.execute("SELECT seq, root, path, mtime_ns FROM finding ORDER BY seq"):
                yield seq, _place_from(*place)

    def finding(self, seq: int) -> Finding:
        """The finding of one row.

        Raises:
            IndexError: there is no such row.
        """
        with database.read(self._path):
            found = self._connection.execute("SELECT finding FROM finding WHERE seq = ?", (seq,)).fetchone()
            if found is not None:
                return finding_from_json(found[0])
        raise IndexError(seq)

    def number_of(self, path: str) -> int | None:
        """Number of the finding of a path, by its exact bytes or else as findings tell it; None where there is none."""
        wanted, shown = os.fsencode(path), None
        for seq, (finding, _) in enumerate(self.lines()):
            if exact_path(finding) == wanted:
                return seq
            if finding.path == path and shown is None:
                shown = seq
        return shown

    def first_with(self, sha256: str) -> str | None:
        """Path of the first finding with this content, None where there is none."""
        query = "SELECT finding FROM finding WHERE sha256 = ? ORDER BY seq LIMIT 1"
        with database.read(self._path):
            found = self._connection.execute(query, (sha256,)).fetchone()
            return finding_from_json(found[0]).path if found else None

    @property
    def thumbnail_bytes(self) -> int:
        """How much the thumbnails take."""
        with database.read(self._path):
            return int(self._connection.execute("SELECT total(length(thumbnail)) FROM artefact").fetchone()[0])

    @property
    def lacks_thumbnails(self) -> bool:
        """Whether some scored finding has none."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM finding LEFT JOIN artefact USING (seq) "
            "WHERE status = 'ok' AND thumbnail IS NULL)"
        )
        with database.read(self._path):
            return bool(self._connection.execute(query).fetchone()[0])

    def _closing(self) -> tuple[int, int, bytes] | None:
        with database.read(self._path):
            row = self._connection.execute("SELECT other_files, findings, digest FROM closing").fetchone()
            if row is None:
                return None
            check_each(row[:2], WHOLE)
            return row[0], row[1], database.blob(row[2])

    def _last_digest(self) -> bytes:
        with database.read(self._path):
            row = self._connection.execute("SELECT digest FROM finding ORDER BY seq DESC LIMIT 1").fetchone()
            return database.blob(row[0]) if row else chain_start(self.header)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_case(path: Path) -> CaseReader:
    """A case for reading, complete or not, also while it is being written.

    Raises:
        UsageError: no such file, no case, or one of another format.
        VerificationError: the file is damaged.
        MachineError: it can not be read.
    """
    return CaseReader(path, database.connect_for_reading(path))


def _header_from(stored: dict[str, Any]) -> CaseHeader:
    """The header; every value is held against its type, since no digest covers most of them."""
    check_types(stored, _OF_HEADER, frozenset(field.name for field in fields(CaseHeader)))
    check_each(stored["classes"], TEXT)
    check_each(stored["class_spectra"], (list,))
    for pair in stored["class_spectra"].values():
        for values in pair:
            check_each(values, NUMBER)
    spectra = {name: (tuple(mean), tuple(spread)) for name, (mean, spread) in stored["class_spectra"].items()}
    return CaseHeader(**(stored | {"classes": tuple(stored["classes"]), "class_spectra": spectra}))


def _place_from(root: object, path: object, mtime_ns: object) -> Place:
    if type(root) is not int or not (mtime_ns is None or type(mtime_ns) is int):
        raise TypeError("a place is of another type")
    return Place(root, database.blob(path), mtime_ns)


def _run_from(row: tuple[Any, ...]) -> Run:
    values = dict(zip(_OF_RUN, row, strict=True))
    argv, versions = parsed(values["argv"]), parsed(values["versions"])
    check_types(values | {"argv": argv, "versions": versions}, _OF_RUN, frozenset({"started", "host", "pid"}))
    check_each(argv, TEXT)
    check_each(versions, TEXT)
    return Run(**(values | {"argv": tuple(argv), "versions": versions}))
