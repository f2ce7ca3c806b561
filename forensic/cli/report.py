"""`forensic report`: a case as one HTML page, CSV or JSON Lines."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from forensic.cli import console

_LARGE = 50_000_000
"""Bytes of a page from which browsers on small machines become slow."""


class Thumbnails(StrEnum):
    """What a page shows of each image."""

    full = "full"
    blur = "blur"
    none = "none"


def report(
    case: Annotated[Path, typer.Argument(help="Case file that `scan` wrote; only read.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to; .html, .csv or .jsonl says what.")],
    thumbnails: Annotated[
        Thumbnails, typer.Option(help="Small pictures in a page: as kept, blurred past recognition, or none.")
    ] = Thumbnails.full,
) -> None:
    """Write a case as HTML, CSV or JSON Lines; needs no weights and no images.

    \b
    forensic report scan.case --out report.html     one page, opens without a network
    forensic report scan.case --out report.html --thumbnails blur
    forensic report scan.case --out report.csv      for a spreadsheet; formula cells are guarded
    forensic report scan.case --out report.jsonl    exactly the lines of `scan`

    A page carries 30 MB of thumbnails; those of more images go into the folder report.assets beside it.
    Notes made in a page are saved to a file from there (docs/triage.md).
    A file that is there is replaced when the new one is whole. The same case gives the same bytes. A case that is
    not complete is reported as far as it goes, and the page says so first.
    """
    from forensic import report as reports
    from forensic.report import pictures

    reports.check_output(case, out)
    show = {"full": None, "blur": pictures.blurred, "none": lambda _: None}[thumbnails.value]
    reports.write(case, out, show)
    console.talk(f"{console.safe(str(out))}: {out.stat().st_size / 1e6:.1f} MB")
    beside = out.with_suffix(pictures.FOLDER)
    if out.suffix.lower() == ".html" and beside.is_dir():
        console.talk(f"{console.safe(str(beside))}: more thumbnails; keep it beside the page")
    warn_of_size(out)


def warn_of_size(out: Path) -> None:
    """Say so where a page is larger than some browsers like; other reports are opened by no browser."""
    if out.suffix.lower() == ".html" and out.stat().st_size > _LARGE:
        console.warn(f"{console.safe(str(out))} is larger than 50 MB; some browsers will open it slowly")
