"""A number that may not exist: with one side empty most measures are undefined, never 0."""

from __future__ import annotations

from typing import NamedTuple


class Measure(NamedTuple):
    """A measured value, or the reason why there is none. Exactly one of the two is None."""

    value: float | None
    reason: str | None = None


class Interval(NamedTuple):
    """Both ends of an interval, or the reason why there is none."""

    low: float | None
    high: float | None
    reason: str | None = None


NO_KNOWN = "no known images"
NO_UNKNOWN = "no unknown images"
