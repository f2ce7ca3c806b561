"""Which pictures a calibration or a statement is of: known ones by class, unknown ones by generator, their photographs.

A photograph is what the column `photo` of a MANIFEST.csv says, in the folder itself or up to two above it, as osma-mini
has one; a file that no table names is a photograph of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from forensic.data.class_folders import REAL
from forensic.data.layouts import UNKNOWN, Sample, read_flat, read_layout
from forensic.data.osma import is_osma
from forensic.data.osma_mini import CLASSES_FILE, read_photos
from forensic.data.sample import list_folders, list_images, name_of_folder
from forensic.errors import MissingError, UsageError
from forensic.evaluate.selection import read_unknown as read_groups
from forensic.evaluate.selection import select

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MANIFEST = "MANIFEST.csv"
_ABOVE = 2


class Sources(NamedTuple):
    """Pictures to be scored."""

    known: tuple[Sample, ...]
    unknown: tuple[Sample, ...]
    photographs: str
    """How photographs were told apart, a sentence."""
    left_out: tuple[str, ...] = ()
    """What was found and belongs to neither, a line each."""


def read_sources(known: Path, unknown: Path | None, classes: tuple[str, ...], real: str) -> Sources:
    """The pictures of a calibration.

    Args:
        known: class folders named like classes of the weights, or pictures without them: those are of class real.
            Without `unknown` the pictures of class real alone.
        unknown: class folders, or groups of them, each a generator that the weights do not know; None for none.
        classes: of the weights, in label order.
        real: which of them is real; empty where none is.

    Raises:
        MissingError: no pictures, or a folder that is on the wrong side.
        UsageError: pictures of class real for weights that have none.
    """
    _check_folder(known)
    named = [folder for folder in list_folders(known) if list_images(folder)]
    if not list_images(known):
        raise MissingError(str(known), "holds no images")
    of_classes = [folder for folder in named if folder.name in classes]
    left_out: list[str] = []
    if not of_classes:
        samples = _of_real(known, classes, real)
    elif unknown is None:
        samples = _of_real(known / real, classes, real)
        left_out = [f"{folder}: class {folder.name} is not fitted without --unknown" for folder in of_classes]
        left_out = [line for line in left_out if not line.startswith(f"{known / real}:")]
    else:
        for folder in named:
            if folder.name not in classes:
                remedy = f"They know {', '.join(classes)}; other generators belong under --unknown"
                raise MissingError(str(folder), "is no class of these weights", remedy)
        samples = tuple(
            sample for folder in of_classes for sample in read_flat(folder, classes.index(folder.name), folder.name)
        )
        left_out = [f"{path}: lies beside class folders" for path in list_images(known) if path.parent == known]
    others = () if unknown is None else _unknown_of(unknown, classes)
    return _with_photographs(samples, others, [known, *([unknown] if unknown else [])], left_out)


def read_laboratory(folder: Path, classes: tuple[str, ...]) -> Sources:
    """The pictures of a statement.

    Args:
        folder: OSMA or osma-mini, whose test images are taken; or `known/CLASS` and `unknown/GENERATOR`; or class
            folders, of which those named like classes of the weights are known and all others unknown generators.
        classes: of the weights.

    Raises:
        MissingError: no pictures of known classes.
    """
    _check_folder(folder)
    if (folder / CLASSES_FILE).is_file() or is_osma(folder):
        chosen = select(read_layout(folder), classes, on="test")
        others = tuple(sample for samples in chosen.unknown.values() for sample in samples)
        return _with_photographs(chosen.known, _one_name_each(others), [folder], [])
    unknown = folder / "unknown"
    if (folder / "known").is_dir() and unknown.is_dir():
        return read_sources(folder / "known", unknown, classes, REAL if REAL in classes else "")
    return _class_folders(folder, classes)


def _class_folders(folder: Path, classes: tuple[str, ...]) -> Sources:
    top = folder / "known" if (folder / "known").is_dir() else folder
    folders = [one for one in list_folders(top) if list_images(one)]
    known = [
        sample for one in folders if one.name in classes for sample in read_flat(one, classes.index(one.name), one.name)
    ]
    if not known:
        raise MissingError(str(top), "holds no folder of a class of these weights", f"They know {', '.join(classes)}")
    others = [sample for one in folders if one.name not in classes for sample in read_flat(one, UNKNOWN, one.name)]
    left_out = [f"{path}: lies beside class folders" for path in list_images(top) if path.parent == top]
    return _with_photographs(tuple(known), tuple(others), [folder], left_out)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise MissingError(str(folder), "is no folder" if folder.exists() else "is not there")


def _of_real(folder: Path, classes: tuple[str, ...], real: str) -> tuple[Sample, ...]:
    if not real:
        remedy = "Give class folders named like the classes, and --unknown"
        raise UsageError(
            f"--known {folder}", "images without class folders are of class real, which these weights lack", remedy
        )
    samples = read_flat(folder, classes.index(real), real)
    if not samples:
        raise MissingError(str(folder), f"holds no images of class {real}, and without --unknown no other is fitted")
    return samples


def _unknown_of(folder: Path, classes: tuple[str, ...]) -> tuple[Sample, ...]:
    _check_folder(folder)
    groups, loose = read_groups(folder)
    if loose:
        raise MissingError(str(loose[0]), "lies beside class folders: of which generator is it?", "Give it a folder")
    samples = _one_name_each(sample for some in groups.values() for sample in some)
    for sample in samples:
        if sample.source in classes:
            raise MissingError(str(sample.path.parent), "is a class of these weights, and no unknown generator")
    return samples


def _one_name_each(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Generators of two groups may have one name; then it is GROUP/NAME."""
    found = tuple(samples)
    groups: dict[str, set[str | None]] = {}
    for sample in found:
        groups.setdefault(sample.source, set()).add(sample.group)
    return tuple(
        replace(sample, source=f"{sample.group}/{sample.source}") if len(groups[sample.source]) > 1 else sample
        for sample in found
    )


def _with_photographs(
    known: tuple[Sample, ...], unknown: tuple[Sample, ...], folders: list[Path], left_out: list[str]
) -> Sources:
    photos: dict[Path, str] = {}
    for folder in folders:
        for place in [folder.resolve(), *folder.resolve().parents][: _ABOVE + 1]:
            if (place / MANIFEST).is_file():
                photos |= {place / name: photo for name, photo in read_photos(place / MANIFEST, "path").items()}
                break

    def told(sample: Sample) -> Sample:
        return replace(sample, photo=sample.photo or photos.get(sample.path.resolve()))

    known, unknown = tuple(map(told, known)), tuple(map(told, unknown))
    by_table = sum(sample.photo is not None for sample in known + unknown)
    total = len(known) + len(unknown)
    how = f"the column photo of {MANIFEST} tells the photograph"
    if by_table == total:
        said = f"{how} of each image"
    elif by_table:
        said = f"{how} of {by_table} of {total} images; of the others each file counts as one"
    else:
        said = f"each file counts as a photograph of its own; no {MANIFEST} says which were made from one"
    return Sources(known, unknown, said, tuple(left_out))


def data_name(folder: Path) -> str:
    """How a statement names its data."""
    return name_of_folder(folder)
