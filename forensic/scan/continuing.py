"""Whether a stored case fits what is asked now, and the stored findings in step with the walk."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import TYPE_CHECKING

from forensic.case.ledger import DETAILS, header_differences
from forensic.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from forensic.case.ledger import CaseReader, Place, Root
    from forensic.case.rows import CaseHeader, Finding
    from forensic.scan.plan import Details
    from forensic.scan.walk import Candidate

_ANOTHER = "Choose another --case, or repeat the command that began it"


def check_fits(stored: CaseReader, wanted: CaseHeader, details: Details, roots: Sequence[Root], case: Path) -> None:
    """Compare a stored case with what is asked: weights, preprocessing, configuration, arguments, details given.

    Raises:
        UsageError: they differ; the message says in what.
    """
    differences = header_differences(stored.header, wanted)
    for field in fields(details):
        before, after = getattr(stored.header, field.name), getattr(details, field.name)
        if field.name in DETAILS and after is not None and after != before:
            differences.append(f"{field.name} was {before!r}, is {after!r}")
    before_roots, after_roots = ({root.absolute for root in some} for some in (stored.roots, roots))
    if before_roots != after_roots:
        changes = [f"without {os.fsdecode(path)}" for path in sorted(before_roots - after_roots)]
        changes += [f"with {os.fsdecode(path)}" for path in sorted(after_roots - before_roots)]
        differences.append(f"other files or folders are given now ({', '.join(changes[:3])})")
    if differences:
        raise UsageError(os.fspath(case), f"was begun otherwise: {'; '.join(differences)}", _ANOTHER)


def stored_findings(stored: CaseReader, candidates: Iterator[Candidate], case: Path) -> Iterator[Finding]:
    """The findings a case has already, each checked against the file it speaks of; `candidates` moves on with them.

    Raises:
        VerificationError: a file was changed, removed or added since.
    """
    for finding, place in stored.lines():
        candidate = next(candidates, None)
        if candidate is None or (candidate.root, candidate.relative) != (place.root, place.path):
            raise VerificationError(
                finding.path, "files were added or removed before it since it was scanned", _again(case)
            )
        if _changed(finding, place, candidate):
            raise VerificationError(finding.path, "has changed since it was scanned", _again(case))
        yield finding


def _changed(finding: Finding, place: Place, candidate: Candidate) -> bool:
    if place.mtime_ns != candidate.mtime_ns:
        return True
    return finding.bytes is not None and candidate.size is not None and finding.bytes != candidate.size


def _again(case: Path) -> str:
    return f"{os.fspath(case)} stays as it is; begin anew with another --case"
