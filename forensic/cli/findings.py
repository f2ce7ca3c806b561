"""How a scan is told: findings on stdout as a table, JSON Lines or CSV, the summary on stderr."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Literal

from forensic.calibration.digits import ratio_in_digits
from forensic.case.rows import finding_to_json
from forensic.cli import console
from forensic.report.card import real_by_card
from forensic.scan.events import Finished, Found, Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from forensic.calibration.record import Calibration
    from forensic.case.beside import Salvaged
    from forensic.case.rows import Finding
    from forensic.cli.console import Cell, Progress
    from forensic.scan.events import Event

Format = Literal["table", "jsonl", "csv"]

_COLUMNS = ("image", "verdict", "class", ">score", "remarks")
_WEIGHED = (">ratio", ">p")
_IN_WORDS = 20
"""So many findings are told in words below a table."""
_ROWS_A_TABLE = 500
"""A longer list is printed in several tables: the widths of one are computed over all of its rows."""
_STYLES = {"known": "green", "unknown": "yellow", "unreadable": "red", "skipped": "dim"}


def chosen_format(asked: Format | None) -> Format:
    """A table for a person, JSON Lines for a program, unless `--format` says otherwise."""
    return asked or ("table" if console.is_terminal() else "jsonl")


def follow(
    events: Iterable[Event], form: Format, calibration: Calibration | None = None, *, salvage: bool = False
) -> Summary:
    """Print findings as they come, and return what the scan came to.

    With a calibration a table has ratio and p, and below it the verdicts in words. With `salvage` CSV has a column
    more.

    Raises:
        BrokenPipeError: the reader of stdout is gone.
        MachineError: stdout can not be written, such as a file on a full disk.
    """
    last: list[Summary] = []
    mixed = form != "table" and console.is_terminal()  # lines on the same screen would tear the progress display
    with console.progress(None, "scanning") as bar, console.writable_stdout():
        findings = _watched(events, last, None if mixed else bar)
        if form == "jsonl":
            for finding in findings:
                console.data(finding_to_json(finding))
                console.flush()
        elif form == "csv":
            from forensic.report.rows import write_csv

            write_csv(findings, console.utf8(), salvage=salvage)
        else:
            listed = list(findings)
    if form == "table":
        columns = _COLUMNS if calibration is None else (*_COLUMNS[:-1], *_WEIGHED, _COLUMNS[-1])
        with console.writable_stdout():
            for start in range(0, len(listed), _ROWS_A_TABLE):
                rows = [_row(finding, calibration) for finding in listed[start : start + _ROWS_A_TABLE]]
                console.stdout_table(columns, rows)
            if calibration is not None:
                _tell_in_words(listed, calibration)
    return last[0]


def _watched(events: Iterable[Event], last: list[Summary], bar: Progress | None) -> Iterator[Finding]:
    """The findings among the events; counts go to the progress display, the summary to `last`."""
    count = unreadable = 0
    for event in events:
        if isinstance(event, Found):
            count += 1
            unreadable += event.finding.status == "unreadable"
            if bar is not None:
                bar.update(done=count, note=f"{unreadable} unreadable" if unreadable else None)
            yield event.finding
        elif isinstance(event, Finished):
            last.append(event.summary)


def no_images(count: int) -> str:
    """How files that are no images are counted."""
    return f"{count} other {'file is no image' if count == 1 else 'files are no images'}"


def tell_summary(summary: Summary, written: Iterable[Path]) -> None:
    """The last lines on stderr: counts, what to install, the closing digest, what was written."""
    counts = summary.counts
    parts = [f"{counts.known} known", f"{counts.unknown} unknown"]
    parts += [f"{counts.unreadable} unreadable"] if counts.unreadable else []
    parts += [f"{counts.skipped} skipped"] if counts.skipped else []
    told = ", ".join(parts if counts.scored else ["0 scored", *parts[2:]])
    console.talk(f"{counts.total} image{'' if counts.total == 1 else 's'}: {told}")
    if summary.other_files:
        console.talk(no_images(summary.other_files))
    if summary.salvaged:
        some = "a part" if summary.salvaged == 1 else "parts"
        console.talk(f"salvaged: {some} of {summary.salvaged} unreadable, scored beside and in no count")
    if summary.claiming:
        carry = (
            "1 carries claims about its" if summary.claiming == 1 else f"{summary.claiming} carry claims about their"
        )
        console.talk(f"{carry} origin, told in the findings; no verdict is made of them")
    if summary.as_real and "calibration" not in summary.card:  # with one, the table and the report say it
        real = summary.card["real"]
        console.talk(console.safe(real_by_card(summary.card, real, own_threshold=summary.own_threshold)))
    if summary.unread_heic:
        console.talk(f"HEIC images not read: {summary.unread_heic}; pip install 'forensic-attribution[heic]'")
    if summary.case is not None:
        tell_of_log(summary.case)
    if summary.outcome == "interrupted":
        kept = f"{counts.total} findings are kept in {summary.case}; the same command goes on from there"
        console.warn(f"interrupted: {kept if summary.case else 'without --case or --report nothing is kept'}")
        return
    if summary.outcome == "again":
        console.talk(f"{summary.case} was complete already: nothing was scanned. Remove it to scan anew")
    console.talk(f"closing digest {summary.closing_digest}")
    paths = [path for path in (summary.case, *written) if path is not None]
    if paths:
        console.talk(f"written: {', '.join(os.fspath(path) for path in paths)}")


def tell_of_log(case: Path) -> None:
    """Say so where a log stayed beside a case that is closed: somebody reads it at this moment."""
    from forensic.case.ledger import has_log

    if has_log(case):
        console.warn(f"{case}: another process reads it, so its log stays beside it until the next scan or annotation")


def shortened(text: str, width: int) -> str:
    """`text` with its middle left out where it is longer than `width` characters; the end says more than the start."""
    if len(text) <= width:
        return text
    tail = (width - 1) * 2 // 3
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"


def _tell_in_words(listed: list[Finding], calibration: Calibration) -> None:
    """Each verdict and ratio with both of its propositions."""
    from forensic.calibration.words import finding_in_words, stand_ins, taken_in_words

    scored = [finding for finding in listed if finding.nearest is not None]
    for finding in scored[:_IN_WORDS]:
        name, known = finding.nearest or "", finding.verdict == "known"
        said = finding_in_words(calibration, name, finding.llr, finding.flags, known=known)
        console.stdout_text(console.safe(f"{finding.path}: {said}"))
    if len(scored) > _IN_WORDS:
        console.stdout_text(f"{len(scored) - _IN_WORDS} further findings are not told in words here")
    for line in (stand_ins(calibration), *taken_in_words(calibration)):
        console.stdout_text(console.safe(line))


def _ratio(finding: Finding) -> str:
    if finding.llr is None:
        return ""
    bound = ("at least " if finding.llr > 0 else "at most ") if "llr-at-bound" in finding.flags else ""
    return f"{bound}{ratio_in_digits(finding.llr)}"


def _row(finding: Finding, calibration: Calibration | None = None) -> tuple[Cell, ...]:
    path = console.safe(finding.path)
    if console.is_terminal():
        path = shortened(path, max(24, shutil.get_terminal_size().columns * 2 // 5))
    said = finding.verdict or finding.status
    nearest = f"nearest {finding.nearest}" if finding.verdict == "unknown" else finding.label or ""
    score = "" if finding.score is None else f"{finding.score:.2f}"
    weighed = () if calibration is None else (_ratio(finding), "" if finding.p is None else f"{finding.p:.3f}")
    remarks = finding.reason or ", ".join(finding.flags)
    if finding.salvaged is not None:
        remarks = f"{remarks}; {_salvaged(finding.salvaged)}"
    return path, (said, _STYLES[said]), nearest, score, *weighed, remarks


def _salvaged(part: Salvaged) -> str:
    """Apart from verdict, class and score, whose columns stay empty."""
    if part.verdict is None:
        return part.reason or "nothing to salvage"
    said = f"known {part.label}" if part.verdict == "known" else f"unknown, nearest {part.nearest}"
    return f"salvaged {part.rows} of {part.of_rows} rows: {said}, score {part.score:.2f}"
