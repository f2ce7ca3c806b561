"""Words for what stands beside a finding: claims that the file carries, and what was salvaged of a truncated picture.

`page/js/beside.js` says the same in the same words; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forensic.report.escaping import visible
from forensic.report.numbers import told_apart

if TYPE_CHECKING:
    from forensic.case.beside import CarriedClaim, Salvaged

CLAIMS_TITLE = "Claims carried by the file, no part of the verdict"
MOST_CLAIMS = 4
"""Of a row; the details have all."""
_MOST_CHARACTERS = 120
_STATES = {
    "unsigned": "unsigned claim",
    "present-not-checked": "signature not checked",
    "unreadable": "unreadable",
    "not-kept": "not kept",
}


@dataclass(frozen=True)
class ClaimView:
    """One claim on one line; texts are `visible`, not yet escaped."""

    kind: str
    text: str
    about: str


def claim_views(claims: tuple[CarriedClaim, ...] | None) -> tuple[ClaimView, ...]:
    """The first claims of a row, and a line for those that it has no room for."""
    shown = [_claim(claim) for claim in (claims or ())[:MOST_CLAIMS]]
    left = len(claims or ()) - len(shown)
    return (*shown, ClaimView("", f"and {left} more", "")) if left else tuple(shown)


def _claim(claim: CarriedClaim) -> ClaimView:
    text = visible(claim.says if claim.value is None else claim.value)
    text = text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
    return ClaimView(visible(claim.kind), text, f"{_STATES.get(claim.state, claim.state)}, {visible(claim.place)}")


def salvaged_words(part: Salvaged | None) -> str:
    """One sentence; empty where nothing was tried."""
    if part is None:
        return ""
    if part.score is None or part.threshold is None:
        reason = visible(part.reason or "no reason was recorded")
        return reason[:1].upper() + reason[1:]
    if part.verdict == "known":
        said = f"attributed to class {visible(part.label or '')}"
    else:
        said = f"attributed to no known class, nearest is {visible(part.nearest or 'none')}"
    score, threshold = told_apart(part.score, part.threshold)
    rows = f"{part.rows:,} of {part.of_rows or 0:,} rows"
    return f"Salvaged part, in no count: {rows}, {said}; score {score}, threshold {threshold}"
