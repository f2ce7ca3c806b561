"""`forensic case diff`: what two cases say differently, and why."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from forensic.case.beside import beside_to_dict
from forensic.cli import console
from forensic.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from forensic.case.difference import Change
    from forensic.case.rows import Finding

_SIDE = ("path", "sha256", "status", "reason", "verdict", "label", "nearest", "score", "threshold", "decoder")
_ROWS_A_TABLE = 500
_PART = 1 << 16


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="Case file; only read.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The other one.")],
    format: Annotated[  # noqa: A002 - the option is called --format everywhere
        Literal["table", "json"] | None, typer.Option(help="table on a terminal, else json.")
    ] = None,
) -> None:
    """Tell which findings of two cases differ, and what may be the cause.

    \b
    forensic case diff before.case after.case
    forensic case diff before.case after.case --format json | jq .changes

    Files are matched by their path below the deepest folder that was scanned. They differ where one case lacks a file,
    or where content (SHA-256), status, verdict or class is another, also of what both salvaged; then the code is 4.
    A score that moved without changing the verdict is counted, and the code stays 0. Causes are what the two cases name
    differently: weights, preprocessing, threshold, decoder, engine, versions, limits; which of several it was, they can
    not say.
    """
    from forensic.case.difference import case_changes, header_changes
    from forensic.case.ledger import open_case

    as_json = (format or ("table" if console.is_terminal() else "json")) == "json"
    with ExitStack() as stack:
        one, other = (stack.enter_context(open_case(case)) for case in (first, second))
        for case, stored in ((first, one), (second, other)):
            if not stored.complete:
                console.warn(f"{case}: not complete; it is compared as far as it goes")
        header, totals = header_changes(one, other), (len(one), len(other))
        tally = _Tally()
        changes = tally.changes(case_changes(one, other))
        if as_json:
            _tell_json(header, totals, changes, tally)
        else:
            _tell(header, changes)
    counts, moved = tally.counts, tally.moved
    told = ", ".join(f"{count} {_plural(kind, count)}" for kind, count in sorted(counts.items()) if kind != "score")
    console.talk(f"{totals[0]} and {totals[1]} findings: {told or 'the same files, verdicts and classes'}")
    if counts["score"]:
        console.talk(f"{counts['score']} scores moved without changing a verdict, by {moved:.2g} at most")
    if any(kind != "score" for kind in counts):
        raise typer.Exit(ExitCode.MISMATCH)


class _Tally:
    """What passed by: how many of each kind, and by how much a score moved at most."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.moved = 0.0

    def changes(self, found: Iterable[Change]) -> Iterator[Change]:
        """Those that are told one by one, which scores alone are not."""
        for change in found:
            self.counts[change.kind] += 1
            if change.kind == "score":
                self.moved = max(self.moved, _moved(change))
            else:
                yield change


def _tell_json(
    header: dict[str, tuple[Any, Any]], totals: tuple[int, int], changes: Iterator[Change], tally: _Tally
) -> None:
    """One object. The counts stand before the changes, which wait in a file: there may be as many as images."""
    with tempfile.TemporaryFile("w+", encoding="ascii") as waiting:
        for number, change in enumerate(changes):
            text = json.dumps(_as_json(change), ensure_ascii=True, indent=2)
            waiting.write(("," if number else "") + "\n    " + text.replace("\n", "\n    "))
        said = {
            "findings": totals,
            "header": {name: list(values) for name, values in header.items()},
            "counts": dict(tally.counts),
            "largest_move_of_score": tally.moved,
            "changes": [],
        }
        head, _, tail = json.dumps(said, ensure_ascii=True, indent=2).rpartition("]")
        told = waiting.tell() > 0
        waiting.seek(0)
        with console.binary() as stream:
            stream.write(head.encode("ascii"))
            for part in iter(lambda: waiting.read(_PART), ""):
                stream.write(part.encode("ascii"))
            stream.write((("\n  ]" if told else "]") + tail + "\n").encode("ascii"))


def _plural(kind: str, count: int) -> str:
    return f"{kind}s" if kind == "verdict" and count != 1 else kind


def _moved(change: Change) -> float:
    before, after = change.before, change.after
    if before is None or after is None or before.score is None or after.score is None:
        return 0.0
    return abs(before.score - after.score)


def _tell(header: dict[str, tuple[Any, Any]], changes: Iterator[Change]) -> None:
    if header:
        settings = [(name, str(before), str(after)) for name, (before, after) in header.items()]
        console.stdout_table(["made with", "A", "B"], settings)
    while page := list(islice(changes, _ROWS_A_TABLE)):
        rows = [(change.path, _said(change.before), _said(change.after), _why(change)) for change in page]
        console.stdout_table(["image", "A", "B", "may be caused by"], rows)


def _said(finding: Finding | None) -> str:
    if finding is None:
        return "not there"
    if finding.verdict is None:
        part = finding.salvaged
        told = "" if part is None else f"; salvaged {part.rows} rows: {part.verdict or 'no score'} {part.label or ''}"
        return f"{finding.status} ({finding.reason}){told.rstrip()}"
    name = finding.label if finding.verdict == "known" else f"nearest {finding.nearest}"
    return f"{finding.verdict} {name} {finding.score:.2f}"


def _why(change: Change) -> str:
    if change.before is None or change.after is None:
        return ""
    return ", ".join(change.why) or "nothing that the cases name"


def _side(finding: Finding) -> dict[str, Any]:
    told = {name: getattr(finding, name) for name in _SIDE}
    return told if finding.salvaged is None else told | {"salvaged": beside_to_dict(finding.salvaged)}


def _as_json(change: Change) -> dict[str, Any]:
    sides = {"first": change.before, "second": change.after}
    return {
        "path": change.path,
        "kind": change.kind,
        **{side: None if finding is None else _side(finding) for side, finding in sides.items()},
        "why": list(change.why),
    }
