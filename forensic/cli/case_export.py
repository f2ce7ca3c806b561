"""`forensic case export`: the findings of a case for other programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic.cli import console
from forensic.cli.case_exhibit import write_exhibit
from forensic.errors import UsageError

if TYPE_CHECKING:
    from forensic.case.further_hashes import Algorithm


def export(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Case file that `scan` wrote; only read.")],
    form: Annotated[
        Literal["jsonl", "csv", "sha256sum", "bagit", "parquet", "case-uco"] | None,
        typer.Option("--format", help="See above; jsonl where not given."),
    ] = None,
    exhibit: Annotated[
        str | None, typer.Option(metavar="PATH", help="Only this finding, with a proof that it is in the case.")
    ] = None,
    also_hash: Annotated[
        str | None, typer.Option(metavar="md5,sha1", help="With csv: read the files again, for these columns too.")
    ] = None,
    evidence: Annotated[
        list[str] | None, typer.Option(metavar="DIR|OLD=NEW", help="With --also-hash: where the files lie now.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="In place of stdout; replaced when the new file is whole.")
    ] = None,
) -> None:
    """Write the findings of a case for other programs.

    \b
    forensic case export scan.case                              JSON Lines, exactly those of `scan`
    forensic case export scan.case --format csv                 for a spreadsheet; formula cells are guarded
    forensic case export scan.case --format csv --also-hash md5,sha1
    forensic case export scan.case --format sha256sum | sha256sum -c
    forensic case export scan.case --format bagit               a manifest as BagIt has it (RFC 8493)
    forensic case export scan.case --format parquet --out scan.parquet
    forensic case export scan.case --format case-uco --out scan.jsonld
    forensic case export scan.case --exhibit photos/a.jpg --out a.json

    `sha256sum -c` checks the files without this program; run it in the folder in which the scan was run. In the BagIt
    manifest `data/` is the deepest folder that holds all that was scanned. Both leave out what has no hash. Parquet
    needs pyarrow. --exhibit writes a JSON object that `forensic case verify-exhibit` checks; it discloses one finding,
    how many there are and which of them it is, and no other. Nothing is written into a folder that was scanned.
    """
    from forensic import report as reports
    from forensic.case.evidence import guard_output, roots_of
    from forensic.case.ledger import open_case
    from forensic.case.output import replacing
    from forensic.case.places import Places
    from forensic.report.export import export as write
    from forensic.report.export import export_with_hashes

    if out is not None:
        reports.check_output(case, out)
    elif form == "parquet" and console.is_terminal():
        raise UsageError("--format parquet", "is not for a terminal", "Name a file with --out")
    hashes = _algorithms(also_hash, form, evidence)
    if exhibit is not None:
        if form is not None:
            raise UsageError("--exhibit", "has a form of its own", "Leave --format out")
        write_exhibit(case, exhibit, out)
        return
    with open_case(case) as stored:
        if not stored.complete:
            console.warn(f"{case}: not complete; what it holds so far is written")
        places = Places(stored, evidence or [])
        if out is not None:
            now = [Path(os.fsdecode(root)) for root in places.roots_now]
            guard_output(out, roots_of(root for root in now if root.exists()))
        with console.binary() if out is None else replacing(out) as stream:
            if hashes:
                export_with_hashes(stored, places, hashes, stream)
                left_out = 0
            else:
                left_out = write(stored, form or "jsonl", stream)
    if left_out:
        console.talk(f"{left_out} of the findings have no hash and are not in the manifest")


def _algorithms(also_hash: str | None, form: str | None, evidence: list[str] | None) -> tuple[Algorithm, ...]:
    from forensic.case.further_hashes import ALGORITHMS

    if also_hash is None:
        if evidence:
            raise UsageError("--evidence", "is for --also-hash; nothing else reads the files", "Leave it out")
        return ()
    if form != "csv":
        raise UsageError("--also-hash", "is for --format csv", "Add --format csv")
    asked = also_hash.split(",")
    if set(asked) - set(ALGORITHMS):
        raise UsageError(f"--also-hash {also_hash}", f"can be {' and '.join(ALGORITHMS)}", "Write md5,sha1")
    return tuple(name for name in ALGORITHMS if name in asked)
