"""`forensic explain`: what the codes in findings mean."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic.cli import console
from forensic.errors import UsageError

if TYPE_CHECKING:
    from forensic.codes.table import Code


def explain(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CODE]...", help="Flags, verdicts, reasons as findings have them, exit codes."),
    ] = None,
    output: Annotated[Literal["table", "json"], typer.Option("--format", help="On stdout.")] = "table",
) -> None:
    """Explain the flags, reasons, verdicts and exit codes that a scan gives.

    \b
    forensic explain                                     all codes
    forensic explain trailing-data truncated 3
    forensic explain "truncated: chunk ends at byte 512 of 300"
    """
    from forensic.codes.table import codes, find

    found = []
    for name in names or []:
        code = find(name)
        if code is None:
            raise UsageError(name, "is no code", "`forensic explain` lists them")
        found.append(code)
    if output == "json":
        console.stdout_text(json.dumps([_entry(code) for code in found or codes()], indent=1, ensure_ascii=False))
    elif found:
        for code in found:
            _tell(code)
    else:
        console.stdout_table(["code", "", "means"], [(code.name, code.kind, code.means) for code in codes()])


def _entry(code: Code) -> dict[str, str | None]:
    entry = asdict(code)
    del entry["pattern"]
    return entry


def _tell(code: Code) -> None:
    console.stdout_text(f"{code.name} ({code.kind})")
    entry = _entry(code)
    for key in ("means", "follows", "remedy"):
        if entry[key]:
            console.stdout_text(f"  {key:<8} {entry[key]}")
