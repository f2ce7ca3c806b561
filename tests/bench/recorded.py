"""Ratios of this run against those recorded for the same processor."""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LEAST = 0.1
"""Smaller losses than this share count as none: two runs differ by as much in where memory lies."""

Rows = list[dict[str, Any]]
Key = tuple[str, str, str, int, str]


def _rivals(rows: Rows) -> dict[Key, dict[str, Any]]:
    return {
        (row["kernel"], row["shape"], row["type"], row["threads"], name): rival
        for row in rows
        for name, rival in row["rivals"].items()
    }


def losses(before: Rows, after: Rows) -> dict[Key, tuple[dict[str, Any], dict[str, Any]]]:
    """Rivals against whom we do worse than recorded: the spreads do not meet, and the medians differ by a tenth."""
    old, new = _rivals(before), _rivals(after)
    return {
        key: (old[key], new[key])
        for key in old.keys() & new.keys()
        if new[key]["high"] < old[key]["low"] and new[key]["ratio"] < (1 - LEAST) * old[key]["ratio"]
    }


def compare(before: dict[str, Any], after: Rows, again: Callable[[], Rows]) -> int:
    """Prints what got worse; a loss counts when a second run shows it too.

    Args:
        before: the recorded figures, as `--json` writes them.
        after: rows of this run.
        again: measures the same rows once more.

    Returns:
        1 if there is a loss, 0 if not.
    """
    common = _rivals(before["rows"]).keys() & _rivals(after).keys()
    found = losses(before["rows"], after)
    if found:
        print(f"{len(found)} ratios look lower than recorded at {before['commit']}: once more")
        confirmed = losses(before["rows"], again())
        found = {key: pair for key, pair in found.items() if key in confirmed}
    for key, (old, new) in sorted(found.items()):
        kernel, shape, dtype, threads, rival = key
        print(
            f"LOSS {kernel} {shape} {dtype}, {threads} threads, against {rival}: "
            f"{old['ratio']:.2f}x ({old['low']:.2f}..{old['high']:.2f}) recorded, "
            f"{new['ratio']:.2f}x ({new['low']:.2f}..{new['high']:.2f}) now"
        )
    print(f"{len(common)} ratios compared with those of {before['commit']}: {len(found)} losses")
    return 1 if found else 0
