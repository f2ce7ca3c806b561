"""The command in a process of its own, forked from an interpreter that has loaded what is not ours.

Importing torch takes longer than most tests, and is the same every time. So an interpreter beside the tests imports
the large packages once, nothing of `forensic`, and does nothing with them: unlike the test process, which has used
them, it can be forked. Each command is such a fork and then does what `python -m forensic` does: it has its own
environment, folder, streams and process id, can be signalled, and ends as an interpreter ends, but for the last thing
an interpreter does: taking down its modules, which with torch takes longer than most commands. There are two such
interpreters, which take turns, so that a command and its repetition do not share the order of their sets.
"""

from __future__ import annotations

import atexit
import gc
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Self

LOADED = ("cv2", "jinja2", "numpy", "torch", "typer")
READ_LATE = ("FORENSIC_", "XDG_", "SOURCE_DATE_EPOCH")
"""Beginnings of the names that `forensic` alone reads; if others differ it must be a new interpreter."""
BEGUN_WITH = dict(os.environ)
"""What the tests began with: OpenCV, scikit-learn and torch add to the environment of who loads them."""
INTERPRETERS = 2
_ROOM = 1 << 17
_ended_with: list[int] = []
Arguments = Sequence[str | bytes | Path]


class Starter:
    """Starts commands; to be closed. A command that still runs then goes on."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._waiting: list[tuple[subprocess.Popen[bytes], socket.socket]] = []
        self._begun = 0

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Whether a fork can have this environment."""
        names = environment.keys() | self._environment.keys()
        changed = (name for name in names if environment.get(name) != self._environment.get(name))
        return all(name.startswith(READ_LATE) for name in changed)

    def start(
        self,
        arguments: Arguments,
        env: Mapping[str, str],
        cwd: Path | None,
        streams: Sequence[int],
        killed_at: tuple[str, str, int] | None = None,
    ) -> Started:
        """`forensic` with these arguments; `streams` are the descriptors of its stdin, stdout and stderr.

        `killed_at`: what `killing.arm` takes.
        """
        assert self.suits(env)
        if len(self._waiting) < INTERPRETERS:
            self._waiting.append(_interpreter(self._environment))
        _, line = self._waiting[self._begun % INTERPRETERS]
        self._begun += 1
        words = [os.fsdecode(argument) for argument in arguments]
        place = os.fspath(cwd or Path.cwd())
        request = json.dumps({"arguments": words, "environment": dict(env), "cwd": place, "killed_at": killed_at})
        told, telling = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with telling:
            socket.send_fds(line, [request.encode()], [*streams, telling.fileno()])
        return Started(told)

    def run(
        self, arguments: Arguments, env: Mapping[str, str], cwd: Path | None, given: bytes | None, timeout: float
    ) -> tuple[int, bytes, bytes]:
        """Exit code and both streams, as `subprocess.run` has them."""
        with ExitStack() as stack, ThreadPoolExecutor(3) as pool:
            out, its_out = _pipe(stack)
            err, its_err = _pipe(stack)
            its_in, giving = (
                _pipe(stack) if given is not None else (stack.enter_context(Path(os.devnull).open("rb")), None)
            )
            ends = (its_in, its_out, its_err)
            with self.start(arguments, env, cwd, [end.fileno() for end in ends]) as process:
                for end in ends:
                    end.close()
                said = [pool.submit(stream.read) for stream in (out, err)]
                if giving is not None:
                    pool.submit(_give, giving, given)
                return process.wait(timeout), said[0].result(), said[1].result()

    def close(self) -> None:
        """Ends the interpreters."""
        for process, line in self._waiting:
            line.close()
            process.communicate(timeout=60)
        self._waiting.clear()


class Started:
    """A command that was started, with the few methods of `subprocess.Popen` that the tests use.

    Leaving its `with` block kills it.
    """

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        told.settimeout(60)
        self.pid = int(told.recv(_ROOM))
        self.returncode: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._told.close()

    def wait(self, timeout: float) -> int:
        """Its exit code, or the signal's number below zero; `TimeoutError` if it runs longer, in seconds."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            self.returncode = int(self._told.recv(_ROOM))
        return self.returncode

    def poll(self) -> int | None:
        """The same if it has ended."""
        with suppress(BlockingIOError):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing if it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _pipe(stack: ExitStack) -> tuple[Any, Any]:
    read, write = os.pipe()
    return stack.enter_context(os.fdopen(read, "rb")), stack.enter_context(os.fdopen(write, "wb"))


def _give(stream: Any, given: bytes) -> None:
    with suppress(BrokenPipeError), stream:  # it need not be read
        stream.write(given)


def _interpreter(environment: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    line, its = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), str(its.fileno())],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # as those of the commands: what it prints is buffered as for a pipe
            pass_fds=[its.fileno()],
            process_group=0,  # an interrupt at the terminal is for the tests, which then close it
        )
    return process, line


def _wait_to_be_forked(line: socket.socket) -> list[str]:
    """Returns in a fork only, which is in the place of a new `python -m forensic`; the words of its command line."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(line, _ROOM, 4)
        if not message:
            os._exit(0)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        if os.fork() == 0:
            break
        for descriptor in descriptors:
            os.close(descriptor)
    line.close()
    *streams, telling = descriptors
    if child := os.fork():  # this one stays to tell how the other ends
        for descriptor in streams:
            os.close(descriptor)
        os.write(telling, str(child).encode())
        os.write(telling, str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())
        os._exit(0)
    os.close(telling)
    for place, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(streams[place], place)
        os.close(streams[place])
        setattr(sys, name, _like(getattr(sys, name), place))
    request = json.loads(message)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if request["killed_at"]:
        import_module("killing").arm(*request["killed_at"])
    sys.path[0] = request["cwd"]
    return request["arguments"]


def _like(stream: io.TextIOWrapper, descriptor: int) -> io.TextIOWrapper:
    """A standard stream as Python makes it at its start, on what the descriptor is now."""
    writes = stream.writable()
    unbuffered = writes and stream.write_through
    binary: Any = open(descriptor, "wb" if writes else "rb", 0 if unbuffered else -1, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(binary, stream.encoding, stream.errors, "\n", stream.line_buffering, unbuffered)


def _read_a_command_line() -> None:
    """typer loads half of itself, and pydantic, with the first option that it reads."""
    typer = import_module("typer")
    app = typer.Typer()

    @app.command()
    def command(number: int = 0) -> None:
        del number

    typer.main.get_command(app).main(["--number", "1"], standalone_mode=False)


def _leave() -> None:
    """The last thing that runs at the end; returns where a stream can not be flushed, which Python then tells of."""
    if _ended_with:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(_ended_with[0])


def _run_the_command() -> None:
    try:
        runpy.run_module("forensic", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, int):
            _ended_with.append(end.code)
        raise


if __name__ == "__main__":
    atexit.register(_leave)  # what is registered first is called last
    for name in LOADED:
        import_module(name)
    _read_a_command_line()
    gc.collect()
    gc.freeze()  # a fork that looked for cycles here would copy all of it
    words = _wait_to_be_forked(socket.socket(fileno=int(sys.argv[1])))
    assert "forensic" not in sys.modules
    sys.argv[1:] = words
    sys.orig_argv = [sys.executable, "-m", "forensic", *words]
    _run_the_command()
