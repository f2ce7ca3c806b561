"""A worker that dies, stalls or eats memory costs one file; the pool is bounded, ordered, and ends when told."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from forensic.data.decode import DecodeLimits, decode
from forensic.data.prepare import prepare
from forensic.errors import MachineError, Skipped, Unreadable
from forensic.scan import pool as pool_module
from forensic.scan.frames import Read
from forensic.scan.pool import WORKER_COMMAND, DecodePool

HOSTILE = Path(__file__).parents[1] / "hostile"
CONTROL = HOSTILE / "jpeg-ok-control.jpg"

HARMFUL = """
import ctypes, os, sys, time
sys.path.insert(0, sys.argv[1])
from forensic.scan import worker
honest = worker.decode
def decode(data, *, name, limits=None):
    if "crash" in name: ctypes.string_at(0)
    if "abort" in name: os.abort()
    if "hang" in name: time.sleep(3600)
    if "greedy" in name: held = bytearray(4 << 30)
    if "leave" in name: os._exit(7)
    if "noisy" in name: os.write(1, b"out" * 9999), os.write(2, b"err" * 9999)
    if "bug" in name: raise KeyError("of ours")
    if "no-control" in sys.argv[2] and name == "control.jpg": raise RuntimeError("broken decoder")
    return honest(data, name=name, limits=limits)
worker.decode = decode
if sys.argv[2] == "slow-disk":
    honest_read = worker.evidence.read
    def read(path, **options):
        if b"stalled" in path: time.sleep(3600)
        return honest_read(path, **options)
    worker.evidence.read = read
