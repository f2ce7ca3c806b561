"""One writer a case: a lock that the kernel drops when the process dies.

The lock is `flock` on a small file beside the case, not on the case itself: SQLite holds POSIX locks there, which a
process loses as soon as it closes any descriptor of the same file. The descriptor is not inheritable, so that
worker processes do not keep a case locked after their parent is gone.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from typing import TYPE_CHECKING, Self

from forensic.errors import MachineError, UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_SUFFIX = ".lock"
_TRIES = 5
_PAUSE = 0.02  # seconds; a reader that looks whether a writer lives holds the lock for microseconds


def _lock_path(case: Path) -> Path:
    return case.with_name(case.name + _SUFFIX)


class CaseLock:
    """The right to write a case, held until `release` or death.

    Raises:
        UsageError: another process holds it; the message names process and host.
        OSError: the folder can not be written.
    """

    def __init__(self, case: Path) -> None:
        self._path = _lock_path(case)
        self._descriptor = self._acquire(case)

    def _acquire(self, case: Path) -> int:
        refused = 0
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 200, 0).decode("utf-8", errors="replace").strip()
                os.close(descriptor)
                refused += 1
                if refused < _TRIES:
                    time.sleep(_PAUSE)
                    continue
                raise UsageError(
                    os.fspath(case),
                    f"another scan is writing it ({holder or 'holder unknown'})",
                    "Wait for it, or choose another --case",
                ) from None
            if self._still_there(descriptor):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
                return descriptor
            os.close(descriptor)  # its last holder removed the file between our open and our lock

    def _still_there(self, descriptor: int) -> bool:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        held = os.fstat(descriptor)
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)

    def release(self) -> None:
        """Remove the file, then drop the lock; a second call does nothing."""
        if self._descriptor >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_case(case: Path) -> CaseLock:
    """The lock of a case, with the system's errors told as ours.

    Raises:
        UsageError: another process holds it, or there is no such folder.
        MachineError: the folder can not be written.
    """
    if not case.parent.is_dir():
        raise UsageError(os.fspath(case), "its folder does not exist", "Make the folder first")
    try:
        return CaseLock(case)
    except OSError as error:
        reason = error.strerror or str(error)
        raise MachineError(
            os.fspath(case), reason, "A case is written where its folder can be; copy it there"
        ) from error


def writer_lives(case: Path) -> bool:
    """Whether a process holds the case for writing at this moment."""
    try:
        descriptor = os.open(_lock_path(case), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def left_behind(case: Path) -> bool:
    """Whether the file of a lock lies there: its holder lives, or died before it let go."""
    return _lock_path(case).exists()
