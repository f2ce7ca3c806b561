"""Flags that a finding gets from what else is known, behind those of the decoder and in this order."""

from __future__ import annotations

from forensic.calibration.weigh import FLAGS

DUPLICATE_OF = "duplicate-of="
"""Then the path of the first finding with the same bytes."""
OUTSIDE = "outside-validation"
"""Of an image of a format or size that the card's validation did not cover."""
NOT_VALIDATED = "not-validated"
"""Of every image that got a verdict from weights which were validated on none."""

STABILITY = "stability="
"""Then how many of how many changed forms of the picture got the same verdict and class."""
CHANGED_BY = "changed-by="
"""Then the names of those that did not, with + between them."""
SALVAGED = "salvaged="
"""Of a truncated picture, with the decoder's: how many of how many rows were scored apart from it."""

_OF_VALIDATION = (NOT_VALIDATED, OUTSIDE)


def of_decoder(flags: tuple[str, ...]) -> tuple[str, ...]:
    """Those that the decoder gave."""
    return tuple(flag for flag in flags if not _is_of_scan(flag) and not flag.startswith(DUPLICATE_OF))


def without_stability(flags: tuple[str, ...]) -> tuple[str, ...]:
    """All but what changed forms of the picture say."""
    return tuple(flag for flag in flags if not flag.startswith((STABILITY, CHANGED_BY)))


def _is_of_scan(flag: str) -> bool:
    return flag in _OF_VALIDATION or flag.startswith((STABILITY, CHANGED_BY)) or flag.partition("=")[0] in FLAGS


def with_duplicate_of(flags: tuple[str, ...], path: str | None) -> tuple[str, ...]:
    """`flags` that name `path`, and no other, as the first finding with the same bytes; none where it is None."""
    decoder = of_decoder(flags)
    named = () if path is None else (f"{DUPLICATE_OF}{path}",)
    return decoder + named + tuple(flag for flag in flags if _is_of_scan(flag))
