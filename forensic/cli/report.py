"""`forensic report`: a case as one HTML page, CSV or JSON Lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forensic.cli import console

_LARGE = 50_000_000
"""Bytes of a page from which browsers on small machines become slow."""


def report(
    case: Annotated[Path, typer.Argument(help="Case file that `scan` wrote; only read.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to; .html, .csv or .jsonl says what.")],
) -> None:
    """Write a case as HTML, CSV or JSON Lines; needs no weights and no images.

    \b
    forensic report scan.case --out report.html     one page, opens without a network
    forensic report scan.case --out report.csv      for a spreadsheet; formula cells are guarded
    forensic report scan.case --out report.jsonl    exactly the lines of `scan`

    A file that is there is replaced when the new one is whole. The same case gives the same bytes. A case that is
    not complete is reported as far as it goes, and the page says so first.
    """
    from forensic import report as reports

    reports.check_output(case, out)
    reports.write(case, out)
    size = out.stat().st_size
    console.talk(f"{console.safe(str(out))}: {size / 1e6:.1f} MB")
    if size > _LARGE:
        console.warn(f"{console.safe(str(out))} is larger than 50 MB; some browsers will open it slowly")
