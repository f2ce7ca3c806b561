"""Any folder of class folders: `DIR/CLASS/...`, or `DIR/{train,val,test}/CLASS/...` where the split is given."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from forensic.data.sample import (
    UNKNOWN,
    Layout,
    Sample,
    check_class_name,
    list_folders,
    list_images,
    name_of_folder,
    read_flat,
)
from forensic.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

REAL = "real"
"""The class that means: a camera made it. Label 0 where there is one."""


def read_class_folders(root: Path) -> Layout:
    """Reads a folder of class folders.

    `train/` is a split, and no class, where it holds class folders and nothing speaks against it (`_is_divided`).
    Without it each class is split 80/10/10 by the hash of the files' content, so that equal files stay
    together, whatever their names and classes. With `train/` but without `val/`, a tenth of `train/` is held out
    for validation in the same way.

    Raises:
        MissingError: fewer than two class folders with images, a name that no class can have, or a folder that can be
            read in two ways.
    """
    given = _is_divided(root)
    top = root / "train" if given else root
    names = [folder.name for folder in list_folders(top) if list_images(folder)]
    if len(names) < 2:
        raise MissingError(
            str(top),
            f"holds {len(names)} folders with images; training needs two classes at least",
            "Put the images of each class into a folder of its own: DIR/CLASS/*.png",
        )
    for name in names:
        check_class_name(name, str(top))
    classes = sorted(names, key=lambda name: (name != REAL, name))
    listed = [read_flat(top / name, label, name) for label, name in enumerate(classes)]
    if not given:
        train, val, test = split_by_content(listed, (8, 1, 1))
    elif (root / "val").is_dir():
        train, val = _joined(listed), _read_part(root / "val", classes)
        test = _read_part(root / "test", classes)
    else:
        train, val, _ = split_by_content(listed, (9, 1, 0))
        test = _read_part(root / "test", classes)
    return Layout(
        name=name_of_folder(root),
        root=root,
        classes=tuple(classes),
        preprocessing="tiles-128-v2",
        train=train,
        val=val,
        test=test,
    )


def _is_divided(root: Path) -> bool:
    """Whether `train/` holds the training part of every class, or is a class that has that name.

    With `val/` or `test/` beside it, or with nothing beside it, class folders in it make it a split. With other
    class folders beside it, images right in it make it a class.

    Raises:
        MissingError: other class folders stand beside it, and it holds class folders alone: both readings are likely.
    """
    train = root / "train"
    if not any(list_images(folder) for folder in list_folders(train)):
        return False
    if (root / "val").is_dir() or (root / "test").is_dir():
        return True
    beside = [folder.name for folder in list_folders(root) if folder.name != "train" and list_images(folder)]
    if beside and any(path.parent == train for path in list_images(train)):
        return False
    if beside:
        raise MissingError(
            str(root),
            f"holds train/ with class folders, and class folders beside it ({', '.join(map(ascii, beside[:3]))})",
            "If train/ is a class, put its images right into it; if it is a split, put every class into it",
        )
    return True


def read_unseen(folder: Path) -> dict[str, tuple[Sample, ...]]:
    """Unknown images: class folders, or group folders of class folders.

    Returns:
        Group -> samples; class folders that stand alone make one group, named like the folder.

    Raises:
        MissingError: no images there.
    """
    groups: dict[str, tuple[Sample, ...]] = {}
    alone: list[Sample] = []
    for entry in list_folders(folder):
        members = list_folders(entry)
        if members:
            samples = [s for member in members for s in read_flat(member, UNKNOWN, member.name, entry.name)]
            if samples:
                groups[entry.name] = tuple(samples)
        else:
            alone += read_flat(entry, UNKNOWN, entry.name, name_of_folder(folder))
    if alone:
        name = name_of_folder(folder)  # a group folder may have that name too
        groups[name] = groups.get(name, ()) + tuple(alone)
    if not groups:
        raise MissingError(
            str(folder), "holds no class folders with images", "Expected DIR/CLASS/* or DIR/GROUP/CLASS/*"
        )
    return groups


def split_by_content(
    listed: Sequence[Sequence[Sample]], parts: tuple[int, int, int]
) -> tuple[tuple[Sample, ...], tuple[Sample, ...], tuple[Sample, ...]]:
    """Splits each class by the order of its files' content hashes.

    Args:
        listed: samples of each class.
        parts: shares of train, val and test, e.g. (8, 1, 1).

    Equal files get the same part: a hash is counted in the first class in which it occurs, and every further file
    with it follows. A part with a share gets at least one hash of a class that has three.
    """
    hashed = [[(_content_hash(sample.path), sample) for sample in samples] for samples in listed]
    part_of: dict[str, int] = {}
    for entries in hashed:
        fresh = sorted({digest for digest, _ in entries} - part_of.keys())
        total = sum(parts)
        held_out = [max(1, len(fresh) * share // total) if share and len(fresh) >= 3 else 0 for share in parts[1:]]
        for place, digest in enumerate(fresh):
            part_of[digest] = 1 if place < held_out[0] else 2 if place < sum(held_out) else 0
    chosen: tuple[list[Sample], list[Sample], list[Sample]] = ([], [], [])
    for entries in hashed:
        for digest, sample in entries:
            chosen[part_of[digest]].append(sample)
    return tuple(chosen[0]), tuple(chosen[1]), tuple(chosen[2])


def _content_hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        # a file that can not be read is named and left out when its pixels are asked for
        return hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()


def _read_part(folder: Path, classes: list[str]) -> tuple[Sample, ...]:
    return _joined([read_flat(folder / name, label, name) for label, name in enumerate(classes)])


def _joined(listed: Sequence[Sequence[Sample]]) -> tuple[Sample, ...]:
    return tuple(sample for samples in listed for sample in samples)
