"""Every error a user can meet, drawn as one tree.

    ForensicError            subject, reason, remedy on one line, and an exit code
    ├── UsageError           2  wrong use of a command or an option
    ├── VerificationError    4  what is stored does not agree with what is found
    ├── MissingError         5  data or weights are missing or do not fit
    │   └── WeightsError     5  a weights file that is damaged or of another shape
    └── MachineError         6  stopped by the machine: disk full, decoder broken
    FileOutcome              not an error of the run: one input that gets no score
    ├── Unreadable           the finding says why; the scan goes on (exit code 3 at the end)
    └── Skipped              readable, but the method does not apply

Argument errors of kernels and other array functions are plain `ValueError` and `TypeError`.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """Exit codes of every command; the format of the output never changes them."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    UNREADABLE = 3
    MISMATCH = 4
    MISSING = 5
    MACHINE = 6
    INTERRUPTED = 130
    CLOSED_PIPE = 141
    TERMINATED = 143


class ForensicError(Exception):
    """What stops a command, told as subject, reason and remedy.

    Args:
        subject: the file, option or part concerned; printed first.
        reason: what is wrong with it.
        remedy: what the user can do, a command where there is one; may be empty.
    """

    exit_code: ExitCode = ExitCode.INTERNAL

    def __init__(self, subject: str, reason: str, remedy: str = "") -> None:
        super().__init__(subject, reason, remedy)
        self.subject = subject
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        head = f"{self.subject}: {self.reason}"
        return f"{head}. {self.remedy}" if self.remedy else head


class UsageError(ForensicError):
    """A command or an option was used in a way that can not work."""

    exit_code = ExitCode.USAGE


class VerificationError(ForensicError):
    """A stored record does not agree with what was found."""

    exit_code = ExitCode.MISMATCH


class MissingError(ForensicError):
    """Data or weights are missing, or do not fit what they are asked for."""

    exit_code = ExitCode.MISSING


class WeightsError(MissingError):
    """A weights file or its card is damaged, of another format, or of another shape."""


class MachineError(ForensicError):
    """The machine stopped the work: disk full, no decoder that works, no memory."""

    exit_code = ExitCode.MACHINE


NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says where a disk, a quota or a file's limit is full."""


def refused(subject: str, error: OSError, kept: str = "", *, elsewhere: str = "") -> MachineError:
    """What the system said when something could not be written, with what a user can do about it.

    Args:
        subject: what was to be written.
        error: of the system.
        kept: what became of it; told before the remedy.
        elsewhere: the remedy where room is not what is missing.
    """
    if error.errno in NO_ROOM:
        remedy = "Make room, then run the same command again"
    elif elsewhere:
        remedy = elsewhere
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = "Name a place that you may write to"
    else:
        remedy = "Cure it, then run the same command again"
    reason = f"can not be written: {(error.strerror or str(error)).lower()}"
    return MachineError(subject, reason, f"{kept}. {remedy}" if kept else remedy)


class FileOutcome(Exception):  # noqa: N818 - an outcome of one input, not an error of the run
    """One input that gets no score.

    Args:
        reason: one line, without the path.
        flags: flags the finding carries all the same.
        format: the format by its first bytes, where it could be told.
    """

    def __init__(self, reason: str, *, flags: tuple[str, ...] = (), format: str | None = None) -> None:  # noqa: A002 - the finding's field is called format
        super().__init__(reason)
        self.reason = reason
        self.flags = flags
        self.format = format


class Unreadable(FileOutcome):
    """The input can not be read as an image; counted, named, and the scan goes on."""


class Skipped(FileOutcome):
    """The input is left out by rule: too small, a link, not a regular file, a known hash."""
