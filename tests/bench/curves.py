"""Time to a quality: the steps of recorded curves times the measured step. See docs/runs/README.md for the files."""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

BAR = 5.0
"""What `forensic` is to be faster by in the time to the quality of `reference`."""


@dataclass(frozen=True)
class Pace:
    """What a run costs on this machine, in seconds."""

    first: float
    """A step of the first epoch."""
    later: float
    """A step of another epoch."""
    epoch: float
    """Once an epoch, beside its steps."""


@dataclass(frozen=True)
class Point:
    """The end of an epoch of a recorded run."""

    epoch: int
    step: int
    minutes: float
    """Of training until then, at the pace of this machine."""
    accuracy: float
    """On known validation images, as they are."""
    auroc: float | None
    """Of known validation images against validation unknowns; None where it was not measured."""


def read_curve(path: Path, pace: Pace) -> list[Point]:
    """The epochs of a recorded run; lines of single steps are passed over.

    Raises:
        ValueError: no line of an epoch, or steps that do not grow.
    """
    points: list[Point] = []
    seconds, step = 0.0, 0
    for line in path.read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        if "val_accuracy" not in values:
            continue
        steps = values["step"] - step
        if steps <= 0:
            raise ValueError(f"{path}: step {values['step']} follows {step}")
        seconds += steps * (pace.later if points else pace.first) + pace.epoch
        step = values["step"]
        point = Point(values["epoch"], step, seconds / 60, values["val_accuracy"], values.get("val_auroc"))
        points.append(point)
    if not points:
        raise ValueError(f"{path}: no epoch with a val_accuracy")
    return points


def show_time_to_quality(folder: Path, paces: dict[str, Pace], minutes: float, precision: str) -> None:
    """Prints what `reference` has after so many minutes, and when `forensic` has it; says what is missing.

    Args:
        folder: of `reference.jsonl` and `forensic.jsonl`; `forensic-bfloat16.jsonl` is the latter's in bfloat16.
        paces: by recipe; `plain` for the plain program in the place of `reference`, if that was measured too.
        minutes: of the run of `reference`.
        precision: in which `forensic` was measured.
    """
    print(f"time to the quality that reference has after {minutes:.0f} minutes")
    ours = "forensic" if precision == "float32" else f"forensic-{precision}"
    files = {"reference": folder / "reference.jsonl", "forensic": folder / f"{ours}.jsonl"}
    if missing := [name for name, path in files.items() if not path.is_file() or name not in paces]:
        print(f"  not known: no curve or no measured step of {', '.join(missing)} ({folder})")
        return
    curve = read_curve(files["forensic"], paces["forensic"])
    for name in ("plain", "reference"):
        if name in paces:
            print(f"  {'plain program' if name == 'plain' else 'our step'} of reference:")
            _compare(read_curve(files["reference"], paces[name]), curve, minutes)


def _compare(theirs: list[Point], ours: list[Point], minutes: float) -> None:
    within = [point for point in theirs if point.minutes <= minutes]
    if not within:
        print(f"    not known: its first epoch ends after {theirs[0].minutes:.1f} minutes")
        return
    spent = minutes
    if within[-1] is theirs[-1]:  # the run may have been shorter: then its end is what is compared
        spent = min(minutes, theirs[-1].minutes)
        print(f"    the recorded curve ends after {theirs[-1].minutes:.1f} minutes; compared there")
    accuracy = max(point.accuracy for point in within)
    aurocs = [point.auroc for point in within if point.auroc is not None]
    auroc = max(aurocs) if aurocs else None
    reached = [
        point
        for point in ours
        if point.accuracy >= accuracy and (auroc is None or (point.auroc is not None and point.auroc >= auroc))
    ]
    goal = f"accuracy {accuracy:.3f}, " + ("no AUROC recorded" if auroc is None else f"AUROC {auroc:.3f}")
    print(f"    best until then, step {within[-1].step}: {goal}")
    if not reached:
        print(f"    not reached by forensic within {ours[-1].minutes:.1f} minutes, step {ours[-1].step}")
        return
    ratio = spent / reached[0].minutes
    print(
        f"    forensic has both after {reached[0].minutes:.1f} minutes, step {reached[0].step}: {ratio:.1f}x sooner; "
        f"bar {BAR:.0f}x: {'reached' if ratio >= BAR else 'missed'}"
    )
