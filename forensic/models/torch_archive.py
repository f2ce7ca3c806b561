"""The zip that `torch.save` writes: one pickle, and one record of raw values for each storage.

    NAME/data.pkl     forensic.models.pickled
    NAME/data/KEY     values, stored as they are
    NAME/byteorder    `little` or `big`; absent in files of older versions, which are little
    NAME/...          version and the like: left aside

Sizes are bounded before anything is taken apart: nothing in such a file is compressed, so that all records together
are never larger than the file.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from forensic.errors import MissingError, WeightsError
from forensic.models.pickled import PickledTensor, read_pickle

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MOST_BYTES = 1 << 30
"""Of a file; the task model has 91 million."""
MOST_ENTRIES = 10_000

_ENTRY = b"PK\x01\x02"
_OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The number with which torch.save began its files before version 1.6."""
_UNREADABLE = (zipfile.BadZipFile, RuntimeError, EOFError, OSError, ValueError, OverflowError, struct.error)
"""What `zipfile` raises for damaged, encrypted and foreign files."""
_DAMAGED = "Take the file anew from where it came"


@dataclass(frozen=True)
class TorchArchive:
    """An opened file: what its pickle says, and the values on demand."""

    content: object
    """As `read_pickle` gives it."""
    digest: str
    """SHA-256 of the file, 64 hex digits."""
    _subject: str
    _byteorder: Literal["little", "big"]
    _folder: str
    _zip: zipfile.ZipFile

    def array(self, tensor: PickledTensor) -> NDArray[Any]:
        """The values of a tensor of `content`; look at its shape first, as it is allocated here.

        Raises:
            WeightsError: the record does not fit its checksum.
        """
        return tensor.array(_read(self._zip, f"{self._folder}/data/{tensor.record}", self._subject), self._byteorder)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Reads a file and its pickle; nothing is run.

        Raises:
            MissingError: no such file.
            WeightsError: no zip, damaged, too large, or a pickle that asks for more than stored weights need.
        """
        subject = str(path)
        data = _bytes(path)
        archive, sizes = _opened(data, subject)
        folders = [name.removesuffix("/data.pkl") for name in sizes if name.endswith("/data.pkl")]
        folders = [folder for folder in folders if "/" not in folder]
        if len(folders) != 1:
            raise WeightsError(subject, "is a zip, but none that torch.save has written", "Give a .pth file")
        folder = folders[0]
        order = _read(archive, f"{folder}/byteorder", subject).strip() if f"{folder}/byteorder" in sizes else b"little"
        start = f"{folder}/data/"
        records = {name.removeprefix(start): size for name, size in sizes.items() if name.startswith(start)}
        return cls(
            content=read_pickle(_read(archive, f"{folder}/data.pkl", subject), records, subject),
            digest=hashlib.sha256(data).hexdigest(),
            _subject=subject,
            _byteorder="big" if order == b"big" else "little",
            _folder=folder,
            _zip=archive,
        )


def _bytes(path: Path) -> bytes:
    subject = str(path)
    try:
        if not path.is_file():
            raise MissingError(subject, "is a folder" if path.is_dir() else "no such file")
        if path.stat().st_size > MOST_BYTES:
            raise WeightsError(subject, f"has more than {MOST_BYTES:,} bytes, the most that is read")
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(subject, f"can not be read: {error.strerror or type(error).__name__}") from error
    if data.startswith(_OLD):
        raise WeightsError(
            subject,
            "has the format of torch.save before PyTorch 1.6, which is not read",
            "Write it anew with PyTorch: torch.save(torch.load(OLD, weights_only=True), NEW)",
        )
    if not data.startswith(b"PK\x03\x04"):
        raise WeightsError(
            subject, "is no zip file, hence not from torch.save of PyTorch 1.6 or newer", "Give a .pth file"
        )
    return data


def _opened(data: bytes, subject: str) -> tuple[zipfile.ZipFile, dict[str, int]]:
    """The zip and the size of each entry."""
    if data.count(_ENTRY) > MOST_ENTRIES:  # before zipfile makes an object of each
        raise WeightsError(subject, f"is a zip of more than {MOST_ENTRIES:,} entries", _DAMAGED)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = archive.infolist()
    except _UNREADABLE as error:
        raise WeightsError(subject, f"is a damaged zip: {_said(error)}", _DAMAGED) from error
    sizes: dict[str, int] = {}
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.file_size != entry.compress_size:
            raise WeightsError(subject, f"entry {entry.filename} is compressed or encrypted; torch.save does neither")
        if entry.filename in sizes:
            raise WeightsError(subject, f"entry {entry.filename} occurs twice", _DAMAGED)
        sizes[entry.filename] = entry.file_size
    if sum(sizes.values()) > len(data):
        raise WeightsError(subject, "is a zip whose entries overlap or are larger than the file", _DAMAGED)
    return archive, sizes


def _read(archive: zipfile.ZipFile, name: str, subject: str) -> bytes:
    try:
        return archive.read(name)
    except _UNREADABLE as error:
        raise WeightsError(subject, f"entry {name} is damaged: {_said(error)}", _DAMAGED) from error


def _said(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
