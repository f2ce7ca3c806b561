"""What a layout is made of: samples with labels, and how the files of a folder are listed.

Names of files reach neither a model nor a rule for splitting: in the benchmarks they repeat over the classes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import category

from forensic.errors import MissingError

_NO_PART_OF_A_NAME = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
UNKNOWN = -1
"""Label of an image whose class is not among the known ones."""

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif", ".ico"}
)
"""Files with another extension are no images of a training folder; compared in lower case."""


@dataclass(frozen=True)
class Sample:
    """One image of a layout."""

    path: Path
    label: int
    """Index into the layout's classes, or `UNKNOWN`."""
    source: str
    """Name of the class or generator."""
    group: str | None = None
    """Of an unknown: `seed`, `arch`, `dataset`, `wild`, or the name of a group folder."""
    photo: str | None = None
    """The photograph it was made from, where the layout says so."""


@dataclass(frozen=True)
class Layout:
    """Images for training and evaluation, split and labelled."""

    name: str
    """`osma-split1`, `osma-mini`, or the folder's name."""
    root: Path
    classes: tuple[str, ...]
    """In label order; `real` is label 0 where there is one."""
    preprocessing: str
    train: tuple[Sample, ...] = ()
    val: tuple[Sample, ...] = ()
    test: tuple[Sample, ...] = ()
    unseen: dict[str, tuple[Sample, ...]] = field(default_factory=dict)
    """Test unknowns by group; they choose nothing."""
    val_unseen: tuple[Sample, ...] = ()
    """Unknowns that may choose thresholds and hyper-parameters."""
    val_full: tuple[Sample, ...] = ()
    """Whole pictures for validation, known and unknown."""


def name_of_folder(folder: Path) -> str:
    """The folder's own name for a card or a table; bytes that are no UTF-8 come out escaped."""
    return folder.resolve().name.encode("utf-8", "backslashreplace").decode()


def check_class_name(name: object, where: str) -> None:
    """Refuses what can not be the name of a class.

    It becomes the name of a folder, a line in a card and a word in a report: no control characters, no ends of lines,
    no bytes that are no UTF-8, nothing that turns the direction of the text around it. Joiners and non-breaking spaces
    are parts of words in many scripts and of emoji; they are welcome.

    Raises:
        MissingError: as said.
    """
    if (
        not isinstance(name, str)
        or name in ("", ".", "..")
        or any(sign == "/" or category(sign) in _NO_PART_OF_A_NAME or sign in _TURNING for sign in name)
    ):
        raise MissingError(where, f"{name!a} can not be the name of a class", "Rename it")


def list_folders(folder: Path) -> list[Path]:
    """Folders right below `folder` in byte order of their names; hidden ones left out; [] if there is no `folder`."""
    if not folder.is_dir():
        return []
    found = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    return sorted(found, key=lambda entry: os.fsencode(entry.name))


def list_images(folder: Path) -> list[Path]:
    """Image files anywhere below `folder` by extension, in byte order of the whole path; hidden ones left out."""
    found: list[Path] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(parent, name)
            for name in files
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 - names may be bytes that are no UTF-8; splitext keeps them
        ]
    return sorted(found, key=os.fsencode)


def read_flat(folder: Path, label: int, source: str, group: str | None = None) -> tuple[Sample, ...]:
    """All images below a folder as samples of one class."""
    return tuple(Sample(path, label, source, group) for path in list_images(folder))
