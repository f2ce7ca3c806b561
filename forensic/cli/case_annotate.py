"""`forensic case annotate` and `import`: what examiners mark after a scan."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forensic.case.strict import TEXT, WHOLE, check_each, check_types, parsed
from forensic.cli import console
from forensic.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from forensic.case.annotations import Mark
    from forensic.case.reader import CaseReader

CaseFile = Annotated[Path, typer.Argument(metavar="CASE", help="A complete case; its findings stay as they are.")]
_HALF = re.compile("[\ud800-\udfff]")
TRIAGE = ("forensic-triage", 1)
"""Format and version of the file that a report saves."""
_OF_TRIAGE: dict[str, tuple[type, ...]] = {"format": TEXT, "version": WHOLE, "case": (dict,), "entries": (list,)}
_OF_ENTRY: dict[str, tuple[type, ...]] = {"seq": WHOLE, "flagged": (bool,), "grade": WHOLE, "tags": (list,)}


def annotate(
    case: CaseFile,
    path: Annotated[str, typer.Argument(metavar="PATH", help="Of a finding, as the case tells it.")],
    by: Annotated[str, typer.Option(help="Who marks it.")],
    flag: Annotated[bool | None, typer.Option("--flag/--no-flag", help="Worth a second look.")] = None,
    grade: Annotated[int | None, typer.Option(min=0, max=5, help="1 to 5; 0 takes it away.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Add a tag; may be given several times.")] = None,
    untag: Annotated[list[str] | None, typer.Option(help="Take a tag away.")] = None,
    note: Annotated[str | None, typer.Option(help="In the place of the note that is there.")] = None,
) -> None:
    """Mark a finding: a flag, a grade, tags, a note. What was marked before stays in the case as history.

    \b
    forensic case annotate scan.case photos/a.png --by "A. Example" --tag checked --note "see exhibit 7"
    forensic case show scan.case --annotations
    """
    from forensic.case.annotations import Mark, marks
    from forensic.case.ledger import open_case, put_in_order

    put_in_order(case)
    with open_case(case) as stored:
        seq = stored.number_of(path)
        if seq is None:
            raise UsageError(path, "the case has no such path", f"`forensic case export {case}` lists them")
        mark = marks(stored).get(seq, Mark())
    if flag is not None:
        mark = replace(mark, flagged=flag)
    if grade is not None:
        mark = replace(mark, grade=grade or None)
    if note is not None:
        mark = replace(mark, note=note)
    mark = replace(mark, tags=tuple({*mark.tags, *(tag or ())} - set(untag or ())))
    for option, text in (("--note", mark.note), *(("--tag", one) for one in mark.tags)):
        _check_text(option, text)
    _add(case, [(seq, mark)], by, "command")


def import_triage(
    case: CaseFile,
    triage: Annotated[Path, typer.Argument(metavar="FILE", help="What the report page saved: triage-NAME.json.")],
    by: Annotated[str | None, typer.Option(help="Who marked it, in place of the name in the file.")] = None,
) -> None:
    """Take the marks that a report page saved into its case, all or none.

    \b
    forensic case import scan.case triage-scan.json

    The file must belong to this case (its closing digest), and every entry to its finding (number, path, SHA-256).
    """
    from forensic.case.ledger import open_case, put_in_order

    try:
        data = triage.read_bytes()
    except OSError as error:
        raise UsageError(str(triage), f"can not be read: {error.strerror}", "Name the saved file") from error
    said = _read(triage, data)
    signed = by or str(said.get("by") or "")
    if not signed:
        raise UsageError(str(triage), "does not say who marked", "Say it with --by")
    put_in_order(case)
    with open_case(case) as stored:
        if said["case"]["digest"] != stored.closing_digest:
            raise VerificationError(
                str(triage), "belongs to another case: its digest differs", "Import it where it belongs"
            )
        entries = [_entry(triage, stored, entry) for entry in said["entries"]]
    source = f"{os.fspath(triage.name)} sha256:{hashlib.sha256(data).hexdigest()}"
    _add(case, entries, signed, source)


def _read(triage: Path, data: bytes) -> dict[str, Any]:
    try:
        said = parsed(data.decode("utf-8"))
        check_types({name: said[name] for name in _OF_TRIAGE}, _OF_TRIAGE, frozenset(_OF_TRIAGE))
        check_types({"by": said.get("by"), "digest": said["case"]["digest"]}, {}, frozenset({"digest"}))
        kind = (said["format"], said["version"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(str(triage), "is no triage file", "Name what the report page saved") from error
    if kind != TRIAGE:
        raise UsageError(
            str(triage), f"is of format {kind[0]} {kind[1]}", f"This version reads {TRIAGE[0]} {TRIAGE[1]}"
        )
    return dict(said)


def _entry(triage: Path, stored: CaseReader, entry: dict[str, Any]) -> tuple[int, Mark]:
    from forensic.case.annotations import Mark

    try:
        known: dict[str, Any] = {name: entry.get(name) for name in ("path", "sha256", "note", *_OF_ENTRY)}
        check_types(known, _OF_ENTRY, frozenset({"seq", "path"}))
        check_each(known["tags"] or [], TEXT)
        json.dumps(known, ensure_ascii=False).encode("utf-8")  # half a character is no text, and could not be shown
        seq, path, sha256 = known["seq"], known["path"], known["sha256"]
        mark = Mark(bool(known["flagged"]), known["grade"], tuple(known["tags"] or ()), known["note"] or "")
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(str(triage), f"has an entry that can not be read ({error})", "Save it anew") from error
    finding = stored.finding(seq) if 0 <= seq < len(stored) else None
    if finding is None or (finding.path, finding.sha256) != (path, sha256):
        subject = f"{triage}: entry of {console.safe(str(path))}"
        raise VerificationError(subject, f"is not what finding {seq} of the case is", "Nothing was imported")
    return seq, mark


def _check_text(option: str, text: str) -> None:
    if _HALF.search(text):
        raise UsageError(option, "is no text: it holds half a character, or a byte that is no UTF-8", "Write it anew")


def _add(case: Path, entries: list[tuple[int, Mark]], by: str, source: str) -> None:
    from forensic.case import annotations
    from forensic.case.ledger import open_case
    from forensic.cli.findings import tell_of_log
    from forensic.cli.scan import clock

    _check_text("--by", by)
    if not by.strip():
        raise UsageError("--by", "does not say who marks", "Say the name")
    count = annotations.annotate(case, entries, by=by, at=clock()(), source=source)
    with open_case(case) as stored:
        digest = annotations.annotations_digest(stored)
    tell_of_log(case)
    console.talk(f"{case}: {count} annotation{'' if count == 1 else 's'}")
    console.talk(f"digest of the annotations {digest}")
