"""Scans in this process, with real workers and a small real weights file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from forensic.case.rows import Finding
from forensic.scan.events import Finished, Found, Summary
from forensic.scan.plan import ScanPlan
from forensic.scan.run import run


@dataclass(frozen=True)
class Scanned:
    findings: list[Finding]
    summary: Summary

    @property
    def statuses(self) -> dict[str, tuple[str, str | None]]:
        """Last part of the path -> (status, reason)."""
        return {finding.path.rpartition("/")[2]: (finding.status, finding.reason) for finding in self.findings}


@pytest.fixture(scope="session")
def scan(tiny_weights: Path) -> Callable[..., Scanned]:
    """`scan(folder, case=..., follow_links=True)`: findings and summary; options are those of `ScanPlan`.

    With one worker where nothing else is said: a second one takes longer to start than these pictures to read.
    """

    def call(*paths: Path | bytes | str, **options: Any) -> Scanned:
        settings = {"workers": 1, "weights": tiny_weights, **options}
        with closing(run(ScanPlan(paths=tuple(os.fsencode(path) for path in paths), **settings))) as events:
            told = list(events)
        assert isinstance(told[-1], Finished)
        return Scanned([event.finding for event in told if isinstance(event, Found)], told[-1].summary)

    return call


@pytest.fixture
def control(hostile: Path) -> Path:
    """A picture without anything peculiar."""
    return hostile / "jpeg-ok-control.jpg"


@pytest.fixture
def copies(control: Path) -> Callable[[Path, int], Path]:
    """`copies(folder, 20)`: so many files of equal bytes, named 0000.jpg and on."""

    def make(folder: Path, count: int) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            shutil.copyfile(control, folder / f"{number:04d}.jpg")
        return folder

    return make
