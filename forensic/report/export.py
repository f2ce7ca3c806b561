"""The findings of a case in the forms that other programs read, each written to a stream of bytes."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Literal, get_args

from forensic.case.further_hashes import further_hashes
from forensic.report import rows
from forensic.report.case_uco import write_case_uco
from forensic.report.manifest import write_bagit, write_sha256sum
from forensic.report.parquet import write_parquet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forensic.case.further_hashes import Algorithm
    from forensic.case.places import Places
    from forensic.case.reader import CaseReader

Form = Literal["jsonl", "csv", "sha256sum", "bagit", "parquet", "case-uco"]
FORMS: tuple[Form, ...] = get_args(Form)


def export_with_hashes(case: CaseReader, places: Places, names: Sequence[Algorithm], stream: IO[bytes]) -> None:
    """Write CSV with further hashes as last columns; every file is read again, and must be the one of the case.

    Args:
        case: complete or not.
        places: where its files lie now.
        names: of the hashes.
        stream: binary; not closed.

    Raises:
        VerificationError: a file has changed, or can not be read any more.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    try:
        rows.write_csv_with(further_hashes(case, places, names), names, text, salvage=rows.holds_salvaged(case))
    finally:
        text.detach()


def export(case: CaseReader, form: Form, stream: IO[bytes]) -> int:
    """Write the findings, in the order of the case; the same case gives the same bytes.

    Args:
        case: complete or not; what it holds so far is written.
        form: `jsonl` is what `scan --format jsonl` printed, byte for byte; `csv` is guarded for spreadsheets.
        stream: binary; not closed.

    Returns:
        How many findings this form can not hold: a manifest of hashes leaves out what has none.

    Raises:
        MissingError: the form needs a package that is not installed.
        VerificationError: the case is damaged.
    """
    if form == "sha256sum":
        return write_sha256sum(case, stream)
    if form == "bagit":
        return write_bagit(case, stream)
    if form == "case-uco":
        write_case_uco(case, stream)
        return 0
    if form == "parquet":
        write_parquet(case, stream)
        return 0
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    try:
        findings = (finding for finding, _ in case.lines())
        if form == "csv":
            rows.write_csv(findings, text, salvage=rows.holds_salvaged(case))
        else:
            rows.write_jsonl(findings, text)
    finally:
        text.detach()  # the stream is the caller's
    return 0
