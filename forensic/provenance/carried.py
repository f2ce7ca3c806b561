"""The claims of a file in short, for findings: no signature is checked, no library is called, nothing raises.

They stand beside a verdict; whoever wants them whole, with signatures, asks `read_claims`.
"""

from __future__ import annotations

from dataclasses import replace

from forensic.provenance.claims import Claim
from forensic.provenance.read import collect
from forensic.provenance.verification import Verification

CARRIED = 2
"""Version of what is carried and how it is shortened; it changes whenever a finding may carry something else."""
MOST_CARRIED = 24
"""Claims a file; a record tells how many there are beyond."""
MOST_VALUE = 500
"""Characters of a value."""
_NOT_CHECKED = "not checked here: `forensic provenance` checks it where c2pa-python is installed"


def carried_claims(data: bytes, format_name: str) -> tuple[Claim, ...]:
    """What a picture file claims, cut to what a finding can hold.

    Args:
        data: the whole file.
        format_name: as `image_format` gives it.

    Returns:
        Claims and places that could not be read, without records of an absence or of the file's own end. A fault of
        ours is a record among them, never an error.
    """
    try:
        found = collect(data, format_name, lambda: Verification("present-not-checked", _NOT_CHECKED))
    except (Exception, MemoryError) as error:  # noqa: BLE001 - hostile text must not cost the file its verdict
        says = f"could not be read ({type(error).__name__})"
        return (Claim(kind="metadata", place=format_name, state="unreadable", says=says),)
    claims = [
        claim
        for claim in found.claims
        if claim.state != "absent" and not (claim.state == "unreadable" and claim.says == found.broken)
    ]
    kept = tuple(_shortened(claim) for claim in claims[:MOST_CARRIED])
    left = len(claims) - len(kept)
    if not left:
        return kept
    says = f"{left} further claims are not kept here; `forensic provenance` tells them"
    return (*kept, Claim(kind="metadata", place=format_name, state="not-kept", says=says))


def _shortened(claim: Claim) -> Claim:
    """Length and hash only where the value is cut: else they tell nothing that the file's own hash does not fix."""
    if claim.value is None or len(claim.value) <= MOST_VALUE:
        return replace(claim, value_bytes=None, value_sha256=None, details=())
    return replace(claim, value=claim.value[:MOST_VALUE], details=())
