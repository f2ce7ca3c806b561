"""Cases of disjoint parts, put together: the case that one undivided scan of the same roots would have given.

Rows come in byte order of the paths, `duplicate-of` names the first in that order, thumbnails are kept as far as one
case's budget goes, and the chain is computed anew: findings and closing digest are those of the undivided scan.
"""

from __future__ import annotations

import heapq
import os
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from forensic.case import database
from forensic.case.flags import with_duplicate_of
from forensic.case.ledger import DETAILS, create_case, header_differences, open_case
from forensic.case.lock import lock_case
from forensic.case.rows import CaseHeader, exact_path
from forensic.case.thumbnails import ThumbnailBudget
from forensic.case.verify import verify_case
from forensic.errors import ForensicError, MachineError, UsageError, VerificationError
from forensic.hidden_files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from forensic.case.ledger import CaseReader, CaseWriter, Place, Root, RunStart
    from forensic.case.rows import Artefacts, Finding, Run

    Entry = tuple[bytes, Finding, Artefacts, Place]

SHARD = "shard"
"""In the configuration of a part that `scan --shard` made; the merged case has none."""
_BATCH = 256


@dataclass(frozen=True)
class Merged:
    """What was put together."""

    findings: int
    closing_digest: str
    was_there: bool = False
    """An earlier run had written it: as one that was killed after that, before it could say so."""


def merge_cases(parts: Sequence[Path], out: Path, *, run: RunStart) -> Merged:
    """Put complete cases of disjoint files together; `out` appears when it is whole.

    Args:
        parts: two or more cases of the same weights, preprocessing and configuration. Those that `scan --shard` made
            must all be there.
        out: must not exist, or be this very merge; then it stays as it is.
        run: of this process; the runs of the parts stand before it in the history.

    Raises:
        UsageError: parts that do not fit together, or that have a file in common; `out` exists and is something else.
        VerificationError: a part does not agree with its own chain.
        MachineError: the disk is full or fails; nothing is left at `out`.
    """
    if len(parts) < 2:
        raise UsageError("merge", "needs two cases or more")
    with lock_case(out), ExitStack() as stack:
        cases = [stack.enter_context(open_case(part)) for part in parts]
        history = sorted((entry for case in cases for entry in case.runs), key=lambda entry: entry.started)
        was_there = os.path.lexists(out)
        if was_there and not _comes_after(out, history):
            raise _exists(out)
        temporary = out.with_name(f".{out.name[:80]}.part")
        with database.told(out):
            database.remove_database(temporary)  # of a process that was killed: the lock says that none lives
        for part in parts:
            if not verify_case(part).agrees:
                raise VerificationError(os.fspath(part), "does not agree with itself", "See `forensic case verify`")
        header = _header(parts, cases)
        _check_shards(parts, cases)
        roots = _roots(parts, cases)
        try:
            with create_case(temporary, header, roots=roots, run=run, history=history) as merged:
                _fill(merged, cases, roots, out)
                others = sum(case.other_files or 0 for case in cases)
                digest = merged.finish(other_files=others, ended=run.started)
                total = len(merged)
            if was_there and not _are_one(temporary, out):
                raise _exists(out)
            with database.told(out):
                if not was_there:
                    temporary.replace(out)
                sync_folder(out.resolve().parent)
        except MachineError as error:
            named = os.fspath(out) if error.subject == os.fspath(temporary) else error.subject
            raise MachineError(named, error.reason, error.remedy) from error
        finally:
            database.remove_database(temporary)
    return Merged(total, digest, was_there)


def _exists(out: Path) -> UsageError:
    return UsageError(os.fspath(out), "exists already", "Choose another --out; nothing is overwritten")


def _comes_after(out: Path, history: Sequence[Run]) -> bool:
    """Whether it is a complete case whose runs are these and one more; told before any part is looked through."""
    try:
        with open_case(out) as case:
            return case.complete and _unnumbered(case.runs[:-1]) == _unnumbered(history)
    except ForensicError:
        return False


def _unnumbered(runs: Sequence[Run]) -> list[Run]:
    """In an order of their own: those that began in one second stand as the parts were named."""
    return sorted((replace(entry, run_id=0) for entry in runs), key=repr)


def _are_one(made: Path, there: Path) -> bool:
    """Whether what is there holds what was made, but for when and by which process."""
    with open_case(made) as one, open_case(there) as other:
        is_told = [(case.closing_digest, case.header, case.roots, case.other_files, len(case)) for case in (one, other)]
    return is_told[0] == is_told[1] and verify_case(there).agrees


