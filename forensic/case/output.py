"""What a command hands over: a file that is whole or not there, and an error of ours where it can not be written."""

from __future__ import annotations

import contextlib
import os
from typing import IO, TYPE_CHECKING

from forensic.case.evidence import real_path
from forensic.errors import refused
from forensic.hidden_files import hidden_until_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def replacing(out: Path) -> Iterator[IO[bytes]]:
    """Opens a new file for `out`; it takes that name, at once and on disk, when the block ends without an error.

    What a process left there that was killed while it wrote the same file is removed first.

    Args:
        out: the target; its folder must exist. What stands there is replaced only by a complete file; a link keeps
            pointing where it points.

    Raises:
        MachineError: the disk is full or the folder can not be written to; nothing of the new file is left.
    """
    try:
        with hidden_until_whole([real_path(out)]) as (file,):
            yield file
    except OSError as error:
        raise refused(os.fspath(out), error, "Nothing was left there") from error