worker.main()
"""
"""Starts an honest worker whose decoder does harm to files that are named so."""


def harmful(switch: str = "") -> tuple[str, ...]:
    return (sys.executable, "-P", "-c", HARMFUL, WORKER_COMMAND[-1], switch)


def pool(workers: int = 1, limits: DecodeLimits | None = None, **options: object) -> DecodePool:
    return DecodePool(workers, limits or DecodeLimits(), "tiles-128-v1", **options)


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., list[bytes]]:
    """`files("a.jpg", "crash.jpg")`: copies of the control image under these names."""

    def make(*names: str) -> list[bytes]:
        for name in names:
            (tmp_path / name).write_bytes(CONTROL.read_bytes())
        return [os.fsencode(tmp_path / name) for name in names]

    return make


def read_all(opened: DecodePool, paths: list[bytes]) -> list[Read]:
    with opened:
        return list(opened.read(enumerate(paths)))


def children(of: int | None = None) -> set[int]:
    parent = [str(of or os.getpid())]  # by the children's word: a thread of it may end while its own list is read
    return {pid for pid in (int(path.name) for path in Path("/proc").glob("[0-9]*")) if status(pid)[1:2] == parent}


HOSTILE_PATHS = sorted(os.fsencode(path) for path in HOSTILE.iterdir() if path.suffix != ".md")


@pytest.fixture(scope="module")
def hostile_reads() -> list[Read]:
    """The hostile folder, read once by two workers."""
    return read_all(pool(2), HOSTILE_PATHS)


def test_a_worker_gives_what_reading_here_gives(hostile_reads: list[Read]) -> None:
    read = hostile_reads[HOSTILE_PATHS.index(os.fsencode(CONTROL))]
    decoded = decode(CONTROL.read_bytes(), name=CONTROL.name)
    expected = prepare(decoded.pixels, "tiles-128-v1")
    assert read.tiles is not None
    np.testing.assert_array_equal(read.tiles, expected.tiles)
    assert (read.bytes, read.width, read.height) == (7215, 192, 144)
    assert (read.format, read.flags, read.decoder, read.outcome) == ("JPEG", (), decoded.decoder, None)


def test_the_thumbnail_is_a_small_webp_of_the_upright_picture(hostile_reads: list[Read]) -> None:
    read = hostile_reads[HOSTILE_PATHS.index(os.fsencode(CONTROL))]
    assert read.thumbnail is not None
    assert read.thumbnail[:4] + read.thumbnail[8:12] == b"RIFFWEBP"
    small = cv2.imdecode(np.frombuffer(read.thumbnail, np.uint8), cv2.IMREAD_COLOR)
    assert small.shape == (72, 96, 3)
    whole = cv2.imread(os.fspath(CONTROL))
    assert np.abs(small.astype(int) - cv2.resize(whole, (96, 72), interpolation=cv2.INTER_AREA)).mean() < 8


def test_the_hostile_folder_comes_out_in_order_with_identity(hostile_reads: list[Read]) -> None:
    assert [read.index for read in hostile_reads] == list(range(59))
    kinds = [type(read.outcome).__name__ for read in hostile_reads]
    assert [kinds.count(kind) for kind in ("NoneType", "Unreadable", "Skipped")] == [44, 13, 2]
    for path, read in zip(HOSTILE_PATHS, hostile_reads, strict=True):
        content = Path(os.fsdecode(path)).read_bytes()
        assert (read.sha256, read.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
        assert (read.tiles is None) == (read.outcome is not None)
    assert len(list(HOSTILE.iterdir())) == 60


def test_results_do_not_depend_on_the_number_of_workers(hostile_reads: list[Read]) -> None:
    def told(read: Read) -> tuple[object, ...]:
        tiles = None if read.tiles is None else hashlib.sha256(read.tiles.tobytes()).hexdigest()
        return read.index, read.sha256, read.flags, tiles, read.thumbnail, repr(read.outcome)

    assert [told(read) for read in hostile_reads] == [told(read) for read in read_all(pool(1), HOSTILE_PATHS)]


FALLEN = {
    "crash.jpg": "decoder stopped (SIGSEGV)",
    "abort.jpg": "decoder stopped (SIGABRT)",
    "leave.jpg": "decoder stopped (exit code 7)",
    "greedy.jpg": "decoder stopped (memory limit)",
    "hang.jpg": "decoder stopped (time limit 2 s)",
    "bug.jpg": "decoder stopped (internal error: KeyError)",
}


@pytest.fixture(scope="module")
def harmed_reads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Read]:
    """Files that do harm, and honest ones around them, read by one worker at a time."""
    folder = tmp_path_factory.mktemp("harm")
    names = ["a.jpg", *FALLEN, "z.jpg"]
    for name in names:
        (folder / name).write_bytes(CONTROL.read_bytes())
    opened = pool(1, DecodeLimits(seconds=2), command=harmful())
    return dict(zip(names, read_all(opened, [os.fsencode(folder / name) for name in names]), strict=True))


@pytest.mark.parametrize("name", FALLEN)
def test_a_death_costs_one_file(name: str, harmed_reads: dict[str, Read]) -> None:
    assert harmed_reads["a.jpg"].outcome is None
    assert harmed_reads["z.jpg"].outcome is None
    fallen = harmed_reads[name]
    assert isinstance(fallen.outcome, Unreadable)
    assert fallen.outcome.reason == FALLEN[name]
    assert fallen.sha256 == hashlib.sha256(CONTROL.read_bytes()).hexdigest()
    assert (fallen.bytes, fallen.format) == (7215, "JPEG")


def test_a_disk_that_stalls_is_told_apart_from_a_decoder(files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "READ_SECONDS", 0.5)
    reads = read_all(pool(command=harmful("slow-disk")), files("stalled.jpg", "z.jpg"))
    assert repr(reads[0].outcome) == "Unreadable('could not be read within 0.5 s')"
    assert reads[1].outcome is None


def test_what_a_decoder_prints_reaches_nobody(files, capfd: pytest.CaptureFixture[str]) -> None:
    [read] = read_all(pool(command=harmful()), files("noisy.jpg"))
    assert read.outcome is None
    assert capfd.readouterr() == ("", "")


def test_a_machine_that_fails_on_the_control_picture_ends_the_scan(files) -> None:
    with pytest.raises(MachineError, match="fails on the control image: RuntimeError: broken decoder"):
        read_all(pool(command=harmful("no-control")), files("a.jpg", "b.jpg"))


def test_a_worker_that_can_not_be_started_is_the_machines_fault(files) -> None:
    with pytest.raises(MachineError, match="can not be started"):
        read_all(pool(command=("/nonexistent/python",)), files("a.jpg"))


def test_the_restart_budget_ends_the_scan(files) -> None:
    paths = files(*(f"leave-{number}.jpg" for number in range(4)))
    with pytest.raises(MachineError, match="too many have died"):
        read_all(pool(command=harmful(), restart_budget=2), paths)


def test_deaths_within_the_budget_are_findings(files) -> None:
    reads = read_all(pool(command=harmful(), restart_budget=2), files("leave-1.jpg", "leave-2.jpg", "z.jpg"))
    assert [read.outcome is None for read in reads] == [False, False, True]


def test_limits_hold_in_the_worker(files, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f.jpg")
    (tmp_path / "long.jpg").write_bytes(bytes(8001))
    paths = [*files("a.jpg"), os.fsencode(tmp_path / "long.jpg"), os.fsencode(tmp_path / "f.jpg")]
    reads = read_all(pool(1, DecodeLimits(max_bytes=8000, max_pixels=27647)), paths)
    assert repr(reads[0].outcome) == "Unreadable('27,648 pixels exceed the limit of 27,647')"
    assert repr(reads[1].outcome) == "Unreadable('8,001 bytes exceed the limit of 8,000')"
    assert isinstance(reads[2].outcome, Skipped)


def test_address_space_is_limited(tmp_path: Path) -> None:
    picture = np.zeros((6000, 6000, 3), np.uint8)
    path = tmp_path / "large.png"
    cv2.imwrite(os.fspath(path), picture)
    [read] = read_all(pool(1, DecodeLimits(address_space=64 << 20)), [os.fsencode(path)])
    assert repr(read.outcome) == "Unreadable('decoder stopped (memory limit)')"
    [read] = read_all(pool(1, DecodeLimits(address_space=512 << 20)), [os.fsencode(path)])
    assert read.outcome is None


def test_jobs_are_drawn_only_as_results_are_taken() -> None:
    drawn: list[int] = []

    def jobs() -> Iterator[tuple[int, bytes]]:
        for index in range(1000):
            drawn.append(index)
            yield index, os.fsencode(CONTROL)

    with pool(2) as opened:
        reads = opened.read(jobs())
        for taken in range(1, 6):
            assert next(reads).index == taken - 1
            assert len(drawn) <= taken + 8
        reads.close()


def test_a_slow_file_does_not_let_results_pile_up(files) -> None:
    paths = files("hang.jpg", "a.jpg") + files("a.jpg") * 40
    drawn: list[int] = []

    def jobs() -> Iterator[tuple[int, bytes]]:
        for index, path in enumerate(paths):
            drawn.append(index)
            yield index, path

    with pool(2, DecodeLimits(seconds=1.5), command=harmful()) as opened:
        reads = opened.read(jobs())
        assert "time limit" in str(next(reads).outcome)
        assert len(drawn) == 8
        assert [read.index for read in reads] == list(range(1, 42))


def test_closing_early_leaves_no_process(files) -> None:
    before = children()
    opened = pool(2, command=harmful())
    reads = opened.read(enumerate(files("a.jpg", "hang.jpg", "hang-2.jpg", "b.jpg")))
    assert next(reads).index == 0
    deadline = time.monotonic() + 60
    while len(children() - before) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    begun = time.monotonic()
    assert children() - before
    reads.close()
    assert time.monotonic() - begun < 20  # not the 30 s of the limit: the stalled workers are killed
    assert children() <= before
    opened.close()
    with pytest.raises(ValueError, match="closed"):
        next(opened.read([]))


def test_one_pool_serves_several_readings() -> None:
    with pool() as opened:
        first = [read.index for read in opened.read([(3, os.fsencode(CONTROL))])]
        second = [read.index for read in opened.read([(9, os.fsencode(CONTROL)), (1, os.fsencode(CONTROL))])]
    assert (first, second) == ([3], [9, 1])


def test_no_jobs_no_results() -> None:
    with pool() as opened:
        assert list(opened.read([])) == []
    with pytest.raises(ValueError, match="at least 1"):
        pool(0)


@pytest.mark.parametrize(
    "round_number", [1, *(pytest.param(number, marks=pytest.mark.slow) for number in range(2, 21))]
)
def test_opencv_in_the_parent_hangs_nobody(round_number: int) -> None:
    cv2.setNumThreads(4)
    for _ in range(3):
        cv2.GaussianBlur(cv2.imread(os.fspath(CONTROL)), (9, 9), round_number)
    reads = read_all(pool(4), [os.fsencode(CONTROL)] * 100)
    assert all(read.outcome is None for read in reads)


PARENT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from forensic.data.decode import DecodeLimits
from forensic.scan.pool import DecodePool
opened = DecodePool(1, DecodeLimits(), "tiles-128-v1")
reads = opened.read((i, os.fsencode(sys.argv[2])) for i in range(99))
next(reads)
print(flush=True)
sys.stdin.read()
"""