def _header(parts: Sequence[Path], cases: Sequence[CaseReader]) -> CaseHeader:
    headers = [_undivided(case.header) for case in cases]
    first = headers[0]
    for part, header in zip(parts[1:], headers[1:], strict=True):
        differences = header_differences(first, header)
        same = (first.card, first.classes, first.class_spectra) == (header.card, header.classes, header.class_spectra)
        differences += [] if same else ["another card of the weights"]
        if first.tool_version != header.tool_version:
            differences.append(f"tool version was {first.tool_version}, is {header.tool_version}")
        if differences:
            what = f"was made otherwise than {parts[0]}: {'; '.join(differences)}"
            raise UsageError(os.fspath(part), what, "Scan the parts with the same weights, options and versions")
    said: dict[str, Any] = {}
    for name in DETAILS:  # words of several examiners are all kept
        words = dict.fromkeys(getattr(header, name) for header in headers)
        said[name] = "; ".join(word for word in words if word)
    return replace(first, **said)


def _undivided(header: CaseHeader) -> CaseHeader:
    configuration = {name: value for name, value in header.configuration.items() if name != SHARD}
    return CaseHeader(**{f.name: getattr(header, f.name) for f in fields(header)} | {"configuration": configuration})


def _check_shards(parts: Sequence[Path], cases: Sequence[CaseReader]) -> None:
    """All complete; and of `--shard I/N` each I once, or none at all."""
    given = [case.header.configuration.get(SHARD) for case in cases]
    for part, case in zip(parts, cases, strict=True):
        if not case.complete:
            raise UsageError(os.fspath(part), "is not complete", "Go on with the command that began it")
    if not any(given):
        return
    total = int(str(next(shard for shard in given if shard)).partition("/")[2])
    wanted = [f"{number}/{total}" for number in range(1, total + 1)]
    odd = [part for part, shard in zip(parts, given, strict=True) if shard not in wanted or given.count(shard) > 1]
    if odd:
        raise UsageError(os.fspath(odd[0]), f"is no part of {total}, or is there twice", "Name each part once")
    missing = [shard for shard in wanted if shard not in given]
    if missing:
        raise UsageError("merge", f"parts are missing: {', '.join(missing)}", "Name the cases of all parts")


def _roots(parts: Sequence[Path], cases: Sequence[CaseReader]) -> list[Root]:
    """The roots of all parts, each once, folders first as a scan has them."""
    folders: dict[Root, Path] = {}
    files: dict[Root, Path] = {}
    for part, case in zip(parts, cases, strict=True):
        for number, root in enumerate(case.roots):
            (files if number in case.roots_that_are_files else folders).setdefault(root, part)
    found = folders | files
    by_absolute: dict[bytes, Root] = {}
    for root, part in found.items():
        other = by_absolute.setdefault(root.absolute, root)
        above = next((one for one in folders if root.absolute.startswith(one.absolute.rstrip(b"/") + b"/")), None)
        if other is not root or above is not None:
            shown = os.fsdecode(root.given)
            reason = f"{shown} is, or lies in, {os.fsdecode((above or other).given)} of another part"
            raise UsageError(os.fspath(part), reason, "Only disjoint parts can be put together")
    return list(found)


def _fill(merged: CaseWriter, cases: Sequence[CaseReader], roots: Sequence[Root], out: Path) -> None:
    numbers = {root: number for number, root in enumerate(roots)}
    keeps = merged.header.configuration.get("thumbnails") != "none"
    thumbnails = ThumbnailBudget()
    rows = heapq.merge(*(_entries(case, numbers) for case in cases), key=lambda entry: entry[0])
    last: bytes | None = None
    while batch := list(islice(rows, _BATCH)):
        firsts: dict[str, str] = {}
        stored: list[tuple[Finding, Artefacts]] = []
        for path, finding, artefacts, _ in batch:
            if path == last:
                raise UsageError(os.fspath(out), f"two parts have {finding.path}", "Only disjoint parts can be merged")
            last = path
            first = None
            if finding.sha256 is not None:
                if finding.bytes:
                    first = merged.first_with(finding.sha256) or firsts.get(finding.sha256)
                firsts.setdefault(finding.sha256, finding.path)
            if keeps and finding.status == "ok" and artefacts.thumbnail is None:
                thumbnails.spend()
            kept = replace(artefacts, thumbnail=thumbnails.kept(artefacts.thumbnail))
            stored.append((replace(finding, flags=with_duplicate_of(finding.flags, first)), kept))
        merged.append(stored, [place for *_, place in batch])


def _entries(case: CaseReader, numbers: dict[Root, int]) -> Iterator[Entry]:
    roots = [numbers[root] for root in case.roots]
    for finding, artefacts, place in case.entries():
        yield exact_path(finding), finding, artefacts, replace(place, root=roots[place.root])
