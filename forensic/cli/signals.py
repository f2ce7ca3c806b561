"""What SIGINT and SIGTERM do before a command begins, while it works, and after it.

Reading the modules that a command line needs takes a tenth of a second, and more from a slow disk. Nothing is begun
then that could be cut in two, so the process ends at once, with the exit code that a command would have. This module
is the first that is read, so it reads little itself.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

TYPE_CHECKING = False  # as `typing` has it, which takes longer to read than all else here
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM: for a command the same as Ctrl-C, but for the exit code."""


def leave_at_once() -> None:
    """Before and after a command: both end the process, but for an interrupt that the caller wants ignored."""
    with suppress(ValueError):  # not in the main thread: the caller's signals are its own
        signal.signal(signal.SIGTERM, _leave)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, _leave)


def interrupt_the_command() -> None:
    """While a command works: `KeyboardInterrupt`, or `Terminated`, wherever it is; a second Ctrl-C leaves at once."""
    with suppress(ValueError):
        signal.signal(signal.SIGTERM, _terminate)
        if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _leave):
            signal.signal(signal.SIGINT, _interrupt)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """No exception: where Python runs what it calls by itself, as while it reads modules, it prints and drops one."""
    os._exit(128 + number)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise KeyboardInterrupt
