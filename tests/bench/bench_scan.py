"""A whole scan beside its two parts alone: decoding (read, hash, decode, tiles) and inference, on the same files.

python tests/bench/bench_scan.py [--engine auto] [--pictures 300] [--rounds 3] [--folder build/bench-scan]

On a CPU both parts want the same cores: the scan can take no less than about their sum, and is held against it. With a
GPU it is held against the larger. All three run in one process, in turns; what the scan finds is what inference alone
finds. Memory is that of the process and its workers while it scans, in each third of the files.
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
import gc
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import torch
from scan_pictures import pictures

from forensic.engines.choice import choose, processor_name
from forensic.models.weights import find_weights, read_card
from forensic.scan.attribute import attribute
from forensic.scan.engine import Engine, Measured
from forensic.scan.events import Found
from forensic.scan.frames import Read
from forensic.scan.plan import MAX_TILES, ScanPlan
from forensic.scan.pool import DecodePool
from forensic.scan.run import BATCH_TILES, run

T = TypeVar("T")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="auto", help="auto, torch, openvino or onnx")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("build/bench-scan"), help="where the pictures are kept")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    paths = pictures(options.folder, options.pictures)
    plan = ScanPlan(
        paths=tuple(os.fsencode(path) for path in paths), engine=options.engine, device=options.device, workers=cores
    )
    choice = choose(options.engine, options.device)
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    print(f"{processor_name()}, {cores} cores; {len(paths)} JPEGs, {megabytes:.0f} MB; engine {choice}")

    engine = Engine(None, options.device, choice)
    parts: dict[str, list[float]] = {"decoding": [], "inference": [], "scan": []}
    memory: list[list[float]] = []
    for _ in range(options.rounds):
        taken, reads = timed(lambda: decode(plan, paths))
        parts["decoding"].append(taken)
        taken, measured = timed(lambda reads=reads: infer(engine, reads))
        parts["inference"].append(taken)
        expected = verdicts(reads, measured)
        del reads, measured
        gc.collect()
        with Memory() as watch:
            taken, found = timed(lambda watch=watch: scan(plan, watch))
        parts["scan"].append(taken)
        memory.append(watch.thirds(len(paths)))
        assert found == expected, "the scan found something else than its parts"
    show(parts, memory, len(paths), cuda=options.device != "cpu")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def decode(plan: ScanPlan, paths: Sequence[Path]) -> list[Read]:
    preprocessing = read_card(find_weights(None)).preprocessing
    with DecodePool(plan.workers, plan.limits, preprocessing, max_tiles=MAX_TILES, thumbnails=plan.thumbnails) as pool:
        return list(pool.read((number, os.fsencode(path)) for number, path in enumerate(paths)))


def infer(engine: Engine, reads: Sequence[Read]) -> list[Measured]:
    """In batches as the scan closes them by the number of tiles."""
    measured: list[Measured] = []
    batch: list[np.ndarray] = []
    for read in reads:
        assert read.tiles is not None, read.outcome
        batch.append(read.tiles)
        if sum(map(len, batch)) >= BATCH_TILES:
            measured += engine.measure(batch)
            batch = []
    return measured + engine.measure(batch)


def verdicts(reads: Sequence[Read], measured: Sequence[Measured]) -> list[tuple[str | None, str | None]]:
    card = read_card(find_weights(None))
    found = []
    for read, one in zip(reads, measured, strict=True):
        assert read.tiles is not None
        assert one.scored is not None
        said = attribute(one.scored, len(read.tiles), card)
        found.append((said.verdict, said.label))
    return found


def scan(plan: ScanPlan, watch: Memory) -> list[tuple[str | None, str | None]]:
    found = []
    with closing(run(plan)) as events:
        for event in events:
            if isinstance(event, Found):
                found.append((event.finding.verdict, event.finding.label))
                watch.done = len(found)
    return found


class Memory:
    """Resident bytes of this process and its children, ten times a second, beside how many files were done."""

    def __init__(self) -> None:
        self.done = 0
        self._seen: list[tuple[int, int]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def thirds(self, files: int) -> list[float]:
        """Most megabytes while each third of the files was worked on."""
        most = [0, 0, 0]
        for done, resident in self._seen:
            third = min(3 * done // files, 2)
            most[third] = max(most[third], resident)
        return [one / 1e6 for one in most]

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            self._seen.append((self.done, sum(map(_resident, [os.getpid(), *_children()]))))


def _children() -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:  # it has ended
            continue
        if int(rest.split()[1]) == os.getpid():
            found.append(int(stat.parent.name))
    return found


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except OSError:
        return 0


def show(parts: dict[str, list[float]], memory: list[list[float]], files: int, *, cuda: bool) -> None:
    for name, seconds in parts.items():
        median = statistics.median(seconds)
        print(f"  {name:<10} {median:7.2f} s  {1e3 * median / files:6.1f} ms a file")
    bound = max if cuda else lambda one, other: one + other
    pairs = zip(parts["decoding"], parts["inference"], parts["scan"], strict=True)
    ratios = sorted(whole / bound(one, other) for one, other, whole in pairs)
    of = "the larger part" if cuda else "the sum of the parts"
    print(f"  scan / {of}: {statistics.median(ratios):.3f} ({ratios[0]:.3f}..{ratios[-1]:.3f})")
    thirds = [statistics.median(column) for column in zip(*memory, strict=True)]
    print("  memory, MB, in each third of the files: " + ", ".join(f"{one:.0f}" for one in thirds))


if __name__ == "__main__":
    main()
