"""The only place that opens a file under examination: once, read-only, hashed from the bytes that are decoded.

A FIFO, socket or device is told by `stat` and never opened: opening alone can block or act. What is read must be one
state of the file, so size and time of change are compared before and after.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from forensic.errors import Skipped, Unreadable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_REASONS = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ELOOP: "links that lead in a circle",
    errno.ENAMETOOLONG: "path too long",
    errno.EIO: "input/output error",
    errno.ESTALE: "file handle lost on the network",
}


@dataclass(frozen=True)
class Evidence:
    """One file as it was found."""

    data: bytes
    sha256: str
    """64 hex digits, over `data`."""
    bytes: int
    mtime_ns: int
    """Time of last change, nanoseconds since 1970, the same before and after reading."""


def read(path: bytes, *, max_bytes: int, follow_links: bool = True) -> Evidence:
    """Reads one file whole.

    Args:
        path: exact bytes of the path.
        max_bytes: a larger file is refused by its size, before it is read.
        follow_links: whether the last part of the path may be a link.

    Raises:
        Skipped: a link that is not to be followed, a folder, FIFO, socket or device.
        Unreadable: missing, no permission, an I/O error, too large, or changed while being read.
    """
    try:
        found = os.stat(path, follow_symlinks=follow_links)  # noqa: PTH116 - paths are bytes, a Path can not hold them
        if not stat.S_ISREG(found.st_mode):
            raise Skipped("link, not followed" if stat.S_ISLNK(found.st_mode) else "not a regular file")
        descriptor = _open(path, 0 if follow_links else os.O_NOFOLLOW)
        try:
            return _read(descriptor, max_bytes)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unreadable(reason_of(error)) from None
    except ValueError:  # a zero byte in the path
        raise Unreadable("no such file") from None


def first_bytes(path: bytes, size: int) -> bytes:
    """The first `size` bytes of a regular file, fewer where it is shorter.

    Raises:
        OSError: it can not be opened or read.
    """
    descriptor = _open(path, 0)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def _open(path: bytes, extra: int) -> int:
    """Read-only, never waiting, and without touching the time of last access where the system allows it."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | extra
    try:
        return os.open(path, flags | getattr(os, "O_NOATIME", 0))
    except PermissionError:  # O_NOATIME is the owner's privilege; a file that may be read is read all the same
        return os.open(path, flags)


def _read(descriptor: int, max_bytes: int) -> Evidence:
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        raise Skipped("not a regular file")
    if before.st_size > max_bytes:
        raise Unreadable(f"{before.st_size:,} bytes exceed the limit of {max_bytes:,}")
    pieces, left = [], before.st_size + 1  # one byte more than there should be shows a file that grows
    while left > 0 and (piece := os.read(descriptor, left)):
        pieces.append(piece)
        left -= len(piece)
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    after = os.fstat(descriptor)
    removed = after.st_nlink == 0 < before.st_nlink
    if removed or (len(data), after.st_size, after.st_mtime_ns) != (before.st_size, before.st_size, before.st_mtime_ns):
        raise Unreadable("changed while being read")
    return Evidence(data, hashlib.sha256(data).hexdigest(), len(data), before.st_mtime_ns)


def reason_of(error: OSError) -> str:
    """What a finding says of an error of the system: words, and the error's name."""
    code = error.errno or 0
    name = errno.errorcode.get(code, "unknown error")
    if code == errno.ENOENT:
        return _REASONS[code]
    return f"{_REASONS.get(code, os.strerror(code).lower())} ({name})"


def roots_of(inputs: Iterable[Path]) -> tuple[Path, ...]:
    """The evidence tree: every folder given, and the folder of every file given; resolved, without repetition."""
    roots = []
    for given in inputs:
        resolved = real_path(given)
        root = resolved if is_folder(resolved) else resolved.parent
        if not is_folder(given):
            roots.append(real_path(given.absolute().parent))  # a link's own folder counts as well as its target's
        roots.append(root)
    return tuple(dict.fromkeys(roots))


def real_path(path: Path) -> Path:
    """Absolute, links resolved; where they lead in a circle, as far as they lead: `Path.resolve` raises there."""
    return Path(os.path.realpath(path))


def is_folder(path: Path) -> bool:
    """Whether it is one; False also where that can not be told, where `Path.is_dir` raises: the reader says why."""
    return os.path.isdir(path)  # noqa: PTH112 - the difference is the point


def guard_output(out: Path, evidence_roots: Iterable[Path]) -> None:
    """Refuses an output inside the evidence tree, whatever links lead there.

    Args:
        out: where something is to be written; need not exist yet.
        evidence_roots: folders, as `roots_of` gives them.

    Raises:
        UsageError: the output, or its folder, lies in one of them.
    """
    target = real_path(out)
    places = [target, *target.parents, real_path(out.absolute().parent)]
    for root in evidence_roots:
        resolved = real_path(root)
        if resolved in places or any(_same_folder(place, resolved) for place in places):
            raise UsageError(str(out), "lies inside the evidence folder", "Choose another place for the output")


def _same_folder(left: Path, right: Path) -> bool:
    """By device and inode: a bind mount or another spelling of the same folder is the same folder."""
    try:
        return left.samefile(right)
    except OSError:
        return False