def test_workers_die_with_a_killed_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, WORKER_COMMAND[-1], os.fspath(CONTROL)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        pids = children(parent.pid)
        parent.kill()
    assert len(pids) == 1
    deadline = time.monotonic() + 10
    while any(status(pid)[:1] not in ([], ["Z"]) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(status(pid)[:1] not in ([], ["Z"]) for pid in pids)


def status(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def test_workers_inherit_no_descriptor(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("wb") as lock, pool() as opened:
        os.set_inheritable(lock.fileno(), True)
        before = children()
        reads = opened.read((index, os.fsencode(CONTROL)) for index in range(9))
        next(reads)
        [pid] = children() - before
        # os.path.realpath: the worker goes on reading, and what it read may be closed by now
        held = {os.path.realpath(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        reads.close()
    assert os.fspath(tmp_path / "lock") not in held


def resident(pids: set[int]) -> int:
    """Bytes of resident memory of these processes together."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def idle_worker() -> Iterator[tuple[DecodePool, int, int]]:
    """A pool of one that has read the control image, its process, and the most memory that took."""
    with pool() as opened:
        before = children()
        list(opened.read([(0, os.fsencode(CONTROL))]))
        [pid] = children() - before
        yield opened, pid, peak(pid)


@pytest.mark.parametrize(
    "name", ["png-bomb-20000x20000.png", "bmp-header-huge.bmp", "jpeg-sof-65500x65500.jpg", "png-ztxt-bomb-32mb.png"]
)
def test_a_bomb_does_not_make_a_worker_grow(name: str, idle_worker: tuple[DecodePool, int, int]) -> None:
    opened, pid, idle = idle_worker
    [read] = opened.read([(0, os.fsencode(HOSTILE / name))])
    assert read.bytes is not None
    assert status(pid)[:1] not in ([], ["Z"])
    assert peak(pid) - idle < 100 << 20


def peak(pid: int) -> int:
    """Bytes of resident memory that a process has had at most."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def mixed_sizes(folder: Path, most: int) -> list[bytes]:
    row, column = np.mgrid[0:most, 0:most].astype(np.float32) / most
    whole = (np.dstack([row, column, 1 - row]) * 255).astype(np.uint8)
    paths = []
    for number, size in enumerate(np.linspace(64, most, 12).astype(int)):
        path = folder / f"{number:02d}.{('jpg', 'png', 'webp')[number % 3]}"
        cv2.imwrite(os.fspath(path), whole[:size, :size])
        paths.append(os.fsencode(path))
    return paths


@pytest.mark.parametrize(
    ("count", "most", "settled"), [(240, 700, 60), pytest.param(2000, 3000, 200, marks=pytest.mark.slow)]
)
def test_memory_stays_flat(count: int, most: int, settled: int, tmp_path: Path) -> None:
    paths = mixed_sizes(tmp_path, most)
    before = children()
    sizes = []
    with pool(1) as opened:
        for number, read in enumerate(opened.read((n, paths[n % len(paths)]) for n in range(count))):
            assert read.outcome is None
            if number >= settled and number % len(paths) == 0:
                sizes.append(resident(children() - before))
    assert max(sizes[-3:]) <= 1.1 * max(sizes[:3])
