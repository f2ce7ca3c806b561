"""Which images an evaluation is about: known ones, labelled as the weights label, and unknown ones by group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from forensic.data.layouts import UNKNOWN, Layout, Sample, read_flat, read_unseen
from forensic.data.sample import list_images
from forensic.errors import MissingError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

ALL = "all"
"""Name of the group that pools every unknown image."""
VALIDATION = "val_unseen"
"""Name of the group of validation unknowns where the layout names none."""


@dataclass(frozen=True)
class Selection:
    """Known images, labelled as the weights label, and unknown ones by group."""

    known: tuple[Sample, ...]
    unknown: dict[str, tuple[Sample, ...]]
    """Group -> its samples, each with the group's name."""
    loose: tuple[Path, ...] = ()
    """Image files in a folder of unknowns that lie beside class folders: of no class, hence in no group."""


def select(
    layout: Layout, classes: tuple[str, ...], *, on: str = "test", unseen: Path | None = None, real: Path | None = None
) -> Selection:
    """The images to evaluate on; what the weights know beyond the layout's classes is no unknown.

    Args:
        layout: where the images are.
        classes: of the weights, in label order.
        on: `test` or `val`.
        unseen: a flat folder of images, class folders, or group folders of them, in place of the layout's unknowns.
        real: a flat folder in place of the layout's images of class `real`.

    Raises:
        MissingError: the layout has a class that the weights do not know, or a named folder holds no images.
        UsageError: `real` is named and the weights have no such class, or a group is called `all`.
    """
    foreign = [name for name in layout.classes if name not in classes]
    if foreign:
        raise MissingError(
            str(layout.root),
            f"has the known class {foreign[0]}, which these weights do not know",
            f"They know {', '.join(classes)}",
        )
    labels = [classes.index(name) for name in layout.classes]
    known = tuple(
        replace(sample, label=labels[sample.label]) for sample in (layout.val if on == "val" else layout.test)
    )
    if real is not None:
        if "real" not in classes:
            raise UsageError(f"--real {real}", "these weights have no class `real`")
        label = classes.index("real")
        instead = read_flat(real, label, "real")
        if not instead:
            raise MissingError(str(real), "holds no images")
        known = instead + tuple(sample for sample in known if sample.label != label)
    loose: tuple[Path, ...] = ()
    if unseen is not None:
        unknown, loose = read_unknown(unseen)
    elif on == "val":
        unknown = {VALIDATION: layout.val_unseen} if layout.val_unseen else {}
    else:
        unknown = layout.unseen
    if ALL in unknown:
        raise UsageError(str(unseen or layout.root), f"a group may not be called `{ALL}`: that name pools all groups")
    # an enrolled class stands among the layout's unknowns, but these weights know it
    more = set(classes) - set(layout.classes)
    met = (sample for samples in unknown.values() for sample in samples if sample.source in more)
    known += tuple(replace(sample, label=classes.index(sample.source), group=None) for sample in met)
    unknown = {group: tuple(s for s in samples if s.source not in more) for group, samples in unknown.items()}
    named = {group: tuple(replace(sample, group=group) for sample in samples) for group, samples in unknown.items()}
    return Selection(known, {group: samples for group, samples in named.items() if samples}, loose)


def read_unknown(folder: Path) -> tuple[dict[str, tuple[Sample, ...]], tuple[Path, ...]]:
    """Unknown images of a folder: images alone, class folders, or group folders of class folders.

    Returns:
        Group -> samples, and the images that lie beside class folders. A flat folder is one group of one class, both
        named like the folder.

    Raises:
        MissingError: no images there.
    """
    everything = list_images(folder)
    if everything and all(path.parent == folder for path in everything):
        name = folder.resolve().name
        return {name: read_flat(folder, UNKNOWN, name, name)}, ()
    groups = read_unseen(folder)
    taken = {sample.path for samples in groups.values() for sample in samples}
    return groups, tuple(path for path in everything if path not in taken)
