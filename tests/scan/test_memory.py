"""A whole scan, process and workers together, takes no more memory for its last picture than for its first ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import clean_environment
from starting import Starter

KINDS = ("jpg", "png", "webp")
PAGE = os.sysconf("SC_PAGE_SIZE")


def mixed_sizes(folder: Path, count: int, most: int) -> Path:
    """`count` files of twelve pictures, 64 to `most` pixels a side, in three formats; equal ones are links."""
    folder.mkdir()
    row, column = np.mgrid[0:most, 0:most].astype(np.float32) / most
    whole = (np.dstack([row, column, 1 - row]) * 255).astype(np.uint8)
    firsts = []
    for number, size in enumerate(np.linspace(64, most, 12).astype(int)):
        firsts.append(folder / f"{number:04d}.{KINDS[number % 3]}")
        assert cv2.imwrite(os.fspath(firsts[-1]), whole[:size, :size])
    for number in range(12, count):
        os.link(firsts[number % 12], folder / f"{number:04d}{firsts[number % 12].suffix}")
    return folder


def children(process: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = stat.read_text(errors="replace").rpartition(")")
        except OSError:  # it has ended
            continue
        if int(rest.split()[1]) == process:
            yield int(stat.parent.name)


def resident(process: int) -> int:
    """Bytes of the process and of its workers."""
    pages = 0
    for one in (process, *children(process)):
        try:
            pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * PAGE


long = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(
    ("count", "most", "settled", "case"),
    [
        (240, 300, 80, True),
        pytest.param(2000, 3000, 200, True, marks=long),
        pytest.param(2000, 3000, 200, False, marks=long),
    ],
)
def test_memory_of_a_scan_stays_flat(
    count: int, most: int, settled: int, case: bool, tmp_path: Path, tiny_weights: Path, starter: Starter
) -> None:
    """TruFor 29: a batch of 500 died after a while, single pictures worked."""
    folder = mixed_sizes(tmp_path / "in", count, most)
    kept = ["--case", tmp_path / "x.case"] if case else []
    arguments = ["scan", folder, "--weights", tiny_weights, "--workers", "1", "--quiet", *kept]
    seen: list[tuple[int, int]] = []
    reading, writing = os.pipe()
    with Path(os.devnull).open("r+b") as nothing, os.fdopen(reading, "rb") as findings:
        streams = [nothing.fileno(), writing, nothing.fileno()]
        with starter.start(arguments, clean_environment({}), tmp_path, streams) as process:
            os.close(writing)
            for done, _ in enumerate(findings, start=1):
                if done % 8 == 0 and process.poll() is None:
                    seen.append((done, resident(process.pid)))
            assert (process.wait(60), done) == (0, count)
    early = [memory for done, memory in seen if settled <= done < settled + (count - settled) // 3]
    late = [memory for done, memory in seen if done >= count - (count - settled) // 3]
    assert max(late) <= 1.1 * max(early)
