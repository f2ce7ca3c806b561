"""Commands that are killed while they write what they hand over: the same command then leaves what it ever leaves."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import clean_environment, make_tiny_weights
from killing import KINDS
from starting import Starter

Moment = tuple[str, int]
MOST = 3
"""Moments of one kind that are tried: two files have fewer, and after a few copies each is as the one before it."""


@dataclass(frozen=True)
class Command:
    """One command, to be done in any folder."""

    words: Sequence[str | Path]
    starter: Starter
    code: int = 0

    def run(self, folder: Path, moment: Moment | None = None) -> int:
        """Its exit code; killed at that moment where it comes to it."""
        killed_at = None if moment is None else (str(folder), *moment)
        with (folder.parent / "errors").open("wb") as errors, Path(os.devnull).open("r+b") as nothing:
            streams = (nothing.fileno(), nothing.fileno(), errors.fileno())
            with self.starter.start(self.words, clean_environment({}), folder, streams, killed_at) as process:
                return process.wait(120)

    def check(self, tmp_path: Path, moments: Sequence[Moment]) -> None:
        """Killed at each of the moments in one folder, then done there; in another one done at once."""
        whole, killed = tmp_path / "whole", tmp_path / "killed"
        for folder in (whole, killed):
            folder.mkdir()
        assert self.run(whole) == self.code
        for moment in moments:
            assert self.run(killed, moment) == -signal.SIGKILL, (moment, self.said(tmp_path))
        assert self.run(killed) == self.code, self.said(tmp_path)
        assert left(killed) == left(whole)

    def check_each_moment(self, tmp_path: Path) -> int:
        """Killed at the first moments of each kind, in a folder each, then done there; how many moments there were."""
        whole = tmp_path / "whole"
        whole.mkdir()
        assert self.run(whole) == self.code
        count = 0
        for kind in KINDS:
            for nth in range(1, MOST + 1):
                folder = tmp_path / f"{kind}-{nth}"
                folder.mkdir()
                if self.run(folder, (kind, nth)) == self.code:
                    break
                count += 1
                assert self.run(folder) == self.code, (kind, nth, self.said(tmp_path))
                assert left(folder) == left(whole), (kind, nth)
        return count

    def said(self, tmp_path: Path) -> str:
        """The stderr of the last run."""
        return (tmp_path / "errors").read_text()


def left(folder: Path) -> dict[str, bytes]:
    """Whatever lies there, hidden files too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def enrol(tmp_path_factory: pytest.TempPathFactory, osma_mini_small: Path, starter: Starter) -> Command:
    recipe = {"jpeg_share": 0.5, "jpeg_quality_min": 60, "jpeg_quality_max": 100}
    folder = tmp_path_factory.mktemp("weights")
    weights = make_tiny_weights(folder / "old.safetensors", osma_mini_small, recipe=recipe, score="traces")
    images = osma_mini_small / "test_unseen"
    return Command(["weights", "enrol", weights, "others", images, "--out", "new.safetensors"], starter)


@pytest.fixture(scope="module")
def calibrate(osma_mini_small: Path, tiny_weights: Path, starter: Starter) -> Command:
    folders = ("--known", osma_mini_small / "val", "--unknown", osma_mini_small / "val_unseen")
    return Command(["calibrate", "--weights", tiny_weights, *folders, "--out", "a.calibration.toml"], starter)


@pytest.fixture(scope="module")
def discover(
    tmp_path_factory: pytest.TempPathFactory, samples: Path, comparing_weights: Path, starter: Starter
) -> Command:
    folder = tmp_path_factory.mktemp("scanned")
    (folder / "in").mkdir()
    for path in sorted(samples.glob("*.png"))[::3]:
        shutil.copyfile(path, folder / "in" / path.name)
    scan = ("scan", folder / "in", "--weights", comparing_weights, "--threshold", "1e9", "--case", folder / "a.case")
    assert Command(scan, starter).run(folder) == 0
    options = ("--weights", comparing_weights, "--k", "2", "--out", "page.html", "--copy", "unknown-1", "copies")
    return Command(["discover", folder / "a.case", *options], starter)


def test_calibrate_before_its_file_takes_its_name(calibrate: Command, tmp_path: Path) -> None:
    calibrate.check(tmp_path, [("os.rename", 1)])


def test_discover_while_it_copies(discover: Command, tmp_path: Path) -> None:
    """Killed when the page and one copy have their names, and the next copy is whole but still hidden."""
    discover.check(tmp_path, [("os.rename", 3)])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("name", "least"), [("enrol", 7), ("calibrate", 4), ("discover", 9)])
def test_each_moment(request: pytest.FixtureRequest, name: str, least: int, tmp_path: Path) -> None:
    assert request.getfixturevalue(name).check_each_moment(tmp_path) >= least
