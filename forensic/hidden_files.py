"""Files that are whole or not there: written under a hidden name beside their own, which they take when complete.

A hidden file is locked while its writer lives; the kernel drops the lock with the process, so that the next writer of
the same file knows what a killed one left, and removes it.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SUFFIX = ".part"


@contextmanager
def hidden_until_whole(targets: Sequence[Path]) -> Iterator[list[IO[bytes]]]:
    """Opens a new file for each target; when the block ends without an error they take their names, and are on disk.

    None takes its name before all are whole. They do so one by one, in the order given: a process that is killed
    between two leaves some of them.

    Args:
        targets: their folders must exist. What stands there is replaced only by a complete file; a link itself is
            replaced, not what it leads to.

    Raises:
        OSError: the disk is full or a folder can not be written to; nothing of the new files is left.
    """
    hidden: dict[Path, Path] = {}
    try:
        with ExitStack() as held:
            streams: list[IO[bytes]] = []
            for target in targets:
                prefix = f".{target.name[:80]}."
                _remove_left_behind(target.parent, prefix)
                descriptor, hidden[target] = _locked_file(target.parent, prefix)
                streams.append(held.enter_context(os.fdopen(descriptor, "wb")))
            yield streams
            for stream in streams:
                stream.flush()
                with suppress(PermissionError):  # a file system without modes, or one that keeps its own
                    os.fchmod(stream.fileno(), 0o666 & ~_mask())
                os.fsync(stream.fileno())
            for target in targets:  # before the locks go with the descriptors
                hidden[target].replace(target)
                del hidden[target]
        for folder in dict.fromkeys(target.parent for target in targets):
            sync_folder(folder)
    finally:
        for path in hidden.values():
            with suppress(OSError):
                path.unlink()


def _locked_file(folder: Path, prefix: str) -> tuple[int, Path]:
    """A new file whose lock says that its writer lives; another one where a process that cleans up met it unlocked."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=_SUFFIX, dir=folder)
        path = Path(name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:  # a file system without locks; nothing is ever taken for left behind there
            return descriptor, path
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor, path
        os.close(descriptor)


def _remove_left_behind(folder: Path, prefix: str) -> None:
    for path in folder.iterdir():
        if not (path.name.startswith(prefix) and path.name.endswith(_SUFFIX)):
            continue
        if path.is_symlink() or not path.is_file():
            continue
        with suppress(OSError), path.open("rb") as file:
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
