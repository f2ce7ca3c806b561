"""The frame of the program: exit codes, one-line errors, traceback files, signals, closed pipes, loading on demand."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import forensic
from forensic.cli import app, doctor
from forensic.cli.commands import COMMANDS, load_command
from forensic.errors import ExitCode, MissingError

REPOSITORY = Path(__file__).resolve().parents[2]


def leave_with(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        app.main(list(arguments))
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.fixture(autouse=True)
def signals_as_before():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def run_forensic(run_forensic):
    """In a new interpreter each time: its start and its end are what is looked at here."""
    return partial(run_forensic, new=True)


def test_version(run_forensic) -> None:
    ran = run_forensic("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"forensic {forensic.__version__}\n", "")


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command(run_forensic, option: str) -> None:
    ran = run_forensic(option)
    assert ran.code == 0
    assert ran.err == ""
    for name in COMMANDS:
        assert f"\n  {name} " in ran.out


def test_no_command_is_wrong_use_with_the_help_page(run_forensic) -> None:
    ran = run_forensic()
    assert (ran.code, ran.out) == (2, "")
    assert "Usage: forensic" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scann"], "forensic: No such command 'scann'. Did you mean 'scan'? See `forensic --help`"),
        (["--nope"], "forensic: No such option: --nope. See `forensic --help`"),
        (["doctor", "--nope"], "forensic: No such option: --nope. See `forensic doctor --help`"),
    ],
)
def test_wrong_use_is_one_line(run_forensic, arguments: list[str], said: str) -> None:
    ran = run_forensic(*arguments)
    assert (ran.code, ran.out, ran.err) == (2, "", said + "\n")


def test_error_of_the_tree_is_one_line_and_its_code(monkeypatch, capsys) -> None:
    def missing():
        raise MissingError("weights [bold]/x\x1b", "not found", "See `forensic weights list`")

    monkeypatch.setattr(doctor, "_all_checks", missing)
    assert leave_with("doctor") == ExitCode.MISSING
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "forensic: weights [bold]/x\\x1b: not found. See `forensic weights list`\n"


def test_internal_error_leaves_a_trace_file_without_locals(monkeypatch, capsys, tmp_path: Path) -> None:
    def broken():
        secret = "name of a witness".upper()
        raise RuntimeError(f"no {len(secret)}")

    monkeypatch.setattr(doctor, "_all_checks", broken)
    monkeypatch.setattr(app.tempfile, "gettempdir", lambda: str(tmp_path))
    assert leave_with("doctor") == ExitCode.INTERNAL
    captured = capsys.readouterr()
    assert captured.out == ""
    (trace,) = tmp_path.iterdir()
    assert captured.err == (f"forensic: internal error: RuntimeError. Please report it with the traceback: {trace}\n")
    text = trace.read_text(encoding="utf-8")
    assert "RuntimeError: no 17" in text
    assert "NAME OF A WITNESS" not in text


@pytest.mark.parametrize("form", [["--case", "{}/x.case"], ["--case={}/x.case"], ["--report", "{}/x.html"]])
def test_trace_file_lies_beside_the_output(form: list[str], tmp_path: Path) -> None:
    arguments = ["scan", *(part.format(tmp_path) for part in form)]
    assert next(app._trace_folders(arguments)) == str(tmp_path)


def test_trace_file_goes_to_the_temporary_folder_otherwise(tmp_path: Path) -> None:
    assert list(app._trace_folders(["scan", str(tmp_path)])) == [app.tempfile.gettempdir()]
    assert list(app._trace_folders(["scan", "--case"])) == [app.tempfile.gettempdir()]


WAITING = """
import sys, time
from forensic.cli import app, doctor
def wait():
    print("ready", flush=True)
    time.sleep(60)
doctor._all_checks = wait
app.main(["doctor"])
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)]
)
def test_signals_have_their_codes(number: signal.Signals, code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(timeout=20) == code
        assert "Traceback" not in process.stderr.read()


PRINTING = """
from forensic.cli import app, console, doctor
def pour():
    for number in range(200_000):
        console.data(f"line {number}")
doctor._all_checks = pour
app.main(["doctor"])
"""


def test_the_end_of_the_process_looks_for_no_cycles() -> None:
    """With torch that takes a fifth of a short scan; what is registered first is called last."""
    code = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000))\n"
        "from forensic.cli.app import main\n"
        "main(['--version'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["True"]


def test_closed_pipe_ends_quietly() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PRINTING], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"line 0\n"
        process.stdout.close()
        assert process.wait(timeout=20) == ExitCode.CLOSED_PIPE
        assert process.stderr.read() == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_a_slow_reader_is_waited_for(number: signal.Signals) -> None:
    code = (
        "import io, os, sys\n"
        "class Slow(io.FileIO):\n"
        "    asked = False\n"
        "    def write(self, data):\n"
        "        if not self.asked:\n"
        "            self.asked = True\n"
        f"            os.kill(os.getpid(), {int(number)})\n"
        "        return super().write(data)\n"
        "sys.stdout = io.TextIOWrapper(io.BufferedWriter(Slow(1, 'w', closefd=False)))\n"
        "from forensic.cli.app import main\n"
        "main(['--version'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (128 + number, "")


def test_no_stdout_at_all_is_no_crash() -> None:
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m forensic --version >&-'],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (ExitCode.CLOSED_PIPE, b"")


def test_no_stderr_leaves_data_and_exit_code() -> None:
    command = f'"{sys.executable}" -m forensic --version 2>&- <&-'
    done = subprocess.run(["bash", "-c", command], cwd=REPOSITORY, stdout=subprocess.PIPE, check=False)
    assert (done.returncode, done.stdout) == (0, f"forensic {forensic.__version__}\n".encode())


def test_working_directory_that_is_gone_is_one_line(tmp_path) -> None:
    command = (
        f'cd "{tmp_path}" && rmdir "{tmp_path}" && PYTHONPATH="{REPOSITORY}" "{sys.executable}" -m forensic doctor'
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr == b"forensic: working directory: does not exist any more. Change to another one\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads(name: str) -> None:
    command = load_command(name)
    assert command.name == name
    assert bool(getattr(command, "commands", None)) is COMMANDS[name].is_group


def test_completion_offers_commands(run_forensic) -> None:
    asked = {"_FORENSIC_COMPLETE": "complete_bash", "COMP_WORDS": "forensic ", "COMP_CWORD": "1"}
    assert run_forensic(env=asked).out.split() == list(COMMANDS)


def test_name_that_is_no_utf8_is_printed(run_forensic) -> None:
    ran = run_forensic(os.fsencode("no-such-\udcff"))
    assert ran.code == 2
    assert "Traceback" not in ran.err
    assert "no-such-" in ran.err


def test_as_a_module_it_imports_nothing_from_the_working_directory(run_forensic, tmp_path) -> None:
    for name in ("json", "tomllib", "typer", "numpy", "cv2"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the evidence')")
    ran = run_forensic("explain", "small", cwd=tmp_path, new=True)
    assert (ran.code, "imported" in ran.out + ran.err) == (0, False)


@pytest.mark.parametrize("number", [errno.ENAMETOOLONG, errno.ELOOP])
def test_a_path_that_no_system_has_is_wrong_use(number: int, monkeypatch, capsys) -> None:
    def work(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), b"a\x1b\xff.html")

    monkeypatch.setattr(doctor, "_all_checks", work)
    assert leave_with("doctor") == ExitCode.USAGE
    assert capsys.readouterr().err == f"forensic: a\\x1b\\xff.html: {os.strerror(number).lower()}. Name another one\n"
