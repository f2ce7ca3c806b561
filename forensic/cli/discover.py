"""`forensic discover`: what a case rejected, in clusters of like traces."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic.cli import console
from forensic.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from forensic.case.reader import CaseReader
    from forensic.discovery.run import Discovery
    from forensic.models.card import Card

_SUFFIXES = (".html", ".json")
_NAMED = 20
"""So many files that are left out are named; JSON has them all."""


def discover(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Case file that `scan` wrote; only read.")],
    k: Annotated[int | None, typer.Option("--k", min=1, help="So many clusters, by k-means; else by density.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of k-means, and of the sample above 50,000 images.")] = 0,
    evidence: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR|OLD=NEW", help="Where the files lie now; OLD=NEW may be given several times."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Those the case was made with, where not given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A page with contact sheets (.html), or everything (.json).")
    ] = None,
    listed: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Print the files of this cluster, and nothing else.")
    ] = None,
    null: Annotated[bool, typer.Option("--null", "-0", help="With --list: end each path with a zero byte.")] = False,
    copy: Annotated[
        tuple[str, Path] | None,
        typer.Option(metavar="NAME DIR", help="Copy the files of this cluster into a new folder."),
    ] = None,
    format: Annotated[  # noqa: A002 - the option is called --format everywhere
        Literal["table", "json"] | None, typer.Option(help="table on a terminal, else json.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that decode; one a processor by default.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; warnings and errors only.")] = False,
) -> None:
    """Sort what a case rejected into clusters of like traces; hints for the eye.

    \b
    forensic discover scan.case --out clusters.html            contact sheets and spectra
    forensic discover scan.case --format json > clusters.json
    forensic discover scan.case --k 5 --seed 1                 five clusters, by k-means
    forensic discover scan.case --list unknown-1 -0 | xargs -0 ls -l
    forensic discover scan.case --copy unknown-1 seen-once/    then: forensic weights enrol W NAME seen-once/ --out NEW

    Reads every rejected file again and checks its SHA-256; a changed or missing one is left out and named (exit 3).
    A cluster is no proof of one generator, and what is in no cluster may come from any.
    """
    console.set_quiet(quiet=quiet)
    if null and listed is None:
        raise UsageError("-0", "is for --list", "Add --list NAME")
    from forensic.case.evidence import roots_of
    from forensic.case.ledger import open_case
    from forensic.case.places import Places
    from forensic.models.weights import find_weights
    from forensic.scan.reexamine import weights_of

    with open_case(case) as stored:
        places = Places(stored, evidence or [])
        roots = [Path(os.fsdecode(root)) for root in (*places.roots_now, *(each.absolute for each in stored.roots))]
        tree = roots_of(root for root in roots if root.exists())
        _check(case, out, copy, tree)
        path = weights_of(stored.header) if weights is None else find_weights(weights)
        from forensic.discovery.space import load_whitening

        card, whitening = load_whitening(path)  # what is missing is told before torch is loaded
        from forensic.discovery.run import discover as core

        if not stored.complete:
            console.warn(f"{console.safe(str(case))}: not complete; what it holds so far is clustered")
        with console.progress(stored.counts.unknown, "reading again") as progress:
            found = core(
                stored,
                places,
                whitening,
                card.preprocessing,
                k=k,
                seed=seed,
                workers=workers or len(os.sched_getaffinity(0)),
                on_file=progress.advance,
            )
        _warn(found)
        _write(found, stored, card, path.stem, out)
        if copy is not None:
            _copy(found, stored, copy)
        if listed is not None:
            _list(found, listed, null=null)
        elif (format or ("table" if console.is_terminal() else "json")) == "json":
            console.data(_json(found, stored, card, path.stem))
        else:
            _show(found, card, path.stem)
    if found.gathered.left_out:
        raise typer.Exit(ExitCode.UNREADABLE)


def _check(case: Path, out: Path | None, copy: tuple[str, Path] | None, tree: tuple[Path, ...]) -> None:
    from forensic import report as reports
    from forensic.case.evidence import guard_output
    from forensic.discovery.handover import check_folder

    if out is not None:
        if out.suffix.lower() not in _SUFFIXES:
            raise UsageError(str(out), "is of no form that discover writes", f"Choose one of {', '.join(_SUFFIXES)}")
        reports.check_output(case, out)
        guard_output(out, tree)
    if copy is not None:
        check_folder(copy[1], tree)


def _warn(found: Discovery) -> None:
    left_out = found.gathered.left_out
    for path, reason in left_out[:_NAMED]:
        console.warn(f"{console.safe(path)}: {reason}; left out")
    if len(left_out) > _NAMED:
        console.warn(f"and {len(left_out) - _NAMED} more")


def _write(found: Discovery, stored: CaseReader, card: Card, name: str, out: Path | None) -> None:
    if out is None:
        return
    from forensic.case.output import replacing

    if out.suffix.lower() == ".json":
        data = (_json(found, stored, card, name) + "\n").encode()
    else:
        from forensic.discovery.page import to_page

        data = to_page(found, stored, card, name, told=console.safe)
    with replacing(out) as stream:
        stream.write(data)
    console.talk(f"written: {console.safe(str(out))}")


def _json(found: Discovery, stored: CaseReader, card: Card, name: str) -> str:
    from forensic.discovery.run import to_dict

    return json.dumps(to_dict(found, stored, card, name), ensure_ascii=True, allow_nan=False)


def _copy(found: Discovery, stored: CaseReader, copy: tuple[str, Path]) -> None:
    from forensic.discovery.handover import copy_members

    name, folder = copy
    follow_links = bool(stored.header.configuration.get("follow_links"))
    count = copy_members(found.named(name), folder, follow_links=follow_links)
    console.talk(f"{console.safe(str(folder))}: {count} files of {name}, each with its SHA-256 as name")


def _list(found: Discovery, name: str, *, null: bool) -> None:
    from forensic.discovery.run import paths_now

    paths = paths_now(found.named(name))
    if null:
        with console.binary() as stream:
            stream.writelines(path + b"\0" for path in paths)
        return
    for path in paths:
        console.data(console.safe(os.fsdecode(path)))


def _show(found: Discovery, card: Card, name: str) -> None:
    from forensic.discovery.run import IS_NOT, remarks

    rows = [
        (
            each.name,
            str(len(each.members)),
            str(each.count_groups),
            f"{each.nearest[0][0]} ({each.nearest[0][1]} of {len(each.members)})" if each.nearest else "",
        )
        for each in found.clusters
    ]
    rows.append(("in no cluster", str(len(found.noise)), str(found.noise_groups), ""))
    console.stdout_table(("cluster", ">images", ">groups", "nearest known class"), rows)
    share = "" if found.noise_share is None else f", {found.noise_share:.0%} in no cluster"
    console.stdout_text(f"{len(found.gathered.images)} different images of {found.gathered.findings} rejected{share}")
    for line in (*remarks(found), IS_NOT):
        console.stdout_text(line)
    console.stdout_text(f"Weights {name} ({card.short_hash})")
