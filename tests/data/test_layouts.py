"""Which layout a folder holds, and where to get data when it holds none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from forensic.data.layouts import Sample, load_image, read_layout
from forensic.errors import MissingError, Unreadable


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("real", "gan"):
        for number in range(4):
            path = tmp_path / name / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            assert cv2.imwrite(str(path), np.full((20, 30, 3), (number, 50, 200), np.uint8))
    return tmp_path


def test_osma_mini_is_recognised(folders: Path) -> None:
    (folders / "classes.yaml").write_text("known: [real, gan]")
    assert read_layout(folders).name == "osma-mini"


def test_osma_is_recognised(folders: Path) -> None:
    lists = folders / "split2_train" / "annotations"
    lists.mkdir(parents=True)
    (lists / "split2_train.txt").write_text("./dataset/OSMA/real/1.png\t0\n")
    assert read_layout(folders, split=2).name == "osma-split2"


def test_class_folders_on_demand_only(folders: Path) -> None:
    assert read_layout(folders, classes_dir=True).classes == ("real", "gan")
    with pytest.raises(MissingError, match="--classes"):
        read_layout(folders)


@pytest.mark.parametrize("classes_dir", [False, True])
def test_missing_data_says_where_to_get_it(tmp_path: Path, classes_dir: bool) -> None:
    with pytest.raises(MissingError, match="8103474") as caught:
        read_layout(tmp_path / "dataset", classes_dir=classes_dir)
    assert caught.value.exit_code == 5


def test_load_image_gives_rgb(folders: Path) -> None:
    pixels = load_image(Sample(folders / "gan" / "3.png", 1, "gan"))
    assert pixels.shape == (20, 30, 3)
    assert pixels[0, 0].tolist() == [200, 50, 3]


@pytest.mark.parametrize("content", [None, b"", b"text"])
def test_load_image_says_why_not(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Unreadable):
        load_image(Sample(path, 0, "a"))
