"""`forensic case`: what a case holds; its other verbs have a file each."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forensic.cli import console
from forensic.cli.case_annotate import annotate, import_triage
from forensic.cli.case_diff import diff
from forensic.cli.case_exhibit import verify_exhibit
from forensic.cli.case_export import export
from forensic.cli.case_merge import merge
from forensic.cli.case_verify import verify

if TYPE_CHECKING:
    from forensic.case.ledger import CaseReader

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

CaseFile = Annotated[Path, typer.Argument(metavar="CASE", help="Case file that `scan` wrote; only read.")]


@app.callback()
def cases() -> None:
    """Show, verify, annotate, export, compare and merge cases."""


@app.command("show")
def show(
    case: CaseFile,
    runs: Annotated[
        bool, typer.Option("--runs", help="Also the processes that worked on it, and the settings.")
    ] = False,
    unreadable: Annotated[
        bool, typer.Option("--unreadable", help="Also what could not be read, with the reasons.")
    ] = False,
    annotations: Annotated[bool, typer.Option("--annotations", help="Also what was marked, with its history.")] = False,
) -> None:
    """Show what a case holds.

    \b
    forensic case show scan.case
    forensic case show scan.case --unreadable
    forensic case show scan.case --runs
    """
    from forensic.case.ledger import open_case

    with open_case(case) as stored:
        if not stored.complete:
            console.warn(f"{case}: not complete; the scan can go on with the command that began it")
        console.stdout_table(["", ""], _facts(stored))
        classes = [(name, str(count)) for name, count in stored.counts_by_class.items()]
        console.stdout_table(["class", ">known"], classes)
        if runs:
            console.stdout_table(["run", "started", "ended", "outcome", "process", "command"], _runs(stored))
            console.stdout_table(["run", "with", ""], _versions(stored))
            console.stdout_table(["setting", ""], _settings(stored))
        if unreadable:
            _show_unreadable(stored)
        if annotations:
            _show_annotations(stored)


app.command("verify")(verify)
app.command("verify-exhibit")(verify_exhibit)
app.command("export")(export)
app.command("diff")(diff)
app.command("merge")(merge)
app.command("annotate")(annotate)
app.command("import")(import_triage)


def _facts(stored: CaseReader) -> list[tuple[str, str]]:
    from forensic.case.exhibit import told_root

    header, counts = stored.header, stored.counts
    started, ended = stored.run_times
    other = stored.other_files
    facts = [
        ("question", header.question),
        ("examiner", header.examiner),
        ("case number", header.case_number),
        ("exhibit", header.exhibit),
        ("note", header.note),
        *(("examined", os.fsdecode(root.absolute)) for root in stored.roots[:10]),
        ("", f"and {len(stored.roots) - 10} more" if len(stored.roots) > 10 else ""),
        ("part", f"{header.configuration['shard']} of that" if "shard" in header.configuration else ""),
        ("known", str(counts.known)),
        ("unknown", str(counts.unknown)),
        ("unreadable", str(counts.unreadable)),
        ("skipped", str(counts.skipped)),
        ("other files", "" if other is None else f"{other} that are no images"),
        ("weights", f"{header.weights_name} ({header.weights})"),
        ("preprocessing", header.preprocessing),
        ("first, last time", f"{started}, {ended or 'no end noted'}"),
        ("tool", f"forensic {header.tool_version}"),
        ("closing digest" if stored.complete else "last digest", stored.closing_digest),
        ("root", told_root(stored) if stored.complete else ""),
    ]
    return [(name, value) for name, value in facts if value]


def _runs(stored: CaseReader) -> list[tuple[str, ...]]:
    return [
        (
            str(run.run_id),
            run.started,
            run.ended or "",
            run.outcome or "no end noted",
            f"{run.pid} on {run.host}",
            shlex.join(run.argv),
        )
        for run in stored.runs
    ]


def _versions(stored: CaseReader) -> list[tuple[str, str, str]]:
    """Tool, libraries and processor of each run."""
    return [(str(run.run_id), name, value) for run in stored.runs for name, value in run.versions.items()]


def _settings(stored: CaseReader) -> list[tuple[str, str]]:
    """The merged configuration, which the chain of findings begins with, and the whole hash of the weights."""
    header = stored.header
    settings = {"weights": header.card.get("hash", header.weights), **header.configuration}
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=True))
        for name, value in settings.items()
    ]


def _show_unreadable(stored: CaseReader) -> None:
    rows = [(finding.path, finding.reason or "") for finding, _ in stored.lines() if finding.status == "unreadable"]
    if rows:
        console.stdout_table(["unreadable", "reason"], rows)
    else:
        console.talk("everything could be read")


def _show_annotations(stored: CaseReader) -> None:
    from forensic.case.annotations import read_annotations

    rows = [
        (
            str(one.number),
            one.at,
            one.by,
            stored.finding(one.seq).path if 0 <= one.seq < len(stored) else f"finding {one.seq}",
            ", ".join(
                [
                    *(["flagged"] if one.mark.flagged else []),
                    *([f"grade {one.mark.grade}"] if one.mark.grade is not None else []),
                    *one.mark.tags,
                    *([f'"{one.mark.note}"'] if one.mark.note else []),
                ]
            )
            or "nothing any more",
        )
        for one in read_annotations(stored)
    ]
    if rows:
        console.stdout_table(["annotation", "at", "by", "finding", "marked"], rows)
    else:
        console.talk("nothing is marked")
