"""Decode workers: bounded, replaced when they die, in the order of the jobs.

One thread a worker hands it a file, waits for the answer no longer than the time limit, and starts another worker
when it has died. A worker may be killed from outside, as for want of memory, so the file that it died over is read
once more by a fresh one; what stops that one too costs one file. Only a fresh worker that fails on the control picture,
or more deaths than the budget allows, is the machine's fault and ends the scan.

The processes are started with `exec`, not `fork` alone: a forked copy of a process that has used OpenCV or OpenMP
hangs. They inherit no descriptor but their own pipes, so no lock outlives the scan.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import forensic
from forensic.errors import MachineError, Unreadable
from forensic.scan.frames import Read, Rows, Settings, pack_job, pack_settings, unpack, unpack_read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

    from forensic.data.inspection import DecodeLimits

_START = "import sys; sys.path.insert(0, sys.argv[1]); from forensic.scan.worker import main; main()"
WORKER_COMMAND = (sys.executable, "-P", "-c", _START, str(Path(forensic.__file__).parents[1]))
"""`-P`: the working directory may be the evidence, and no module is ever imported from there."""
START_SECONDS = 60.0
"""A fresh worker must have decoded the control picture by then; a busy machine may need seconds."""
READ_SECONDS = 300.0
"""For reading a file whole, before the decoder's own time begins: a gigabyte from a slow disk."""
_STARTS = 3
"""So many workers in a row may be killed before they are ready."""
RESTART_BUDGET = 1000
"""Files over which workers died in one scan, beyond which the machine is blamed and not the files."""


