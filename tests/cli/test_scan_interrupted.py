"""A scan that is interrupted, or whose output is closed or full, keeps what is done and says so."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest
from conftest import clean_environment
from starting import Started, Starter

from forensic.case.ledger import open_case
from forensic.errors import UsageError

MANY = 160
"""Pictures, for a scan that is to be stopped before its end."""
Start = Callable[..., AbstractContextManager[tuple[Started, Callable[[], bytes]]]]


@pytest.fixture
def started(starter: Starter, tiny_weights: Path, tmp_path: Path) -> Start:
    """`started(folder, stdout=descriptor)`: the process of a scan, and what reads what it has said on stderr."""

    @contextmanager
    def start(*arguments: str | Path, stdout: int) -> Iterator[tuple[Started, Callable[[], bytes]]]:
        errors = tmp_path / "stderr"
        command = ("scan", "--weights", tiny_weights, *arguments)
        with Path(os.devnull).open("rb") as nothing, errors.open("wb") as said:
            streams = (nothing.fileno(), stdout, said.fileno())
            with starter.start(command, clean_environment({}), None, streams) as process:
                yield process, errors.read_bytes

    return start


@pytest.fixture
def many(tmp_path: Path, hostile: Path) -> Path:
    made = tmp_path / "many"
    made.mkdir()
    for number in range(MANY):
        shutil.copyfile(hostile / "jpeg-ok-control.jpg", made / f"{number:04d}.jpg")
    return made


def wait_for_findings(case: Path, count: int, process: Started) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(UsageError), open_case(case) as stored:  # not there, or not begun yet
            if len(stored) >= count:
                return
        time.sleep(0.02)
    pytest.fail("the scan ended before it could be stopped")


def test_interrupts_keep_what_is_done_and_the_same_command_goes_on(
    run_forensic, started: Start, tiny_weights: Path, many: Path, tmp_path: Path
) -> None:
    scan = ("scan", "--weights", tiny_weights, many, "--case")
    whole = run_forensic(*scan, tmp_path / "whole.case")
    case, done = tmp_path / "x.case", 0
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        with (
            Path(os.devnull).open("wb") as nothing,
            started(many, "--case", case, stdout=nothing.fileno()) as (process, errors),
        ):
            wait_for_findings(case, done + 1, process)
            process.send_signal(number)
            assert process.wait(60) == code
        err = errors()
        assert b"Traceback" not in err
        if number is not signal.SIGKILL:
            assert b"the same command goes on" in err
        with open_case(case) as stored:
            assert len(stored) > done
            done = len(stored)
    again = run_forensic(*scan, case)
    assert again.code == whole.code == 0
    assert again.out == whole.out
    digests = {line for ran in (whole, again) for line in ran.err.splitlines() if line.startswith("closing digest")}
    assert len(digests) == 1


def test_closed_pipe_ends_quietly(started: Start, many: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with started(many, "--case", tmp_path / "a.case", stdout=writing) as (process, errors):
        os.close(writing)
        with os.fdopen(reading, "rb") as findings:
            findings.readline()
        assert process.wait(60) == 141
    err = errors()
    assert b"Traceback" not in err
    assert b"BrokenPipe" not in err
    with open_case(tmp_path / "a.case") as case:
        assert 0 < len(case) < MANY


def test_full_disk_at_stdout(started: Start, hostile: Path) -> None:
    with (
        Path("/dev/full").open("wb") as full,
        started(hostile / "jpeg-ok-control.jpg", stdout=full.fileno()) as (process, errors),
    ):
        assert process.wait(120) == 6
    err = errors()
    assert b"no space left" in err
    assert b"Traceback" not in err
