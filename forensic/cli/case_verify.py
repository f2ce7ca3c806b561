"""`forensic case verify`: a case against itself, and against the files it speaks of."""

from __future__ import annotations

import os
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from forensic.cli import console
from forensic.errors import ForensicError, UsageError, VerificationError

if TYPE_CHECKING:
    from forensic.case.reader import CaseReader

_DONE = ("", "re-hashed", "re-hashed and decoded again", "re-hashed, decoded and scored again")
_NOT_CHECKED = (
    "whether the files are unchanged (--level 1), and whether they give the same findings again (--level 2, 3)",
    "whether the files give the same findings again (--level 2, 3); files that came since",
    "scores and verdicts (--level 3); thumbnails and spectra; files that came since",
    "thumbnails, spectra and the scores of single classes; files that came since",
)
_NO_DIGEST = (
    "what no digest covers: the examiner's words, versions and history of the runs, which folders were given and where "
    "they lay, times, the number of other files"
)
_CARD = "the card and the spectra of the classes (--level 3)"
_HEX = re.compile(r"[0-9a-f]{64}")


def verify(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Case file that `scan` wrote; only read.")],
    level: Annotated[int, typer.Option(min=0, max=3, help="0 to 3, see above; each includes those before.")] = 1,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="From level 1 on only so many rows, drawn by --seed.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of --sample; the same seed draws the same rows anywhere.")] = 0,
    evidence: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR|OLD=NEW", help="Where the files lie now; OLD=NEW may be given several times."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="For level 3, where they are not among the bundled ones.")
    ] = None,
    expect_digest: Annotated[
        str | None, typer.Option(metavar="HEX", help="The closing digest as it was printed, or stands in a report.")
    ] = None,
    expect_annotations: Annotated[
        str | None, typer.Option(metavar="HEX", help="Where the annotations ended, as `case annotate` told it.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that decode; one a processor by default.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no remarks.")] = False,
) -> None:
    """Check a case against itself and its files; exit 4 where something differs.

    \b
    forensic case verify scan.case                             the chain, and every file hashed again
    forensic case verify scan.case --level 0                   the chain alone, without the files
    forensic case verify scan.case --level 3 --sample 100      also decodes and scores 100 files again
    forensic case verify scan.case --evidence /mnt/copy        the files lie elsewhere now
    forensic case verify scan.case --expect-digest d7536a...   finds a case that was forged as a whole

    Level 0: the form of the file, every row, every digest. Level 1: the files have the same content. Level 2: they are
    decoded to the same status, size, format and flags by the same decoder. Level 3: they get the same verdict, and a
    score within the tolerance that the card of the weights states, and that card is the case's. Files are read once and
    only read.
    """
    from forensic.case.annotations import read_annotations
    from forensic.case.ledger import open_case
    from forensic.case.verify import verify_case

    console.set_quiet(quiet=quiet)
    expected = _digest("--expect-digest", expect_digest)
    own = verify_case(case, expected, _digest("--expect-annotations", expect_annotations))
    if not own.agrees:
        _differs(case, own.differences, own.count, "The case was altered or damaged after it was written")
    state = "complete" if own.complete else "not complete"
    lines = [f"{case}: agrees with itself; {own.findings} findings, {state}", f"closing digest {own.digest}"]
    with open_case(case) as stored:
        marked = len(read_annotations(stored))
        _check_calibration(case, stored)
        if level:
            lines.append(_against_files(stored, case, level, evidence or [], weights, (sample, seed), workers))
        elif evidence or weights or sample:
            raise UsageError("--level 0", "does not look at the files", "Leave --evidence, --weights and --sample out")
    if marked:
        lines.append(f"{marked} annotation{'' if marked == 1 else 's'}, digest {own.annotations}")
    for line in lines:
        console.stdout_text(line)
    not_checked = [_NOT_CHECKED[level], _NO_DIGEST, *([_CARD] if level < 3 else [])]
    not_checked += [] if own.complete else ["whether rows are missing at the end, since the case is not complete"]
    not_checked += [] if own.root or not own.complete else ["the root over the rows: the case keeps none"]
    not_checked += [] if expected else ["whether the whole case was written anew (--expect-digest)"]
    if expect_annotations is None:
        not_checked.append("whether annotations were taken from the end (--expect-annotations)")
    console.talk(f"Not checked: {'; '.join(not_checked)}")


def _digest(option: str, given: str | None) -> str | None:
    digest = None if given is None else given.strip().lower()
    if digest is not None and not _HEX.fullmatch(digest):
        raise UsageError(option, "is no digest of 64 hex digits", "Copy the whole digest")
    return digest


def _check_calibration(case: Path, stored: CaseReader) -> None:
    """That what the case keeps of its calibration is what its hash says, which the chain begins with."""
    recorded = stored.header.configuration.get("calibration")
    if recorded is None:
        return
    from forensic.calibration.words import kept_calibration

    try:
        kept = kept_calibration(stored.header.card, recorded)
    except (ForensicError, TypeError, ValueError, KeyError, AttributeError) as error:
        told = error.reason if isinstance(error, ForensicError) else f"can not be read ({error})"
        _differs(case, (f"the calibration that it keeps: {told}",), 1, "The case was altered after it was written")
    if kept is None:
        _differs(case, ("it keeps no calibration and was begun with one",), 1, "The case was altered")


def _against_files(
    stored: CaseReader,
    case: Path,
    level: int,
    evidence: list[str],
    weights: str | None,
    drawn: tuple[int | None, int],
    workers: int | None,
) -> str:
    """The line that says what was examined again.

    Raises:
        VerificationError: something differs.
    """
    from forensic.case.places import Places
    from forensic.case.verify import MOST
    from forensic.scan.reexamine import reexamine, sample_of, weights_of

    total = len(stored)
    sample, seed = drawn
    chosen = None if sample is None or sample >= total else frozenset(sample_of(total, sample, seed))
    found = weights_of(stored.header, weights) if level == 3 else None
    places = Places(stored, evidence)
    differences: list[str] = []
    count = done = files = 0
    checks = reexamine(
        stored, places, level, chosen=chosen, weights=found, workers=workers or len(os.sched_getaffinity(0))
    )
    size = total if chosen is None else len(chosen)
    with console.progress(size, "examining again") as bar, closing(checks):
        for checked in checks:
            done += 1
            bar.update(done=done)
            files += bool(checked.differences)
            count += len(checked.differences)
            differences += [f"row {checked.seq}, {checked.path}: {what}" for what in checked.differences]
            del differences[MOST:]
    if count:
        remedy = (
            f"{files} of {done} files differ; --evidence says where they lie now"
            if evidence == []
            else (f"{files} of {done} files differ")
        )
        _differs(case, tuple(differences), count, remedy)
    of = f"{size} of {total} files (seed {seed})" if chosen is not None else f"{total} files"
    return f"level {level}: {of} {_DONE[level]}, none differs"


def _differs(case: Path, differences: tuple[str, ...], count: int, remedy: str) -> NoReturn:
    for difference in differences:
        console.warn(f"{case}: {difference}")
    more = count - len(differences)
    rest = f", {more} of them not shown" if more else ""
    told = f"{count} difference{'' if count == 1 else 's'}{rest}"
    raise VerificationError(os.fspath(case), told, remedy)
