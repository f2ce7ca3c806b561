"""A claim as it is told: what, where, by which reader, how far it is signed, and its words."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any, Literal

State = Literal["unsigned", "absent", "present-not-checked", "invalid", "valid", "trusted", "unreadable", "not-kept"]
"""`absent` and the four after it are C2PA's; `unreadable` is a place that could not be read, with its reason;
`not-kept` stands in findings only, for claims beyond their number."""

READER = "forensic"
"""Our own readers; whoever tells the claims adds the version."""
MOST_CHARACTERS = 4000
"""Of a value that are told; its hash is over all of it."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim, or one place that could not be read."""

    kind: str
    """`c2pa`, `c2pa:...`, `iptc:...`, `gb45438:AIGC`, `generator`, `tool`, `credit`, `text`, `metadata`."""
    place: str
    state: State
    says: str
    """What it says in words, or why it could not be read."""
    reader: str = READER
    value: str | None = None
    """As stored, cut at `MOST_CHARACTERS`; None where there is none."""
    value_bytes: int | None = None
    """Length of the exact bytes: as they stand in the file, inflated where they are compressed, and in XMP the
    value's UTF-8 once XML's escapes are resolved."""
    value_sha256: str | None = None
    """64 hex digits, over the exact bytes; of `c2pa` over the whole manifest store, whose label is the value."""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FileClaims:
    """What one file claims."""

    format: str
    claims: tuple[Claim, ...]
    other_texts: tuple[str, ...] = ()
    """Places of texts that no table knows as a claim."""
    broken: str | None = None
    """Why the walk through the container ended early, so that there may be more; None where it did not."""


def claim_of(kind: str, place: str, text: str, raw: bytes, *, says: str, state: State = "unsigned") -> Claim:
    """A claim with its value.

    Args:
        kind: as `Claim.kind`.
        place: where it stands.
        text: the value as text.
        raw: the exact bytes of the value.
        says: in words.
        state: how far it is signed.
    """
    return Claim(
        kind=kind,
        place=place,
        state=state,
        says=says,
        value=text[:MOST_CHARACTERS],
        value_bytes=len(raw),
        value_sha256=hashlib.sha256(raw).hexdigest(),
    )


def unreadable(place: str, reason: str, *, kind: str = "metadata") -> Claim:
    """The record of a place that could not be read."""
    return Claim(kind=kind, place=place, state="unreadable", says=reason)


def to_dict(claim: Claim) -> dict[str, Any]:
    """A claim for JSON; every key is always there."""
    values = {field.name: getattr(claim, field.name) for field in fields(claim)}
    return values | {"details": list(claim.details)}
