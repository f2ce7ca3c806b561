"""What a case keeps, as frozen dataclasses: the finding first of all.

A finding is one input path and what was said of it. The JSON line on stdout, the row of the case and the
row of the report are this one thing.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, fields
from typing import Any, Literal

from forensic.case.beside import (
    CarriedClaim,
    Salvaged,
    Verdict,
    beside_to_dict,
    claim_from_dict,
    salvaged_from_dict,
)
from forensic.case.strict import NUMBER, TEXT, WHOLE, check_each, check_types, parsed

Status = Literal["ok", "unreadable", "skipped"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One input path and what was said of it.

    `score` is larger the more surely the image comes from a known class; the verdict is `known` if and only
    if `score >= threshold`. What is unreadable or skipped has no verdict, label, nearest or score.
    """

    path: str
    """As given; bytes that are no UTF-8 shown as `\\xff`."""
    path_b64: str | None = None
    """The exact bytes in base64, only where `path` does not say them."""
    sha256: str | None = None
    bytes: int | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    status: Status
    reason: str | None = None
    verdict: Verdict | None = None
    label: str | None = None
    """The class when the verdict is `known`, else null."""
    nearest: str | None = None
    """The best class, always where there is a score."""
    score: float | None = None
    threshold: float | None = None
    scores: dict[str, float] | None = None
    """Per class, in label order; only with `--scores`."""
    llr: float | None = None
    """log10 of the likelihood ratio for the nearest class; only with a calibration."""
    p: float | None = None
    """How usual the score is among photographs of the nearest class; only with a calibration."""
    flags: tuple[str, ...] = ()
    """`name` or `name=value`."""
    preprocessing: str
    weights: str
    """Short hash, 12 hex digits."""
    decoder: str | None = None
    engine: str | None = None
    """What computed the score, only where it was not torch in float32."""
    salvaged: Salvaged | None = None
    """Of a truncated picture, only with `--salvage`; no part of any count."""
    claims: tuple[CarriedClaim, ...] | None = None
    """What the file claims of its own origin, in its order; never empty. No part of the verdict."""


_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("bytes", "width", "height"), WHOLE),
    **dict.fromkeys(("score", "threshold", "llr", "p"), NUMBER),
    **dict.fromkeys(("flags", "claims"), (list,)),
    **dict.fromkeys(("scores", "salvaged"), (dict,)),
}
_ALWAYS = frozenset({"path", "status", "preprocessing", "weights", "flags"})
"""Never null."""

OPTIONAL_KEYS = frozenset({"path_b64", "scores", "llr", "p", "engine", "salvaged", "claims"})
"""Keys a JSON line may lack; every other key is always present, null where it does not apply."""


def finding_to_dict(finding: Finding) -> dict[str, Any]:
    """The finding as a dict in field order, without the optional keys that do not apply.

    What a flag says to be withheld (`llr-withheld=small`) does apply: it is null.
    """
    withheld = {flag.partition("-withheld=")[0] for flag in finding.flags if "-withheld=" in flag}
    row: dict[str, Any] = {}
    for field in fields(finding):
        value = getattr(finding, field.name)
        if value is None and field.name in OPTIONAL_KEYS - withheld:
            continue
        row[field.name] = list(value) if isinstance(value, tuple) else value
    if finding.salvaged is not None:
        row["salvaged"] = beside_to_dict(finding.salvaged)
    if finding.claims is not None:
        row["claims"] = [beside_to_dict(claim) for claim in finding.claims]
    return row


def finding_to_json(finding: Finding) -> str:
    """One JSON line (without its newline): fixed key order, shortest round-trip floats, ASCII only.

    Raises:
        ValueError: a number is not finite; such a value must never become a finding.
    """
    return json.dumps(finding_to_dict(finding), ensure_ascii=True, allow_nan=False, separators=(", ", ": "))


def finding_from_json(line: str) -> Finding:
    """The inverse of `finding_to_json`.

    Raises:
        ValueError: the line is no JSON, or has a number that is not finite.
        TypeError: it is no object, a key is missing or unknown, or a value is of another type.
    """
    row = parsed(line)
    check_types(row, _TYPES, _ALWAYS)
    check_each(row["flags"], TEXT)
    row["flags"] = tuple(row["flags"])
    if "\\ud" in line:
        row["path"].encode()  # half a character is in no path: what is no UTF-8 is told in another way
    if row.get("path_b64") is not None:
        base64.b64decode(row["path_b64"], validate=True)
    if row.get("scores") is not None:
        check_each(row["scores"], NUMBER)
    if row.get("salvaged") is not None:
        row["salvaged"] = salvaged_from_dict(row["salvaged"])
    if row.get("claims") is not None:
        row["claims"] = tuple(claim_from_dict(claim) for claim in row["claims"])
    return Finding(**row)


def display_path(raw: bytes) -> tuple[str, str | None]:
    r"""How the bytes of a path are told: `(path, path_b64)`.

    Bytes that are no UTF-8 are shown as `\xff`; then, and only then, the exact bytes stand beside in base64.
    """
    try:
        return raw.decode("utf-8"), None
    except UnicodeDecodeError:
        return raw.decode("utf-8", errors="backslashreplace"), base64.b64encode(raw).decode("ascii")


def exact_path(finding: Finding) -> bytes:
    """The exact bytes of the finding's path, whatever the locale: a path without `path_b64` is UTF-8."""
    return base64.b64decode(finding.path_b64) if finding.path_b64 is not None else finding.path.encode()


@dataclass(frozen=True, kw_only=True)
class CaseHeader:
    """What all findings of a case share; the chain starts from `weights`, `preprocessing`, `configuration`."""

    question: str
    examiner: str
    case_number: str
    exhibit: str
    note: str
    weights: str
    """Short hash."""
    weights_name: str
    preprocessing: str
    configuration: dict[str, Any]
    """What can change a finding: threshold, limits, engine, device, decoder versions, follow-links; JSON values."""
    card: dict[str, Any]
    """The card of the weights, as its TOML reads."""
    classes: tuple[str, ...]
    """Label order."""
    class_spectra: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    """Class -> (mean, spread) of log10 of the radial spectrum of 128 px tiles, 64 values each; may be empty."""
    tool_version: str

    @property
    def own_threshold(self) -> bool:
        """Whether the scan was given a threshold of its own, which no error rate of the card holds for."""
        return self.configuration.get("threshold") is not None


@dataclass(frozen=True, kw_only=True)
class Artefacts:
    """What is kept beside a finding for the report, within a budget."""

    thumbnail: bytes | None = None
    """WebP, longest side 96 px."""
    spectrum: tuple[float, ...] | None = None
    """log10 of the radial spectrum, mean over tiles, 64 values; comparable with `CaseHeader.class_spectra`."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One process that worked on the case; shown by `case show --runs`, in no report."""

    run_id: int
    started: str
    """UTC, ISO 8601 with offset."""
    ended: str | None
    outcome: str | None
    """`done`, `interrupted`, `stopped: ...`; None where the process died."""
    argv: tuple[str, ...]
    versions: dict[str, str]
    host: str
    pid: int


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Findings by outcome; the unreadable are never folded into a total."""

    known: int = 0
    unknown: int = 0
    unreadable: int = 0
    skipped: int = 0

    @property
    def scored(self) -> int:
        """Findings with a verdict."""
        return self.known + self.unknown

    @property
    def total(self) -> int:
        """All findings."""
        return self.scored + self.unreadable + self.skipped
