"""Output that is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from forensic.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def whole_file(out: Path) -> Iterator[IO[str]]:
    """A UTF-8 text file that takes the place of `out` when the block ends, and leaves `out` alone when it fails.

    It is written under a hidden name in the same folder, brought to the disk, and renamed. Line ends are written
    as given.

    Raises:
        UsageError: the folder does not exist, or `out` is a folder.
        MachineError: the disk is full or refuses the file.
    """
    if out.is_dir():
        raise UsageError(str(out), "is a folder", "Name a file in it")
    if not out.parent.is_dir():
        raise UsageError(str(out), "its folder does not exist", f"Make it with `mkdir -p {out.parent}`")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{out.name[:80]}.", suffix=".part", dir=out.parent)
    except OSError as error:
        raise MachineError(str(out), f"can not be written ({error.strerror})") from error
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            yield stream
            stream.flush()
            os.fchmod(stream.fileno(), _mode_of(out))
            os.fsync(stream.fileno())
        part.replace(out)
        _sync_folder(out.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise MachineError(str(out), f"can not be written ({error.strerror})") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _mode_of(out: Path) -> int:
    """That of the file it replaces, else what the process's umask gives a new one."""
    if out.exists():
        return out.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
