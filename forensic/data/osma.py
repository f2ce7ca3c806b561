"""OSMA, the paper's benchmark (Zenodo record 8103474): five splits described by lists of paths and labels.

    OSMA/{real,fake}/...                                  images
    split1_{train,val,test}/annotations/split1_PART[_out_GROUP].txt
    subset_annotations/test[_out_GROUP].txt               a small part of the test images

The subset's images lie below OSMA/ or OSMA_subset/. It has lists of its own and no training images; it is read where no
split's lists are there. Its labels are numbered like those of a split: split 1 where no other is named.
"""

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

_SUBSET_LISTS = "subset_annotations"
_PREFIX = "./dataset/"
"""How the lists write the folder that holds `OSMA/` and the lists; only at the start of a path, and only once."""


@cache
def read_class_names() -> dict[str, dict[str, list[str]]]:
    """Split name (`split1` to `split5`) -> `known`, `seed`, `arch`, `dataset` -> class names in label order."""
    text = files("forensic.data").joinpath("osma-classes.yaml").read_text(encoding="utf-8")
    names: dict[str, dict[str, list[str]]] = yaml.safe_load(text)
    return names


def is_osma(root: Path) -> bool:
    """Whether a folder holds OSMA: its images, a split's lists, or the subset's."""
    return (root / "OSMA").is_dir() or _has_splits(root) or (root / _SUBSET_LISTS).is_dir()


def _has_splits(root: Path) -> bool:
    return any(
        (root / f"{split}_{part}" / "annotations").is_dir()
        for split in read_class_names()
        for part in ("train", "val", "test")
    )


def read_osma(root: Path, split: int) -> Layout:
    """Reads one split's lists, or the subset's; no image is opened.

    Args:
        root: the folder that holds `OSMA/` and `split1_train/`, ..., or `OSMA_subset/` and `subset_annotations/`.
        split: 1 to 5; of the subset, whose names its labels have.

    Returns:
        The subset, and a split of which the test lists alone are there, have no training images.

    Raises:
        UsageError: another split.
        MissingError: neither training nor test images are listed, or a line of a list is damaged.
    """
    names = read_class_names().get(f"split{split}")
    if names is None:
        raise UsageError(f"--split {split}", "OSMA has the splits 1 to 5")
    known = names["known"]
    subset = (root / _SUBSET_LISTS).is_dir() and not _has_splits(root)

    def listed(part: str, names: list[str], group: str | None = None) -> tuple[Sample, ...]:
        suffix = f"_out_{group}" if group else ""
        if subset:
            return _read_list(root / _SUBSET_LISTS / f"{part}{suffix}.txt", root, names, group)
        return _read_list(_list_path(root, split, part, suffix), root, names, group)

    train, test = listed("train", known), listed("test", known)
    if not (train or test):
        raise MissingError(
            str(root / _SUBSET_LISTS / "test.txt" if subset else _list_path(root, split, "train")),
            "is missing or empty",
            f"It belongs to Zenodo record {ZENODO_RECORD} (https://zenodo.org/records/{ZENODO_RECORD})",
        )
    return Layout(
        name=f"osma-subset-split{split}" if subset else f"osma-split{split}",
        root=root,
        classes=tuple(known),
        preprocessing="pose-128-v1",
        train=train,
        val=listed("val", known),
        test=test,
        unseen={group: listed("test", names[group], group) for group in GROUPS},
    )


def _list_path(root: Path, split: int, part: str, suffix: str = "") -> Path:
    return root / f"split{split}_{part}" / "annotations" / f"split{split}_{part}{suffix}.txt"


def _read_list(path: Path, root: Path, names: list[str], group: str | None) -> tuple[Sample, ...]:
    """Lines `./dataset/OSMA/PATH` TAB `LABEL`; paths may hold spaces and colons, so TAB alone separates."""
    if not path.is_file():
        return ()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingError(str(path), f"can not be read: {error}") from error
    moved = not (root / "OSMA").is_dir() and (root / "OSMA_subset").is_dir()
    samples = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line:
            continue
        name, tab, label = line.rpartition("\t")
        sound = tab and name.startswith(_PREFIX) and ".." not in name.split("/")
        if not (sound and label.isdecimal() and int(label) < len(names)):
            raise MissingError(
                f"{path}, line {number}",
                f"is {line!r}, must be `{_PREFIX}OSMA/PATH` TAB a label from 0 to {len(names) - 1}",
            )
        index = int(label)
        below = name.removeprefix(_PREFIX)
        if moved and below.startswith("OSMA/"):  # the subset's lists name the folder of the whole
            below = "OSMA_subset/" + below.removeprefix("OSMA/")
        samples.append(Sample(root / below, UNKNOWN if group else index, names[index], group))
    return tuple(samples)
