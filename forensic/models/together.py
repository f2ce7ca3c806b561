"""Files that belong together: none takes its place before all are whole.

Each is written under a hidden name beside its own, locked while its writer lives; what a killed writer left there is
removed by the next.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUFFIX = ".part"


def write_together(files: Mapping[Path, bytes]) -> None:
    """Writes all or none.

    Args:
        files: path -> content; a file that is there is replaced.

    Raises:
        OSError: the disk is full or a folder can not be written; nothing new is left.
    """
    hidden: dict[Path, Path] = {}
    try:
        with ExitStack() as held:
            for path, data in files.items():
                _remove_left_behind(path)
                handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=_SUFFIX)
                hidden[path] = Path(name)
                file = held.enter_context(os.fdopen(handle, "wb"))
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                hidden[path].chmod(0o644)
            for path, temporary in hidden.items():
                temporary.replace(path)
            hidden.clear()
    finally:
        for temporary in hidden.values():
            with suppress(OSError):
                temporary.unlink()


def _remove_left_behind(path: Path) -> None:
    """Hidden files of dead writers: the kernel drops a lock with its process."""
    for entry in path.parent.iterdir():
        if entry.name.startswith(f".{path.name}-") and entry.name.endswith(_SUFFIX) and entry.is_file():
            with suppress(OSError), entry.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                entry.unlink()
