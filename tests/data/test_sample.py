"""Listing folders: byte order, hidden entries left out, names that are no UTF-8."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from forensic.data.sample import Sample, check_class_name, list_folders, list_images, read_flat
from forensic.errors import MissingError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_images_are_listed_in_byte_order_of_the_path(tmp_path: Path) -> None:
    names = ["b.png", "a/z.JPG", "a.png", "B.webp", "a/y.png", "ä.png"]
    touch(*(tmp_path / name for name in names))
    listed = list_images(tmp_path)
    assert listed == sorted((tmp_path / name for name in names), key=os.fsencode)


def test_other_files_and_hidden_ones_are_no_images(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "README.md", tmp_path / ".b.png", tmp_path / ".cache" / "c.png")
    assert list_images(tmp_path) == [tmp_path / "a.png"]


def test_folders(tmp_path: Path) -> None:
    touch(tmp_path / "b" / "1.png", tmp_path / "a" / "1.png", tmp_path / ".git" / "x", tmp_path / "file")
    assert list_folders(tmp_path) == [tmp_path / "a", tmp_path / "b"]


def test_absent_folder_is_empty(tmp_path: Path) -> None:
    assert list_folders(tmp_path / "none") == []
    assert read_flat(tmp_path / "none", 0, "x") == ()


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff.png"
    try:
        Path(os.fsdecode(raw)).touch()
    except OSError:
        pytest.skip("needs a file system that keeps names which are no UTF-8")
    assert [os.fsencode(path) for path in list_images(tmp_path)] == [raw]


def test_read_flat_labels_what_it_finds(tmp_path: Path) -> None:
    touch(tmp_path / "1.png")
    assert read_flat(tmp_path, 3, "gan", "seed") == (Sample(tmp_path / "1.png", 3, "gan", "seed"),)


@pytest.mark.parametrize(
    "name",
    [
        "real",
        "StyleGAN 3",
        "a\u00a0b",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f468\u200d\U0001f52c",
        "é",
        "a.b",
        "-x",
    ],
)
def test_names_of_classes_in_any_script(name: str) -> None:
    check_class_name(name, "here")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "a\nb",
        "a\tb",
        "\x7f",
        "\x85",
        "a\u2028b",
        "a\u2029b",
        "a\udcffb",
        "a\u202eb",
        "\u2066a",
        3,
        None,
        ["a"],
    ],
)
def test_what_can_not_be_the_name_of_a_class(name: object) -> None:
    with pytest.raises(MissingError, match=r"^here: .* can not be the name of a class\. Rename it$") as refused:
        check_class_name(name, "here")
    assert str(refused.value).isprintable()


@given(name=st.text(min_size=1))
def test_a_name_that_is_welcome_survives_a_card_and_a_line(name: str) -> None:
    try:
        check_class_name(name, "here")
    except MissingError:
        return
    assert tomllib.loads(tomli_w.dumps({"classes": [name]})) == {"classes": [name]}
    assert name.encode().decode() == name
    assert len(name.splitlines()) == 1
