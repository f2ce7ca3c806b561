"""Signals before a command begins and after it; those to one that works are in `test_app`."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import forensic

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]["forensic"]
STARTS = {
    "module": "import runpy; runpy.run_module('forensic', run_name='__main__', alter_sys=True)",
    "script": "import sys; from {} import {} as main; sys.exit(main())".format(*SCRIPT.split(":")),
}
SIGNALLED = """
import os, signal, sys
name, number, ignored = {name!r}, {number}, {ignored}
if ignored:
    signal.signal(number, signal.SIG_IGN)
def hook(event, arguments):
    if event == "import" and arguments[0] == name:
        os.write(1, b"reached\\n")
        os.kill(os.getpid(), number)
sys.addaudithook(hook)
if name == "the end":
    import atexit
    atexit.register(lambda: os.kill(os.getpid(), number))
sys.argv[1:] = ["--version"]
"""


def start(how: str, name: str, number: int, *, ignored: bool = False) -> tuple[int, str, str]:
    """Code, stdout and stderr of a start that is signalled when it comes to the import of `name`."""
    code = SIGNALLED.format(name=name, number=int(number), ignored=ignored) + STARTS[how]
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("how", STARTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["forensic.cli.app", "typer", "forensic.cli.console", "typer.completion"])
def test_while_modules_are_read_it_leaves_without_a_word(how: str, number: signal.Signals, name: str) -> None:
    assert start(how, name, number) == (128 + number, "reached\n", "")


@pytest.mark.parametrize("how", STARTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_the_command_it_leaves_without_a_word(how: str, number: signal.Signals) -> None:
    assert start(how, "the end", number) == (128 + number, f"forensic {forensic.__version__}\n", "")


def test_what_the_caller_has_ignored_stays_ignored() -> None:
    code, out, err = start("module", "typer", signal.SIGINT, ignored=True)
    assert (code, err) == (0, "")
    assert out.startswith("reached\nforensic ")
