"""A scan that is killed or runs out of disk, and then run again, leaves what an undisturbed one leaves, to the byte."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import clean_environment, forensic_command

FIXED = {"SOURCE_DATE_EPOCH": "1767323045"}
PICTURES = 40
Undisturbed = tuple[dict[str, bytes], float]


@dataclass(frozen=True)
class Work:
    """One scan, to be done in any folder: the command, and what it leaves."""

    command: list[str | bytes]

    def begin(self, folder: Path, **options: object) -> subprocess.Popen[bytes]:
        folder.mkdir(exist_ok=True)
        return subprocess.Popen(
            self.command,
            cwd=folder,
            env=clean_environment(FIXED),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            **options,
        )

    def finish(self, folder: Path, **options: object) -> int:
        with self.begin(folder, **options) as process:
            process.communicate(timeout=120)
            return process.returncode


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path, hostile: Path) -> Work:
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
    return Work(forensic_command(arguments))


@pytest.fixture(scope="module")
def whole(work: Work, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """What an undisturbed run leaves, and how long it takes."""
    folder, begun = tmp_path_factory.mktemp("whole"), time.monotonic()
    assert work.finish(folder) == 3
    seconds = time.monotonic() - begun
    return left(folder), seconds


def left(folder: Path) -> dict[str, bytes]:
    """The report's bytes and those of the exported findings; nothing else may lie there but the case."""
    assert sorted(entry.name for entry in folder.iterdir()) == ["x.case", "x.html"]
    exported = forensic_command(["case", "export", "x.case", "--format", "jsonl"])
    done = subprocess.run(exported, cwd=folder, env=clean_environment({}), capture_output=True, check=True)
    checked = forensic_command(["case", "verify", "x.case", "--level", "0"])
    subprocess.run(checked, cwd=folder, env=clean_environment({}), capture_output=True, check=True)
    return {"report": (folder / "x.html").read_bytes(), "findings": done.stdout}


def killed(work: Work, folder: Path, moments: Sequence[float]) -> int:
    """How often the process was still there to be killed; then the same command goes through."""
    count = 0
    for moment in moments:
        with work.begin(folder) as process:
            time.sleep(moment)
            count += process.poll() is None
            process.kill()
            process.communicate(timeout=60)
    assert work.finish(folder) == 3
    return count


def test_five_kills_change_nothing(work: Work, whole: Undisturbed, tmp_path: Path) -> None:
    expected, seconds = whole
    count = killed(work, tmp_path / "run", [share * seconds for share in (0.3, 0.45, 0.6, 0.75, 0.9)])
    assert count > 0
    assert left(tmp_path / "run") == expected


def no_more_than(size: int) -> Callable[[], None]:
    """Files of the process may not grow beyond so many bytes, which a disk that is full looks like."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [pytest.param(60_000, marks=pytest.mark.slow), 150_000])
def test_a_full_disk_in_the_middle(work: Work, whole: Undisturbed, tmp_path: Path, size: int) -> None:
    folder = tmp_path / "run"
    assert work.finish(folder, preexec_fn=no_more_than(size)) == 6
    assert not (folder / "x.html").exists()
    assert work.finish(folder) == 3
    assert left(folder) == whole[0]


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_hundred_kills_change_nothing(work: Work, whole: Undisturbed, tmp_path: Path) -> None:
    expected, seconds = whole
    draws, count, number = np.random.default_rng(int.from_bytes(os.urandom(4))), 0, 0
    while count < 100:
        folder = tmp_path / f"run{number}"
        count += killed(work, folder, [float(share) * seconds for share in draws.random(5)])
        assert left(folder) == expected
        number += 1
