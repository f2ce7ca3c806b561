"""One door to all layouts of images: OSMA, osma-mini, any folder of class folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forensic.data import decode
from forensic.data.class_folders import read_class_folders, read_unseen
from forensic.data.osma import ZENODO_RECORD, is_osma, read_osma
from forensic.data.osma_mini import CLASSES_FILE, read_osma_mini
from forensic.data.sample import UNKNOWN, Layout, Sample, read_flat
from forensic.errors import MissingError, Unreadable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["UNKNOWN", "Layout", "Sample", "load_image", "read_flat", "read_layout", "read_unseen"]


def read_layout(root: Path, *, split: int = 1, classes_dir: bool = False) -> Layout:
    """Recognises a layout and reads it; no image is opened, but files are hashed where a split must be made.

    Args:
        root: folder of the data.
        split: OSMA's split, 1 to 5.
        classes_dir: `root` is a folder of class folders, whatever else lies in it.

    Raises:
        MissingError: the folder is absent or holds no known layout; the remedy says where to get the data.
        UsageError: a split that the layout lacks.
    """
    if not root.is_dir():
        raise MissingError(str(root), "is not there" if not root.exists() else "is no folder", _WHERE_TO_GET)
    if classes_dir:
        return read_class_folders(root)
    if (root / CLASSES_FILE).is_file():
        return read_osma_mini(root, split)
    if is_osma(root):
        return read_osma(root, split)
    raise MissingError(
        str(root),
        "holds neither OSMA (`OSMA/`, `split1_train/`, `subset_annotations/`) nor osma-mini (`classes.yaml`)",
        _WHERE_TO_GET,
    )


def load_image(sample: Sample) -> NDArray[np.uint8]:
    """Decodes a sample, uint8 (H, W, 3) RGB.

    Raises:
        Unreadable: no such file, no right to read it, or a damaged image.
        Skipped: readable, but left out by rule.
    """
    try:
        data = sample.path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from error
    return decode.decode(data, name=str(sample.path)).pixels


_WHERE_TO_GET = (
    f"Get OSMA from Zenodo record {ZENODO_RECORD} (https://zenodo.org/records/{ZENODO_RECORD}, about 50 GB) and unpack "
    "it there, name another folder with --data DIR, or train on class folders of your own with --classes DIR"
)
