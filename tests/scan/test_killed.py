"""A worker that the system kills, as it does for want of memory, says nothing of the file that it looked at."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from forensic.data.decode import DecodeLimits
from forensic.errors import MachineError
from forensic.scan.frames import Read
from forensic.scan.pool import WORKER_COMMAND, DecodePool

CONTROL = Path(__file__).parents[1] / "hostile" / "jpeg-ok-control.jpg"
KILLED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from forensic.scan import worker
honest = worker.decode
def decode(data, *, name, limits=None):
    wanted = os.path.basename(name)
    if wanted.startswith("always") or wanted.startswith("once") and not os.path.exists(name + ".done"):
        open(name + ".done", "w").close()
        os.kill(os.getpid(), 9)
    return honest(data, name=name, limits=limits)
worker.decode = decode
if len(sys.argv) > 2 and len(os.listdir(sys.argv[2])) < int(sys.argv[3]):
    open(os.path.join(sys.argv[2], str(os.getpid())), "w").close()
    os.kill(os.getpid(), 9)
worker.main()
"""
"""Starts an honest worker that is killed over files that are named so."""


def read_all(folder: Path, *names: str, budget: int, more: Sequence[str] = ()) -> list[Read]:
    command = (sys.executable, "-P", "-c", KILLED, WORKER_COMMAND[-1], *more)
    for name in names:
        shutil.copyfile(CONTROL, folder / name)
    with DecodePool(1, DecodeLimits(), "tiles-128-v1", restart_budget=budget, command=command) as pool:
        return list(pool.read(enumerate(os.fsencode(folder / name) for name in names)))


def test_a_file_is_read_once_more(tmp_path) -> None:
    once, plain, always, last = read_all(tmp_path, "once.jpg", "plain.jpg", "always.jpg", "last.jpg", budget=2)
    assert [read.outcome is None for read in (once, plain, always, last)] == [True, True, False, True]
    assert once.sha256 == plain.sha256 == always.sha256
    np.testing.assert_array_equal(once.tiles, plain.tiles)
    assert repr(always.outcome) == "Unreadable('decoder stopped (SIGKILL)')"


def test_files_and_not_workers_are_counted(tmp_path) -> None:
    read_all(tmp_path, "always.jpg", budget=1)
    with pytest.raises(MachineError, match="decode workers: too many have died"):
        read_all(tmp_path, "once-1.jpg", "once-2.jpg", budget=1)


def test_one_that_is_killed_before_it_is_ready_is_started_again(tmp_path) -> None:
    for starts in (2, 3):
        (tmp_path / f"{starts}").mkdir()
    (read,) = read_all(tmp_path, "plain.jpg", budget=0, more=(str(tmp_path / "2"), "2"))
    assert read.outcome is None
    with pytest.raises(MachineError, match="a fresh one fails on the control image"):
        read_all(tmp_path, "plain.jpg", budget=0, more=(str(tmp_path / "3"), "3"))
