"""Decoded pictures in one file that is mapped into memory, found by the hash of the file that they came from.

    pixels of each picture, one after the other, uint8 (H, W, 3)
    index, JSON: {"key": KEY, "pictures": {SHA-256: [offset, H, W] or REASON or null}}
    offset and length of the index, SHA-256 of all before it, magic

The key holds all that pixels depend on besides the file: preprocessing, decoders, this room's own code. A whole file
takes the place of another by renaming; what is mapped stays as it is. A file that is damaged is never used: its hash is
checked when it is opened.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import mmap
import os
import shutil
import struct
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forensic.data import codecs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Place = tuple[int, int, int]
    """Offset in the file, height, width."""

DEFAULT_SPACE = 16 << 30
"""Bytes of pixels that one file may hold; pictures beyond are decoded at each use."""
MOST_SPACE = 32 << 30
"""Bytes that all files of a folder may take; those that were not used for longest go first."""
LEAST_FREE = 2 << 30
"""Bytes that stay free on the disk, for what a run itself writes."""
_MAGIC = b"forensic pixels\n"
_FOOTER = struct.Struct(f"<QQ32s{len(_MAGIC)}s")
_CHUNK = 64 << 20
_SUFFIX = ".pixels"
_STALE_SECONDS = 60.0


class DamagedError(Exception):
    """The file is not what was written; the text says in what way."""


@cache
def key_of_pixels(preprocessing: str) -> str:
    """All that decoded pixels depend on besides the picture's file."""
    own = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        own.update(path.read_bytes())
    decoders = [codecs.name_of(codec) for codec in ("opencv", "pillow")]
    with suppress(ModuleNotFoundError):  # an extra; PackageNotFoundError is one of these
        decoders.append(codecs.name_of("pillow-heif"))
    return "; ".join([preprocessing, *decoders, own.hexdigest()])


class PixelFile:
    """A whole file, mapped read-only.

    Args:
        path: the file.
        key: that it must have.

    Raises:
        FileNotFoundError: no such file.
        DamagedError: it is damaged, or was written with another key.
        OSError: it can not be read.
    """

    def __init__(self, path: Path, key: str) -> None:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < _FOOTER.size:
                raise DamagedError("is cut off")
            self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        end = len(self._mapped) - _FOOTER.size
        at, length, digest, magic = _FOOTER.unpack_from(self._mapped, end)
        if magic != _MAGIC or at + length != end:
            raise DamagedError("is cut off or no such file")
        if _digest(self._mapped, end) != digest:
            raise DamagedError("is damaged")
        index = json.loads(self._mapped[at:end])
        if index["key"] != key:
            raise DamagedError("is of another version")
        self._pictures: dict[str, Place | str | None] = index["pictures"]
        os.utime(path)  # what is used stays longest

    def __contains__(self, digest: str | None) -> bool:
        return digest in self._pictures

    def reason(self, digest: str) -> str | None:
        """Why the picture can not be used; None where it can."""
        found = self._pictures[digest]
        return found if isinstance(found, str) else None

    def pixels(self, digest: str) -> NDArray[np.uint8] | None:
        """uint8 (H, W, 3), read-only, backed by the file; None where there was no space for it."""
        found = self._pictures[digest]
        if found is None or isinstance(found, str):
            return None
        offset, height, width = found
        return np.frombuffer(self._mapped, np.uint8, height * width * 3, offset).reshape(height, width, 3)


class PixelWriter:
    """A file that is being written; nobody sees it before `finish`.

    Args:
        path: where it will stand; its folder is made where it is missing.
        key: see `key_of_pixels`.
        space: bytes of pixels that it may hold.

    Raises:
        OSError: the disk refuses, or has too little room.
    """

    def __init__(self, path: Path, key: str, space: int = DEFAULT_SPACE) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # pictures may be nobody else's business
        _remove_dead(path.parent)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".partial", dir=path.parent)
        self._file = os.fdopen(handle, "wb")
        fcntl.flock(handle, fcntl.LOCK_EX)  # dropped by the kernel when the process dies
        self._partial = Path(name)
        self._path, self._key, self._space = path, key, space
        self._hash = hashlib.sha256()
        self._size = 0
        self._pictures: dict[str, Place | str | None] = {}

    def add(self, digest: str, pixels: NDArray[np.uint8] | None, reason: str | None) -> None:
        """Keeps one picture, or why there is none; a digest that is there already changes nothing.

        Args:
            digest: of the picture's file.
            pixels: uint8 (H, W, 3), or None.
            reason: why the picture can not be used, or None.
        """
        if digest in self._pictures:
            return
        self._pictures[digest] = reason
        if pixels is None or reason is not None or self._size + pixels.nbytes > self._space:
            return
        self._pictures[digest] = (self._size, *pixels.shape[:2])
        self._write(np.ascontiguousarray(pixels).data.cast("B"))

    def finish(self) -> PixelFile:
        """Puts the file in its place, and makes room among those that stand beside it.

        Raises:
            OSError: the disk is full.
        """
        at = self._size
        self._write(json.dumps({"key": self._key, "pictures": self._pictures}).encode())
        self._file.write(_FOOTER.pack(at, self._size - at, self._hash.digest(), _MAGIC))
        self._file.flush()
        self._partial.replace(self._path)
        self._file.close()
        _make_room(self._path)
        return PixelFile(self._path, self._key)

    def abandon(self) -> None:
        """Removes what was written."""
        with suppress(OSError):
            self._partial.unlink()
        with suppress(OSError):  # what is buffered may not fit on the disk
            self._file.close()

    def check_disk(self) -> None:
        """Stops before the disk is full.

        Raises:
            OSError: it nearly is.
        """
        if shutil.disk_usage(self._path.parent).free < LEAST_FREE:
            raise OSError("less than 2 GB are free on the disk")

    def _write(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)


def _digest(mapped: mmap.mmap, end: int) -> bytes:
    found = hashlib.sha256()
    with memoryview(mapped) as view:
        for at in range(0, end, _CHUNK):
            with view[at : min(at + _CHUNK, end)] as part:
                found.update(part)
    return found.digest()


def _remove_dead(folder: Path) -> None:
    """Removes what processes that died have left; a living one holds a lock."""
    for partial in folder.glob(".*.partial"):
        with suppress(OSError):
            if time.time() - partial.stat().st_mtime < _STALE_SECONDS:
                continue  # it may be about to take its lock
            with partial.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                partial.unlink()


def _make_room(newest: Path) -> None:
    total = 0
    others = []
    for path in newest.parent.glob(f"*{_SUFFIX}"):
        with suppress(OSError):  # another process may remove it meanwhile
            seen = path.stat()
            total += seen.st_size
            if path != newest:
                others.append((seen.st_mtime_ns, seen.st_size, path))
    for _, size, path in sorted(others):
        if total <= MOST_SPACE:
            break
        with suppress(OSError):
            path.unlink()  # whoever has it mapped keeps it
            total -= size
