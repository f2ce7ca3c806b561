"""Files that are whole or not there: written under a temporary name beside the target, renamed when complete."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from forensic.case.evidence import real_path
from forensic.errors import refused

if TYPE_CHECKING:
    from collections.abc import Iterator


_SUFFIX = ".part"


@contextlib.contextmanager
def replacing(out: Path) -> Iterator[IO[bytes]]:
    """Opens a new file for `out`; it takes that name, at once and on disk, when the block ends without an error.

    What a process left there that was killed while it wrote the same file is removed first.

    Args:
        out: the target; its folder must exist. What stands there is replaced only by a complete file.

    Raises:
        MachineError: the disk is full or the folder can not be written to; nothing of the new file is left.
    """
    target = real_path(out)  # a link keeps pointing where it points
    temporary: Path | None = None
    try:
        prefix = f".{target.name[:80]}."
        _remove_left_behind(target.parent, prefix)
        descriptor, temporary = _locked_file(target.parent, prefix)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_mask())
            os.fsync(file.fileno())
            temporary.replace(target)  # before the lock goes with the descriptor
        temporary = None
        sync_folder(target.parent)
    except OSError as error:
        raise refused(str(out), error, "Nothing was left there") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _locked_file(folder: Path, prefix: str) -> tuple[int, Path]:
    """A new file whose lock says that its writer lives; another one where a process that cleans up met it unlocked."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=_SUFFIX, dir=folder)
        path = Path(name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:  # a file system without locks; nothing is ever taken for left behind there
            return descriptor, path
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor, path
        os.close(descriptor)


def _remove_left_behind(folder: Path, prefix: str) -> None:
    """Temporary files of dead writers: the kernel drops a lock with its process."""
    for path in folder.iterdir():
        if not (path.name.startswith(prefix) and path.name.endswith(_SUFFIX)):
            continue
        if path.is_symlink() or not path.is_file():
            continue
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _mask() -> int:
    """The process's umask, read from /proc: `os.umask` would have to set it, for every thread."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o077


def sync_folder(folder: Path) -> None:
    """Puts names in a folder on the disk.

    Raises:
        OSError: the folder can not be opened, or the disk fails.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
