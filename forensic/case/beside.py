"""What a finding may carry beside its verdict, and that no verdict, count or exit code is made of.

`CarriedClaim` is what the file says of its own origin; `Salvaged` what was said of the real rows of a truncated
picture, whose finding stays `unreadable`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from forensic.case.strict import NUMBER, TEXT, WHOLE, check_each, check_types

Verdict = Literal["known", "unknown"]


@dataclass(frozen=True, kw_only=True)
class CarriedClaim:
    """One claim, as `forensic provenance` tells it, shortened."""

    kind: str
    """`iptc:DigitalSourceType`, `generator`, `tool`, `c2pa`, ..."""
    place: str
    """Where in the file it stands."""
    reader: str
    state: str
    """`unsigned`, `present-not-checked`; `unreadable` of a place that could not be read, `not-kept` of what is left."""
    says: str
    """In words, or why it could not be read."""
    value: str | None = None
    """As stored, cut to a limit."""
    value_bytes: int | None = None
    """Length of the exact bytes, only where `value` was cut; so is the hash over them."""
    value_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Salvaged:
    """The real rows of a truncated picture, scored as a picture of their own where they are enough."""

    rows: int
    """Rows whose data is all there, as stored; 0 where there are none or it can not be told which."""
    of_rows: int | None = None
    """Rows that the file's header states."""
    width: int | None = None
    """Of the part that was taken, upright, pixels."""
    height: int | None = None
    reason: str | None = None
    """Why there is no score."""
    verdict: Verdict | None = None
    label: str | None = None
    nearest: str | None = None
    score: float | None = None
    threshold: float | None = None
    scores: dict[str, float] | None = None
    flags: tuple[str, ...] = ()
    decoder: str | None = None
    engine: str | None = None


_OF_SALVAGED: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("rows", "of_rows", "width", "height"), WHOLE),
    **dict.fromkeys(("score", "threshold"), NUMBER),
    "scores": (dict,),
    "flags": (list,),
}


def is_told(claim: CarriedClaim) -> bool:
    """Whether it is a claim, and no record of what could not be read or is not kept."""
    return claim.state not in ("unreadable", "not-kept")


def beside_to_dict(value: CarriedClaim | Salvaged) -> dict[str, Any]:
    """For JSON: every key in the order of the fields, null where it does not apply."""
    told = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: list(one) if isinstance(one, tuple) else one for name, one in told.items()}


def salvaged_from_dict(row: dict[str, Any]) -> Salvaged:
    """The inverse.

    Raises:
        TypeError: a key is missing or unknown, or a value is of another type.
        ValueError: a number is not finite.
    """
    check_types(row, _OF_SALVAGED, frozenset({"rows", "flags"}))
    check_each(row["flags"], TEXT)
    if row.get("scores") is not None:
        check_each(row["scores"], NUMBER)
    return Salvaged(**(row | {"flags": tuple(row["flags"])}))


def claim_from_dict(row: dict[str, Any]) -> CarriedClaim:
    """The inverse.

    Raises:
        TypeError: a key is missing or unknown, or a value is of another type.
    """
    check_types(row, {"value_bytes": WHOLE}, frozenset({"kind", "place", "reader", "state", "says"}))
    return CarriedClaim(**row)
