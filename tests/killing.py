"""A process that kills itself just before it does something to a file below a folder: the worst moment to be killed."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

KINDS = ("open", "fsync", "os.rename", "os.remove")
"""Opening to write, syncing, renaming, removing; as audit events are called, but for `fsync`, which has none."""


def arm(folder: str, kind: str, nth: int) -> None:
    """From now on the process ends by SIGKILL before the nth thing of this kind, from 1, to or below this folder."""
    assert kind in KINDS
    below = os.path.realpath(folder) + os.sep
    count = 0

    def met(path: Any) -> None:
        nonlocal count
        if not isinstance(path, (str, bytes, os.PathLike)):  # a descriptor that is open already
            return
        if (os.path.realpath(os.fsdecode(path)) + os.sep).startswith(below):
            count += 1
            if count == nth:
                os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == kind and (event != "open" or arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            met(arguments[0])

    if kind != "fsync":
        sys.addaudithook(hook)
        return
    real = os.fsync

    def fsync(descriptor: int) -> None:
        met(f"/proc/self/fd/{descriptor}")
        real(descriptor)

    os.fsync = fsync
