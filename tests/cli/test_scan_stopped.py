"""A scan that is killed or runs out of disk, and then run again, leaves what an undisturbed one leaves, to the byte."""

from __future__ import annotations

import os
import resource
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import clean_environment
from starting import Started, Starter

FIXED = {"SOURCE_DATE_EPOCH": "1767323045"}
PICTURES = 40
Undisturbed = tuple[dict[str, bytes], float]


@dataclass(frozen=True)
class Work:
    """One scan, to be done in any folder."""

    arguments: list[str | Path]
    starter: Starter

    def begin(self, folder: Path) -> Started:
        """Started as a fork, so that a moment in its time is one of the scan and not of loading torch."""
        folder.mkdir(exist_ok=True)
        with Path(os.devnull).open("r+b") as nothing:
            return self.starter.start(self.arguments, clean_environment(FIXED), folder, [nothing.fileno()] * 3)

    def finish(self, folder: Path) -> int:
        with self.begin(folder) as process:
            return process.wait(120)

    def run_out(self, folder: Path, size: int) -> int:
        """On a disk that is full: no file of the process may grow beyond so many bytes."""
        with self.begin(folder) as process:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))  # while it is still loading
            return process.wait(120)

    def left(self, folder: Path) -> dict[str, bytes]:
        """The report's bytes and those of the exported findings; nothing else may lie there but the case."""
        assert sorted(entry.name for entry in folder.iterdir()) == ["x.case", "x.html"]
        export, verify = ("export", "x.case", "--format", "jsonl"), ("verify", "x.case", "--level", "0")
        exported, verified = (
            self.starter.run(["case", *words], clean_environment({}), folder, None, 120) for words in (export, verify)
        )
        assert exported[0] == verified[0] == 0
        return {"report": (folder / "x.html").read_bytes(), "findings": exported[1]}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path, hostile: Path, starter: Starter) -> Work:
    """Pictures of several sizes, the same one twice, and one that can not be read."""
    evidence = tmp_path_factory.mktemp("evidence")
    draws = np.random.default_rng(0)
    for number in range(PICTURES):
        side = int(draws.integers(128, 400))
        picture = draws.integers(0, 256, (side, side, 3)).astype(np.uint8)
        assert cv2.imwrite(str(evidence / f"{number:03d}.png"), picture)
    shutil.copyfile(evidence / "003.png", evidence / "050-again.png")
    shutil.copyfile(hostile / "jpeg-truncated-half.jpg", evidence / "030-broken.jpg")
    arguments = ["scan", evidence, "--weights", tiny_weights, "--report", "x.html", "--workers", "2"]
    return Work(arguments, starter)


@pytest.fixture(scope="module")
def whole(work: Work, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """What an undisturbed run leaves, and how long it takes."""
    folder = tmp_path_factory.mktemp("whole")
    with work.begin(folder) as process:
        begun = time.monotonic()
        assert process.wait(120) == 3
        seconds = time.monotonic() - begun
    return work.left(folder), seconds


def killed(work: Work, folder: Path, moments: Sequence[float]) -> int:
    """How often the process was still there to be killed; then the same command goes through."""
    count = 0
    for moment in moments:
        with work.begin(folder) as process:
            time.sleep(moment)
            count += process.poll() is None
            process.kill()
            process.wait(60)
    assert work.finish(folder) == 3
    return count


def test_five_kills_change_nothing(work: Work, whole: Undisturbed, tmp_path: Path) -> None:
    expected, seconds = whole
    count = 0
    while count < 2:  # a machine that was busy when it was timed is quicker now
        folder = tmp_path / f"{seconds}"
        count = killed(work, folder, [share * seconds for share in (0.3, 0.45, 0.6, 0.75, 0.9)])
        assert work.left(folder) == expected
        seconds /= 2


@pytest.mark.parametrize("size", [pytest.param(60_000, marks=pytest.mark.slow), 150_000])
def test_a_full_disk_in_the_middle(work: Work, whole: Undisturbed, tmp_path: Path, size: int) -> None:
    folder = tmp_path / "run"
    assert work.run_out(folder, size) == 6
    assert not (folder / "x.html").exists()
    assert work.finish(folder) == 3
    assert work.left(folder) == whole[0]


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_hundred_kills_change_nothing(work: Work, whole: Undisturbed, tmp_path: Path) -> None:
    expected, seconds = whole
    draws, count, number = np.random.default_rng(int.from_bytes(os.urandom(4))), 0, 0
    while count < 100:
        folder = tmp_path / f"run{number}"
        count += killed(work, folder, [float(share) * seconds for share in draws.random(5)])
        assert work.left(folder) == expected
        number += 1
