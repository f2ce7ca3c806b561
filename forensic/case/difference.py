"""Two cases of the same files: which findings changed, and what the cases differ in that may have changed them.

Files are matched by their path below the deepest folder that holds all that was scanned, so that a copy of the evidence
elsewhere is the same evidence.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from forensic.case import database
from forensic.case.places import Places
from forensic.case.rows import display_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forensic.case.reader import CaseReader
    from forensic.case.rows import Finding

Kind = Literal["only in the first", "only in the second", "content", "verdict", "salvaged", "score"]
"""`verdict`: also another status or class; `salvaged`: only the verdict or class of what both salvaged of a truncated
picture; `score`: the verdict and class are the same."""

_NO_CAUSE = ("shard", "thumbnails", "scores", "exclude", "claims", "salvage")
"""Parts of a configuration that change no verdict."""
_OF_ROWS = ("weights", "preprocessing", "threshold", "decoder", "engine")


@dataclass(frozen=True)
class Change:
    """A file of which the two cases say something else."""

    path: str
    """Below the folder of its case, as shown."""
    kind: Kind
    before: Finding | None
    after: Finding | None
    why: tuple[str, ...] = ()
    """Names of what differs and may be the cause; empty where the cases name nothing."""


def header_changes(first: CaseReader, second: CaseReader) -> dict[str, tuple[Any, Any]]:
    """What the two cases were made with and that can change a verdict: name -> (first, second)."""
    one, other = _settings(first), _settings(second)
    names = [*one, *(name for name in other if name not in one)]
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}


def case_changes(first: CaseReader, second: CaseReader) -> Iterator[Change]:
    """Every file of which they say something else, in byte order of the paths.

    Raises:
        VerificationError: a case is damaged.
        MachineError: a case can not be read.
    """
    common = tuple(name for name in header_changes(first, second) if name not in _OF_ROWS)
    for path, one, other in _pairs(first, second):
        before = None if one is None else first.finding(one)
        after = None if other is None else second.finding(other)
        kind = _kind(before, after)
        if kind is not None:
            why = () if before is None or after is None else _causes(before, after, common)
            yield Change(display_path(path)[0], kind, before, after, why)


def _settings(case: CaseReader) -> dict[str, Any]:
    header = case.header
    settings: dict[str, Any] = {
        "weights": header.weights,
        "preprocessing": header.preprocessing,
        "tool version": header.tool_version,
    }
    for name, value in sorted(header.configuration.items()):
        if name in _NO_CAUSE:
            continue
        if isinstance(value, dict):
            settings |= {f"{name}: {inner}": told for inner, told in sorted(value.items())}
        else:
            settings[name] = value
    return settings


def _pairs(first: CaseReader, second: CaseReader) -> Iterator[tuple[bytes, int | None, int | None]]:
    """Path below the cases' folders, and the row of each case that has it, in byte order of the paths.

    The table of paths lies in a temporary file: rows of a case with several roots are not in this order, and a million
    paths need not fit in memory.
    """
    with closing(database.connect_for_writing(None)) as table, database.told(None):
        table.execute("PRAGMA journal_mode = OFF")
        table.execute("CREATE TABLE pair (path BLOB PRIMARY KEY, one INTEGER, other INTEGER) WITHOUT ROWID")
        for side, case in (("one", first), ("other", second)):
            places = Places(case)
            paths = ((places.below(place), seq) for seq, place in case.places())
            table.execute("BEGIN")
            table.executemany(
                f"INSERT INTO pair (path, {side}) VALUES (?, ?) "  # noqa: S608 - one of two names
                f"ON CONFLICT (path) DO UPDATE SET {side} = excluded.{side}",
                paths,
            )
            table.execute("COMMIT")
        yield from table.execute("SELECT path, one, other FROM pair ORDER BY path")


def _kind(before: Finding | None, after: Finding | None) -> Kind | None:
    if before is None:
        return "only in the second"
    if after is None:
        return "only in the first"
    if before.sha256 != after.sha256:
        return "content"
    said = [(finding.status, finding.verdict, finding.label) for finding in (before, after)]
    if said[0] != said[1]:
        return "verdict"
    if before.salvaged is not None and after.salvaged is not None:
        parts = [(part.rows, part.verdict, part.label) for part in (before.salvaged, after.salvaged)]
        if parts[0] != parts[1]:
            return "salvaged"
    return None if before.score == after.score else "score"


def _causes(before: Finding, after: Finding, common: tuple[str, ...]) -> tuple[str, ...]:
    content = ("content",) if before.sha256 != after.sha256 else ()
    of_row = tuple(name for name in _OF_ROWS if getattr(before, name) != getattr(after, name))
    return content + of_row + common
