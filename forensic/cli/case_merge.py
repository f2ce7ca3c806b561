"""`forensic case merge`: the cases of several machines as one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from forensic.cli import console
from forensic.errors import UsageError


def merge(
    cases: Annotated[list[Path], typer.Argument(metavar="A B...", help="Cases of disjoint files; only read.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The new case; must not exist yet.")],
) -> None:
    """Put cases of disjoint parts together as one.

    \b
    forensic scan photos/ --shard 1/2 --case one.case      on one machine
    forensic scan photos/ --shard 2/2 --case two.case      on another
    forensic case merge one.case two.case --out photos.case

    Findings and closing digest are those that one undivided scan of the same folders gives: rows in path order, and
    `duplicate-of` with it. Weights, preprocessing and configuration must agree, all parts of --shard be there, and no
    file be in two of them. Each part is checked against its own chain first. Nothing is overwritten: where FILE is
    that very merge already, it stays.
    """
    from forensic import report as reports
    from forensic.case.ledger import RunStart
    from forensic.case.merge import merge_cases
    from forensic.cli.scan import clock
    from forensic.scan.plan import versions

    for case in cases:
        if not case.exists():
            raise UsageError(str(case), "no such case", "`forensic scan PATH --case FILE` makes one")
        reports.check_output(case, out)
    merged = merge_cases(cases, out, run=RunStart(started=clock()(), argv=tuple(sys.argv), versions=versions()))
    console.talk(f"{merged.findings} findings of {len(cases)} cases")
    console.talk(f"closing digest {merged.closing_digest}")
    console.talk(f"{out} is this merge already; it stays as it is" if merged.was_there else f"written: {out}")
