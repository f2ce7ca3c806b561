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


def show_time_to_quality(folder: Path, paces: dict[str, Pace], minutes: float) -> None:
    """Prints what `reference` has after so many minutes, and when `forensic` has it; says what is missing.

    Args:
        folder: of the curves, `NAME.jsonl`.
        paces: by curve: `reference`, `forensic` (float32), `forensic-bfloat16`; `plain` for the plain program in the
            place of `reference`. Those that were measured.
        minutes: of the run of `reference`.
    """
    print(f"time to the quality that reference has after {minutes:.0f} minutes")
    curves = {
        name: read_curve(folder / f"{name}.jsonl", pace)
        for name, pace in paces.items()
        if name != "plain" and (folder / f"{name}.jsonl").is_file()
    }
    ours = [name for name in curves if name != "reference"]
    if "reference" not in curves or not ours:
        print(f"  not known: a curve or a measured step is missing of reference or forensic ({folder})")
        return
    for name in ("plain", "reference"):
        if name in paces:
            print(f"  {'plain program' if name == 'plain' else 'our step'} of reference:")
            _compare(read_curve(folder / "reference.jsonl", paces[name]), {one: curves[one] for one in ours}, minutes)


def _compare(theirs: list[Point], ours: dict[str, list[Point]], minutes: float) -> None:
    within = [point for point in theirs if point.minutes <= minutes]
    if not within:
        print(f"    not known: its first epoch ends after {theirs[0].minutes:.1f} minutes")
        return
    spent = minutes
    if within[-1] is theirs[-1]:  # the run may have been shorter: then its end is what is compared
        spent = min(minutes, theirs[-1].minutes)
        print(f"    the recorded curve ends after {theirs[-1].minutes:.1f} minutes; compared there")
    aurocs = [point.auroc for point in within if point.auroc is not None]
    best = max(aurocs) if aurocs else None
    _reached("has then", within[-1].accuracy, within[-1].auroc, ours, spent)
    _reached("best of any epoch, each by itself", max(point.accuracy for point in within), best, ours, spent)


def _reached(what: str, accuracy: float, auroc: float | None, ours: dict[str, list[Point]], spent: float) -> None:
    """When each of our runs has both, or never within its length."""
    print(f"    {what}: accuracy {accuracy:.3f}, " + ("no AUROC" if auroc is None else f"AUROC {auroc:.3f}"))
    for name, curve in ours.items():
        has = [
            point
            for point in curve
            if point.accuracy >= accuracy and (auroc is None or (point.auroc is not None and point.auroc >= auroc))
        ]
        if not has:
            end = f"{curve[-1].accuracy:.3f}, {curve[-1].auroc or 0:.3f}"
            print(f"      {name}: not within its {curve[-1].minutes:.1f} minutes, at whose end it has {end}")
            continue
        ratio = spent / has[0].minutes
        print(
            f"      {name}: after {has[0].minutes:.1f} minutes, step {has[0].step}: {ratio:.1f}x sooner; "
            f"bar {BAR:.0f}x: {'reached' if ratio >= BAR else 'missed'}"
        )
