"""A command that is a fork is what a new interpreter would be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import clean_environment
from starting import Starter

from forensic.case.ledger import open_case


@pytest.mark.parametrize(("arguments", "code"), [(("scan", "--nope"), 2), (("weights", "list"), 0), ((), 2)], ids=str)
def test_same_code_and_same_bytes(run_forensic, arguments: tuple[str, ...], code: int) -> None:
    fork = run_forensic(*arguments)
    assert fork.code == code
    assert fork == run_forensic(*arguments, new=True)


def test_same_findings_and_the_same_command_in_the_case(
    run_forensic, tiny_weights: Path, hostile: Path, tmp_path: Path
) -> None:
    said, commands = [], []
    pictures = [hostile / name for name in ("jpeg-ok-control.jpg", "empty.jpg")]
    for name, new in (("fork", False), ("new", True)):
        (tmp_path / name).mkdir()
        command = ("scan", *pictures, "--weights", tiny_weights, "--case", "x.case")
        said.append(run_forensic(*command, cwd=tmp_path / name, new=new))
        with open_case(tmp_path / name / "x.case") as stored:
            commands.append(stored.runs[0].argv)
    assert said[0].code == 3
    assert said[0] == said[1]
    assert commands[0] == commands[1]


def test_input_environment_and_folder_are_its_own(run_forensic, hostile: Path, tmp_path: Path) -> None:
    listed = os.fsencode(hostile / "jpeg-ok-control.jpg") + b"\n"
    ran = run_forensic("scan", "--files-from", "-", "--dry-run", input=listed)
    assert ran.lines == [str(hostile / "jpeg-ok-control.jpg")]
    (tmp_path / "forensic.toml").write_text('[doctor]\nformat = "json"\n')
    settings = {"cwd": tmp_path, "env": {"FORENSIC_DOCTOR_FORMAT": "table"}}
    assert "FORENSIC_DOCTOR_FORMAT" in run_forensic("config", "show", **settings).out
    assert "FORENSIC_DOCTOR_FORMAT" not in run_forensic("config", "show", cwd=tmp_path).out


def test_it_can_be_killed(starter: Starter, hostile: Path) -> None:
    reading, writing = os.pipe()
    with Path(os.devnull).open("r+b") as nothing:
        streams = (reading, nothing.fileno(), nothing.fileno())
        with starter.start(("scan", "--files-from", "-"), clean_environment({}), hostile, streams) as process:
            assert process.poll() is None
            process.kill()
            assert process.wait(60) == process.poll() == -signal.SIGKILL
    os.close(reading)
    os.close(writing)


ENDING = """
import atexit, starting
atexit.register(starting._leave)
atexit.register(print, "registered")
class Held:
    def __del__(self): print("taken down")
held = Held()
print("printed")
starting._ended_with.append(7)
"""


@pytest.mark.parametrize(("full", "code"), [(False, 7), (True, 120)])
def test_it_ends_as_python_does_but_leaves_the_modules_standing(full: bool, code: int) -> None:
    """A stream that can not be flushed is told by Python itself: 120 is its code for that."""
    with Path("/dev/full").open("wb") as device:
        out = device if full else subprocess.PIPE
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PYTHONUNBUFFERED": ""}
        command = [sys.executable, "-c", ENDING]
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, env=env, check=False)
    assert (done.returncode, "No space left on device" in done.stderr) == (code, full)
    assert done.stdout == (None if full else "printed\nregistered\n")


@pytest.mark.parametrize(
    ("name", "suits"),
    [("FORENSIC_ISA", True), ("SOURCE_DATE_EPOCH", True), ("OMP_NUM_THREADS", False), ("PYTHONPATH", False)],
)
def test_what_is_read_while_loading_needs_a_new_interpreter(starter: Starter, name: str, suits: bool) -> None:
    assert starter.suits(clean_environment({name: "7"})) is suits
