"""Findings as rows for other programs: JSON Lines are exact, CSV is safe to open in a spreadsheet."""

from __future__ import annotations

import base64
import csv
import json
from typing import IO, TYPE_CHECKING, Any

from forensic.case.beside import is_told
from forensic.case.rows import Finding, exact_path, finding_to_dict, finding_to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from forensic.case.ledger import CaseReader

CSV_COLUMNS = (
    "path",
    "path_b64",
    "sha256",
    "bytes",
    "format",
    "width",
    "height",
    "status",
    "reason",
    "verdict",
    "label",
    "nearest",
    "score",
    "threshold",
    "llr",
    "p",
    "flags",
    "preprocessing",
    "weights",
    "decoder",
    "scores",
    "claims",
)
SALVAGED = "salvaged"
"""A column more, of cases that were scanned with `--salvage`."""
_TEXT_THAT_IS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_jsonl(findings: Iterable[Finding], stream: IO[str]) -> None:
    """The lines that `scan` prints, one a finding."""
    for finding in findings:
        stream.write(finding_to_json(finding) + "\n")


def write_csv(findings: Iterable[Finding], stream: IO[str], *, salvage: bool = False) -> None:
    """A header line and one line a finding, as RFC 4180 (CR LF, quotes doubled).

    A text cell that a spreadsheet would take for a formula gets an apostrophe before it; numbers stay numbers.
    `path_b64` holds the exact bytes of every path, whatever the guard or the encoding did to `path`. Flags are
    joined with `;`, and so are the kinds of the claims that a file carries; per-class scores are a JSON object, and so
    is, with `salvage`, what was salvaged of a truncated picture.
    """
    write_csv_with(((finding, {}) for finding in findings), (), stream, salvage=salvage)


def write_csv_with(
    findings: Iterable[tuple[Finding, dict[str, str | None]]],
    names: Sequence[str],
    stream: IO[str],
    *,
    salvage: bool = False,
) -> None:
    """As `write_csv`, with columns `names` at the end, whose values stand beside each finding."""
    writer = csv.writer(stream, lineterminator="\r\n")
    columns = (*CSV_COLUMNS, SALVAGED) if salvage else CSV_COLUMNS
    writer.writerow((*columns, *names))
    for finding, more in findings:
        writer.writerow([_cell(value) for value in (*_values(finding, columns), *(more[name] for name in names))])


def guarded(text: str) -> str:
    """`text`, with an apostrophe before it where a spreadsheet would read a formula (OWASP's list of characters)."""
    return f"'{text}" if text.startswith(_TEXT_THAT_IS_A_FORMULA) else text


def _values(finding: Finding, columns: Sequence[str]) -> list[Any]:
    told = finding_to_dict(finding)
    special = {
        "path_b64": base64.b64encode(exact_path(finding)).decode("ascii"),
        "flags": ";".join(finding.flags),
        "scores": json.dumps(finding.scores, separators=(",", ":")) if finding.scores is not None else None,
        "claims": ";".join(kinds_of(finding)),
        SALVAGED: json.dumps(told[SALVAGED], separators=(",", ":")) if SALVAGED in told else None,
    }
    return [special[name] if name in special else getattr(finding, name) for name in columns]


def holds_salvaged(case: CaseReader) -> bool:
    """Whether the case was scanned with `--salvage`."""
    return bool(case.header.configuration.get("salvage"))


def kinds_of(finding: Finding) -> tuple[str, ...]:
    """The kinds of the claims that a file carries, each once, sorted; records of what could not be read are none."""
    return tuple(sorted({claim.kind for claim in finding.claims or () if is_told(claim)}))


def _cell(value: Any) -> str:  # noqa: ANN401 - text, a number or None
    if value is None:
        return ""
    if isinstance(value, str):
        return guarded(value.encode("utf-8", "backslashreplace").decode("utf-8"))
    return repr(value)
