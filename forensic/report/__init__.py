"""A case, told: one HTML page, CSV or JSON Lines. Needs neither images, weights nor torch."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from forensic.case.evidence import guard_output, roots_of
from forensic.case.ledger import open_case
from forensic.case.output import replacing
from forensic.errors import MachineError, UsageError
from forensic.report import html, rows
from forensic.report.pictures import Sheets

if TYPE_CHECKING:
    from collections.abc import Callable

SUFFIXES = (".html", ".csv", ".jsonl")


def write(case: Path, out: Path, show: Callable[[bytes], bytes | None] | None = None) -> None:
    """Write the report of a case; what `out` ends in says which: `.html`, `.csv` or `.jsonl`.

    A file that is there is replaced, whole, at the end. The same case gives the same bytes. A case that is not
    complete is reported as far as it goes; the page then says so first. Thumbnails that a page has no room for go into
    sheets in the folder beside it, `NAME.assets`.

    Args:
        case: the case file; only read.
        out: the report.
        show: what a page shows in place of a stored thumbnail, None for nothing; without it they are shown as they are.

    Raises:
        UsageError: another suffix, no such case, no such folder, `out` is the case itself, or `NAME.assets` no folder.
        VerificationError: the case is damaged.
        MissingError: the calibration that the case keeps is not the one it was begun with.
        MachineError: the disk is full or refuses.
    """
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(str(out), f"no report ends in {suffix or 'nothing'}", f"Choose one of {', '.join(SUFFIXES)}")
    _check_place(case, out)
    sheets = Sheets(out)
    try:
        _write(case, out, suffix, sheets, show)
    except BaseException:
        if suffix == ".html" and not out.exists():
            with suppress(MachineError):  # what stopped the report is what is told
                sheets.discard()
        raise
    if suffix == ".html":
        sheets.remove_older()


def _write(case: Path, out: Path, suffix: str, sheets: Sheets, show: Callable[[bytes], bytes | None] | None) -> None:
    with open_case(case) as reader, replacing(out) as file:
        stream = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        if suffix == ".html":
            html.write_page(reader, case.name, stream, sheets, show)
        elif suffix == ".csv":
            found = (finding for _, finding, _ in reader.rows())
            rows.write_csv(found, stream, salvage=rows.holds_salvaged(reader))
        else:
            rows.write_jsonl((finding for _, finding, _ in reader.rows()), stream)
        stream.detach()  # the bytes below belong to `replacing`


def check_output(case: Path, out: Path) -> None:
    """Refuse an output that can not or must not be written, before work begins.

    Raises:
        UsageError: no such case or folder, or `out` is a folder, the case itself, or lies in what was scanned.
        VerificationError: the case is damaged.
        MachineError: it can not be read.
    """
    _check_place(case, out)
    with open_case(case) as reader:
        evidence = [Path(os.fsdecode(root.absolute)) for root in reader.roots]
    guard_output(out, roots_of(place for place in evidence if place.exists()))


def _check_place(case: Path, out: Path) -> None:
    if out.is_dir() or not out.resolve().parent.is_dir():
        wrong = "is a folder" if out.is_dir() else "its folder does not exist"
        raise UsageError(str(out), wrong, "Name a file in a folder that is there")
    if out.exists() and case.exists() and out.samefile(case):
        raise UsageError(str(out), "is the case itself", "Choose another file")
