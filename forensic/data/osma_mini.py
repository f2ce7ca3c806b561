"""osma-mini: a small open-set benchmark in OSMA's shape. `classes.yaml` names everything; all else may be a subset."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from forensic.data.sample import UNKNOWN, Layout, Sample, check_class_name, read_flat
from forensic.errors import MissingError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

CLASSES_FILE = "classes.yaml"


def read_osma_mini(root: Path, split: int) -> Layout:
    """Reads the layout; folders and files that are absent are simply empty.

    Raises:
        UsageError: a split other than 1.
        MissingError: `classes.yaml` is not what it should be.
    """
    if split != 1:
        raise UsageError(f"--split {split}", "osma-mini has one split only", "Leave --split out, or use --split 1")
    names = _read_names(root / CLASSES_FILE)
    known: tuple[str, ...] = tuple(names["known"])
    photos = read_photos(root / "MANIFEST.csv", "path")

    def of(folder: str, source: str, label: int, group: str | None = None) -> tuple[Sample, ...]:
        samples = read_flat(root / folder / source, label, source, group)
        return tuple(replace(s, photo=photos.get(s.path.relative_to(root).as_posix())) for s in samples)

    return Layout(
        name="osma-mini",
        root=root,
        classes=known,
        preprocessing="tiles-128-v2",
        train=tuple(s for label, name in enumerate(known) for s in of("train", name, label)),
        val=tuple(s for label, name in enumerate(known) for s in of("val", name, label)),
        test=tuple(s for label, name in enumerate(known) for s in of("test", name, label)),
        unseen={
            group: tuple(s for name in members for s in of(f"test_unseen/{group}", name, UNKNOWN, group))
            for group, members in names.get("unseen", {}).items()
        },
        val_unseen=tuple(s for name in names.get("val_unseen", []) for s in of("val_unseen", name, UNKNOWN)),
        val_full=_read_full(root / "val_full", known, tuple(names.get("val_unseen", []))),
    )


def _read_names(path: Path) -> dict[str, Any]:
    try:
        names = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MissingError(str(path), f"can not be read: {str(error).splitlines()[0]}") from error
    if not isinstance(names, dict) or not names.get("known"):
        raise MissingError(str(path), "has no list `known`", "It names the known classes in label order, `real` first")
    unseen = names.get("unseen", {})
    if not isinstance(unseen, dict):
        raise MissingError(str(path), "`unseen` is no table", "It names the unknown classes of each group")
    lists = {"known": names["known"], "val_unseen": names.get("val_unseen", []), **unseen}
    for key, members in lists.items():
        check_class_name(key, str(path))
        if not isinstance(members, list):
            raise MissingError(str(path), f"`{key}` is no list", "It names classes")
        for name in members:
            check_class_name(name, str(path))
        if len(set(members)) < len(members):
            raise MissingError(str(path), f"`{key}` names a class twice")
    return names


def read_photos(path: Path, key: str) -> dict[str, str]:
    """Which photograph each file came from; {} where the table is absent.

    Args:
        path: a CSV with the column `photo`.
        key: the column that names the file.

    Raises:
        MissingError: the table can not be read.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return {row[key]: row["photo"] for row in csv.DictReader(lines) if row.get("photo") and row.get(key)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MissingError(str(path), f"can not be read: {error}") from error


def _read_full(folder: Path, known: tuple[str, ...], unknown: tuple[str, ...]) -> tuple[Sample, ...]:
    """Whole pictures; `NAME-NUMBER.png` says the class where FULL.csv is absent."""
    photos = read_photos(folder / "FULL.csv", "file")
    samples = []
    for sample in read_flat(folder, UNKNOWN, ""):
        source = sample.path.stem.rpartition("-")[0]
        if source in known or source in unknown:
            label = known.index(source) if source in known else UNKNOWN
            samples.append(replace(sample, label=label, source=source, photo=photos.get(sample.path.name)))
    return tuple(samples)
