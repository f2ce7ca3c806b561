"""One writer a case: a lock that the kernel drops when the process dies.

The lock is `flock` on a small file beside the case, not on the case itself: SQLite holds POSIX locks there, which a
process loses as soon as it closes any descriptor of the same file. The descriptor is not inheritable, so that
worker processes do not keep a case locked after their parent is gone. A link to a case has the lock of what it leads
to.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from typing import TYPE_CHECKING, Self

from forensic.case.evidence import real_path
from forensic.errors import UsageError, refused

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_SUFFIX = ".lock"
_TRIES = 5
_UNNAMED_TRIES = 25  # who has just taken it may not have written its name yet
_PAUSE = 0.02  # seconds; a reader that looks whether a writer lives holds the lock for microseconds


def _lock_path(case: Path) -> Path:
    real = real_path(case)
    return real.with_name(real.name + _SUFFIX)


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
        tries = 0
        while True:
            descriptor, is_ours = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 200, 0).decode("utf-8", errors="replace").strip()
                os.close(descriptor)
                tries += 1
                if tries < (_TRIES if holder else _UNNAMED_TRIES):
                    time.sleep(_PAUSE)
                    continue
                raise UsageError(
                    os.fspath(case),
                    f"is being written by {holder or 'another process'}",
                    "Wait until it ends, or name another case",
                ) from None
            except OSError:
                os.close(descriptor)
                raise
            if not is_ours:
                self._remove_dead(descriptor)
            elif self._still_there(descriptor):
                self._sign(descriptor)
                return descriptor
            else:
                os.close(descriptor)  # its last holder removed the file between our open and our lock

    def _open(self) -> tuple[int, bool]:
        """The file, and whether we may write into it: one that another user's process left can only be read."""
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), True
        except PermissionError as denied:
            try:
                return os.open(self._path, os.O_RDONLY | os.O_CLOEXEC), False
            except OSError:
                raise denied from None

    def _sign(self, descriptor: int) -> None:
        """Writes who holds it; without room for that there is none for a case either."""
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        except BaseException:
            self._path.unlink(missing_ok=True)
            os.close(descriptor)
            raise

    def _remove_dead(self, descriptor: int) -> None:
        """The file of another user whose process is gone, so that the next try makes one of ours."""
        try:
            if self._still_there(descriptor):
                self._path.unlink()
        finally:
            os.close(descriptor)

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
        raise refused(
            os.fspath(case), error, elsewhere="A case is written where its folder can be; copy it there"
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
