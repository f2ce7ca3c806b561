from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from forensic.comparison.sets import image_files, read_set
from forensic.models.card import Card
from forensic.models.verification import Verification


@pytest.fixture
def folder(tmp_path: Path, samples: Path, hostile: Path) -> Path:
    (tmp_path / "deep").mkdir()
    shutil.copy(samples / "real-00006.png", tmp_path / "b.png")
    shutil.copy(samples / "real-00006.png", tmp_path / "copy.png")
    shutil.copy(samples / "full" / "real-2.png", tmp_path / "deep" / "a.PNG")
    shutil.copy(hostile / "png-truncated.png", tmp_path / "z.png")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "link.png").symlink_to(tmp_path / "b.png")
    return tmp_path


def test_files_below_a_folder_in_byte_order_without_links(folder: Path) -> None:
    found = [path.relative_to(folder).as_posix() for path in image_files(folder)]
    assert found == ["b.png", "copy.png", "deep/a.PNG", "z.png"]
    assert image_files(folder / "notes.txt") == [folder / "notes.txt"]


def test_a_set_has_each_picture_once_and_names_what_is_left_out(
    folder: Path, comparing: tuple[Card, Verification]
) -> None:
    passed: list[int] = []
    found = read_set(folder, image_files(folder), *comparing, lambda: passed.append(1))
    assert [Path(image.path).name for image in found.images] == ["b.png", "a.PNG"]
    assert [Path(path).name for path, _ in found.left_out] == ["copy.png", "z.png"]
    assert found.left_out[0][1] == "the same bytes as another file of this set"
    assert len(passed) == 4
    assert found.places.shape == (2, comparing[0].num_classes - 1)
    assert np.isfinite(found.places).all()
    assert found.flags == {"outside-validation": 1}  # the whole picture: validation had sides of 128 only
