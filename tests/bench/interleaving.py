"""Rivals side by side in one process: they take turns, and what is printed are ratios of medians."""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def interleaved(
    rivals: dict[str, Callable[[], object]], rounds: int, finish: Callable[[], object] = lambda: None
) -> dict[str, list[float]]:
    """Seconds a call, one figure a round of at least 50 ms; rivals take turns within a round.

    `finish` waits for what calls have queued on a device, and counts.
    """
    for run in rivals.values():
        run()
    finish()
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, run in rivals.items():
            count, start = 0, time.perf_counter()
            while time.perf_counter() - start < 0.05:
                run()
                count += 1
            finish()
            times[name].append((time.perf_counter() - start) / count)
    return times


def show(title: str, times: dict[str, list[float]]) -> None:
    ours = times["forensic"]
    print(title)
    for name, rounds in times.items():
        ratios = sorted(b / a for a, b in zip(ours, rounds, strict=True))
        ratio = statistics.median(rounds) / statistics.median(ours)
        milliseconds = 1e3 * statistics.median(rounds)
        print(f"  {name:<28}{milliseconds:9.3f} ms  {ratio:7.2f}x  ({ratios[0]:.2f}..{ratios[-1]:.2f})")