class DecodePool:
    """Worker processes that read, hash, decode and cut files.

    Args:
        workers: processes, at least 1.
        limits: of one file.
        preprocessing: id, as in `forensic.data.prepare`.
        max_tiles: at most so many tiles an image.
        follow_links: whether a job's path may be a link.
        thumbnails: whether results carry one.
        stability: changed forms of a picture that results carry.
        looks: whether results carry the hash of `forensic.data.look`.
        salvage: whether results carry what is left of a truncated picture.
        claims: whether results carry what the file claims of its origin.
        restart_budget: deaths of workers before `MachineError`.
        command: starts a worker; another one is for tests.
    """

    def __init__(  # noqa: PLR0913 - a worker's settings, by name
        self,
        workers: int,
        limits: DecodeLimits,
        preprocessing: str,
        *,
        max_tiles: int = 25,
        follow_links: bool = True,
        thumbnails: bool = True,
        stability: int = 0,
        looks: bool = False,
        salvage: bool = False,
        claims: bool = False,
        restart_budget: int = RESTART_BUDGET,
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self._settings = Settings(
            preprocessing=preprocessing,
            max_tiles=max_tiles,
            max_pixels=limits.max_pixels,
            max_bytes=limits.max_bytes,
            seconds=limits.seconds,
            address_space=limits.address_space,
            follow_links=follow_links,
            thumbnails=thumbnails,
            stability=stability,
            looks=looks,
            salvage=salvage,
            claims=claims,
        )
        self._command = tuple(command)
        self._workers = workers
        self._window = 4 * workers
        self._deaths_left = restart_budget
        self._lock = threading.Lock()
        self._jobs: queue.Queue[tuple[int, int, bytes] | None] = queue.Queue()
        self._results: queue.Queue[tuple[int, Read | MachineError]] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, jobs: Iterable[tuple[int, bytes]]) -> Iterator[Read]:
        """Reads files; jobs are drawn only as results are taken.

        Args:
            jobs: (index, path) pairs; the index comes back in the result and may be anything.

        Yields:
            One `Read` a job, in the order of the jobs. At most four files a worker are under way or waiting, so that
            memory does not depend on how many there are.

        Raises:
            MachineError: no worker can decode the control picture, or too many have died.
        """
        if self._closed.is_set():
            raise ValueError("the pool is closed")
        self._start()
        source = iter(jobs)
        waiting: dict[int, Read] = {}
        drawn = given = 0
        exhausted = False
        try:
            while True:
                while not exhausted and drawn - given < self._window:
                    job = next(source, None)
                    if job is None:
                        exhausted = True
                    else:
                        self._jobs.put((drawn, *job))
                        drawn += 1
                if given == drawn:
                    return
                while given not in waiting:
                    place, result = self._results.get()
                    if isinstance(result, MachineError):
                        raise result
                    waiting[place] = result
                yield waiting.pop(given)
                given += 1
        finally:
            if given != drawn or not exhausted:
                self.close()  # left early: what is under way is of no use to anyone

    def close(self) -> None:
        """Ends every worker, also in the middle of a file; may be called twice."""
        self._closed.set()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _start(self) -> None:
        while len(self._threads) < self._workers:
            thread = threading.Thread(target=self._serve, name=f"decode-{len(self._threads)}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _serve(self) -> None:
        """One thread: one worker at a time, until the pool closes."""
        worker: _Worker | None = None
        try:
            while not self._closed.is_set() and (job := self._jobs.get()) is not None:
                place, index, path = job
                try:
                    worker = worker or self._fresh()
                    result = worker.read(index, path)
                    died = worker.died
                    if died:
                        worker = self._fresh()
                        result = worker.read(index, path)
                    worker = worker if worker.alive else None
                    if died or worker is None:
                        self._count_death()
                except MachineError as error:
                    self._results.put((place, error))
                    return
                except _ClosedError:
                    return
                self._results.put((place, result))
        finally:
            if worker is not None:
                worker.end()

    def _fresh(self) -> _Worker:
        tries = 0
        while True:
            try:
                return _Worker(self._command, self._settings, self._closed)
            except _KilledError:
                tries += 1
                if tries == _STARTS:
                    raise

    def _count_death(self) -> None:
        with self._lock:
            self._deaths_left -= 1
            if self._deaths_left < 0:
                raise MachineError("decode workers", "too many have died", "Test this machine's memory and disk")


class _KilledError(MachineError):
    """A worker was ended by a signal before it was ready."""


class _ClosedError(Exception):
    """The pool was closed while a worker was awaited."""


class _StalledError(Exception):
    """A worker did not answer in time."""


class _Worker:
    """One process, from start to end, used by one thread."""

    def __init__(self, command: Sequence[str], settings: Settings, closed: threading.Event) -> None:
        self._closed = closed
        self._seconds = settings.seconds
        self.alive = True
        self.died = False
        """Of itself or by a signal of others; not where it was ended for the time it took."""
        self._errors = os.memfd_create("decode-worker-stderr", os.MFD_CLOEXEC)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                bufsize=0,
                process_group=0,  # the terminal's interrupt is for the scan, which then ends its workers
            )
        except OSError as error:
            os.close(self._errors)
            raise MachineError("decode workers", f"can not be started: {error.strerror}") from error
        self._await_ready(settings)

    def _await_ready(self, settings: Settings) -> None:
        try:
            self._send(pack_settings(settings))
            header, _ = self._receive(time.monotonic() + START_SECONDS)
            if header.get("kind") == "ready":
                return
            said = "it answered something else"
        except _ClosedError:
            self.end()
            raise
        except _StalledError:
            said = self._last_words()
        except (EOFError, OSError, ValueError):
            said = self._last_words()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        killed = (self._process.poll() or 0) < 0
        self.end()
        remedy = "Try `forensic doctor`; the decoder or its memory limit is at fault, not a file"
        kind = _KilledError if killed else MachineError
        raise kind("decode workers", f"a fresh one fails on the control image: {said}", remedy)

    def read(self, index: int, path: bytes) -> Read:
        """One file's result; when the process dies over it, the result says so and `alive` is False."""
        known = Read(index)
        try:
            self._send(pack_job(index, path))
            deadline = time.monotonic() + READ_SECONDS
            while True:
                header, blob = self._receive(deadline)
                if header["kind"] == "read":
                    return unpack_read(header, blob)
                if header["kind"] == "unreadable":  # what follows is beside its finding
                    known = unpack_read(header, blob)
                    deadline = time.monotonic() + self._seconds
                    continue
                known = Read(index, header["sha256"], header["bytes"], header["format"])
                deadline = time.monotonic() + self._seconds
        except _ClosedError:
            self.end()
            raise
        except _StalledError:
            self.end()
            if known.sha256 is None:
                return replace(known, outcome=Unreadable(f"could not be read within {READ_SECONDS:g} s"))
            reason = f"time limit {self._seconds:g} s"
        except (EOFError, OSError, ValueError, KeyError):
            self._process.stdin.close() if self._process.stdin else None
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            reason = _death(self._process.returncode, self._last_words())
            self.died = True
            self.end()
        if known.outcome is not None:
            return replace(known, salvage=Rows(reason=f"nothing to salvage: the decoder stopped ({reason})"))
        return replace(known, outcome=Unreadable(f"decoder stopped ({reason})", format=known.format))

    def _send(self, frame: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe above; narrows the type
        view = memoryview(frame)
        while view:
            view = view[self._process.stdin.write(view) or 0 :]

    def _receive(self, deadline: float) -> tuple[dict[str, Any], bytes]:
        assert self._process.stdout is not None  # noqa: S101 - opened as a pipe above; narrows the type
        descriptor = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)

        def take(size: int) -> bytes:
            pieces = bytearray()
            while len(pieces) < size:
                if self._closed.is_set():
                    raise _ClosedError
                left = deadline - time.monotonic()
                if left <= 0:
                    raise _StalledError
                if poll.poll(min(left, 0.2) * 1000):  # wakes to see whether the pool was closed
                    piece = os.read(descriptor, size - len(pieces))
                    if not piece:
                        raise EOFError
                    pieces += piece
            return bytes(pieces)

        return unpack(take)

    def _last_words(self) -> str:
        text = os.pread(self._errors, 4096, max(os.fstat(self._errors).st_size - 4096, 0)).decode(errors="replace")
        lines = [line for line in text.splitlines() if line.strip()]
        return "".join(c if c.isprintable() else "?" for c in lines[-1])[:200] if lines else "it said nothing"

    def end(self) -> None:
        """Kills the process if it still runs, and waits for it."""
        self.alive = False
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if self._errors >= 0:
            os.close(self._errors)
            self._errors = -1


def _death(returncode: int | None, said: str) -> str:
    """Why a process ended, in a few words."""
    if returncode is None:
        return "it closed its pipe"
    if returncode >= 0:
        memory = "memory" in said.lower() or "bad_alloc" in said
        return "memory limit" if memory else f"exit code {returncode}"
    if "bad_alloc" in said or "MemoryError" in said:
        return "memory limit"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"
