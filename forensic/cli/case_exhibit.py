"""One row of a case without the others: `case export --exhibit` writes it, `case verify-exhibit` checks it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated

import typer

from forensic.cli import console
from forensic.errors import UsageError, VerificationError

_HEX = re.compile(r"[0-9a-f]{64}")
_FEW = 10
"""With no more other rows than this, somebody might guess all of them at once."""


def write_exhibit(case: Path, path: str, out: Path | None) -> None:
    """The row of `path` as JSON, on stdout or to `out`, and on stderr what it discloses.

    Raises:
        VerificationError: the case does not agree with itself.
        UsageError: it is not complete, or has no such path.
        MachineError: the output can not be written.
    """
    from forensic.case.exhibit import exhibit_of
    from forensic.case.ledger import open_case
    from forensic.case.output import replacing
    from forensic.case.verify import verify_case

    if not verify_case(case).agrees:
        raise VerificationError(os.fspath(case), "does not agree with itself", "See `forensic case verify`")
    with open_case(case) as stored:
        said = exhibit_of(stored, path)
    text = json.dumps(said, ensure_ascii=True, indent=2) + "\n"
    if out is None:
        with console.writable_stdout():
            console.data(text.rstrip("\n"))
    else:
        with replacing(out) as file:
            file.write(text.encode("ascii"))
    index, size = said["index"], said["tree_size"]
    others = size - 1
    console.talk(f"discloses this finding, and that it is number {index}, from 0, of {size}; no other")
    if 0 < others <= _FEW:
        console.warn(f"{case}: {others} other rows only; who can guess all of them at once can confirm it")
    console.talk(f"root {said['root']}")


def verify_exhibit(
    exhibit: Annotated[Path, typer.Argument(metavar="FILE", help="What `case export --exhibit` wrote; only read.")],
    expect_root: Annotated[
        str | None, typer.Option(metavar="HEX", help="The root as `case show` told it to somebody you trust.")
    ] = None,
) -> None:
    """Check that one disclosed finding belongs to a case; exit 4 where it does not.

    \b
    forensic case export scan.case --exhibit photos/a.jpg --out a.json
    forensic case verify-exhibit a.json --expect-root 5f0c1e...

    Needs neither the case nor its images. Without --expect-root it says only that the file agrees with itself: anybody
    can make such a file. The root of a case stands in `forensic case show` and fixes every row, as the closing digest
    does.
    """
    from forensic.case.exhibit import verify_exhibit as check

    expected = None if expect_root is None else expect_root.strip().lower()
    if expected is not None and not _HEX.fullmatch(expected):
        raise UsageError("--expect-root", "is no digest of 64 hex digits", "Copy the whole root")
    try:
        text = exhibit.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(str(exhibit), f"can not be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise VerificationError(str(exhibit), "is no exhibit: not UTF-8") from error
    found = check(text, expected, subject=str(exhibit))
    finding = found.finding
    said = finding.reason if finding.verdict is None else f"{finding.verdict}, nearest {finding.nearest}"
    facts = [
        ("image", finding.path),
        ("SHA-256", finding.sha256 or "none"),
        ("finding", f"{finding.status}: {said}"),
        ("score, threshold", "none" if finding.score is None else f"{finding.score}, {finding.threshold}"),
        ("weights", finding.weights),
        ("row", f"number {found.index}, from 0, of {found.tree_size}"),
        ("root", found.root),
    ]
    console.stdout_table(["", ""], facts)
    if expected is None:
        console.talk("Not checked: whether this is the root of the case (--expect-root)")
