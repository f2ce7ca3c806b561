"""OSMA, the paper's benchmark (Zenodo record 8103474): five splits described by lists of paths and labels."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import yaml

from forensic.data.sample import UNKNOWN, Layout, Sample
from forensic.errors import MissingError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

ZENODO_RECORD = 8103474
GROUPS = ("seed", "arch", "dataset")
"""Of the unknown classes; their lists number the classes from 0 in this module's order of names."""

_PREFIX = "./dataset/"
"""How the lists write the folder that holds `OSMA/` and the lists; only at the start of a path, and only once."""


@cache
def read_class_names() -> dict[str, dict[str, list[str]]]:
    """Split name (`split1` to `split5`) -> `known`, `seed`, `arch`, `dataset` -> class names in label order."""
    text = files("forensic.data").joinpath("osma-classes.yaml").read_text(encoding="utf-8")
    names: dict[str, dict[str, list[str]]] = yaml.safe_load(text)
    return names


def is_osma(root: Path) -> bool:
    """Whether a folder holds OSMA: its images, or a split's lists."""
    return (root / "OSMA").is_dir() or any(
        (root / f"{split}_{part}" / "annotations").is_dir()
        for split in read_class_names()
        for part in ("train", "val", "test")
    )


def read_osma(root: Path, split: int) -> Layout:
    """Reads one split's lists; no image is opened.

    Args:
        root: the folder that holds `OSMA/` and `split1_train/`, ...
        split: 1 to 5.

    Raises:
        UsageError: another split.
        MissingError: the list of training images is absent, or a line of a list is damaged.
    """
    names = read_class_names().get(f"split{split}")
    if names is None:
        raise UsageError(f"--split {split}", "OSMA has the splits 1 to 5")
    known = names["known"]
    train = _read_list(root, split, "train", known)
    if not train:
        raise MissingError(
            str(_list_path(root, split, "train")),
            "is missing or empty",
            f"It belongs to Zenodo record {ZENODO_RECORD} (https://zenodo.org/records/{ZENODO_RECORD})",
        )
    return Layout(
        name=f"osma-split{split}",
        root=root,
        classes=tuple(known),
        preprocessing="pose-128-v1",
        train=train,
        val=_read_list(root, split, "val", known),
        test=_read_list(root, split, "test", known),
        unseen={group: _read_list(root, split, "test", names[group], group) for group in GROUPS},
    )


def _list_path(root: Path, split: int, part: str, group: str | None = None) -> Path:
    suffix = f"_out_{group}" if group else ""
    return root / f"split{split}_{part}" / "annotations" / f"split{split}_{part}{suffix}.txt"


def _read_list(root: Path, split: int, part: str, names: list[str], group: str | None = None) -> tuple[Sample, ...]:
    """Lines `./dataset/OSMA/PATH` TAB `LABEL`; paths may hold spaces and colons, so TAB alone separates."""
    path = _list_path(root, split, part, group)
    if not path.is_file():
        return ()
    samples = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line:
            continue
        name, tab, label = line.rpartition("\t")
        if not (tab and name.startswith(_PREFIX) and label.isdecimal() and int(label) < len(names)):
            raise MissingError(
                f"{path}, line {number}",
                f"is {line!r}, must be `{_PREFIX}OSMA/PATH` TAB a label from 0 to {len(names) - 1}",
            )
        index = int(label)
        samples.append(Sample(root / name.removeprefix(_PREFIX), UNKNOWN if group else index, names[index], group))
    return tuple(samples)
