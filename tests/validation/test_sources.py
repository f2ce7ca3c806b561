from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from forensic.errors import MissingError, UsageError
from forensic.validation.sources import read_laboratory, read_sources

CLASSES = ("real", "alpha", "beta")


@pytest.fixture
def tree(tmp_path: Path):
    """`tree("known/alpha/1.png", ...)`: empty files; nothing here opens them."""

    def make(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make


def read(root: Path, *, alone: bool = False, real: str = "real"):
    return read_sources(root / "known", None if alone else root / "unknown", CLASSES, real)


def test_known_by_class_and_unknown_by_generator(tree) -> None:
    root = tree("known/alpha/1.png", "known/real/a/2.jpg", "unknown/g1/3.png", "unknown/g2/4.png", "known/loose.png")
    found = read(root)
    assert [(s.path.name, s.label, s.source) for s in found.known] == [("2.jpg", 0, "real"), ("1.png", 1, "alpha")][
        ::-1
    ]
    assert [(s.source, s.label) for s in found.unknown] == [("g1", -1), ("g2", -1)]
    assert found.left_out == (f"{root}/known/loose.png: lies beside class folders",)
    assert found.photographs.startswith("each file counts as a photograph of its own")


def test_groups_of_generators_and_equal_names_in_them(tree) -> None:
    found = read(tree("known/alpha/1.png", "unknown/a/g/1.png", "unknown/b/g/2.png", "unknown/b/h/2.png"))
    assert [s.source for s in found.unknown] == ["a/g", "b/g", "h"]


def test_a_manifest_above_tells_the_photographs(tree) -> None:
    root = tree("known/alpha/1.png", "known/alpha/2.png", "unknown/g/3.png")
    (root / "MANIFEST.csv").write_text("path,photo\nknown/alpha/1.png,p7\nunknown/g/3.png,p8\n")
    found = read(root)
    assert [s.photo for s in found.known + found.unknown] == ["p7", None, "p8"]
    assert "of 2 of 3 images; of the others each file counts as one" in found.photographs
    (root / "MANIFEST.csv").write_text("path,photo\nknown/alpha/1.png,p7\nknown/alpha/2.png,p7\nunknown/g/3.png,p8\n")
    assert read(root).photographs == "the column photo of MANIFEST.csv tells the photograph of each image"


def test_pictures_alone_are_of_class_real(tree) -> None:
    found = read(tree("known/a.jpg", "known/holiday/b.jpg"), alone=True)
    assert [(s.path.name, s.label) for s in found.known] == [("a.jpg", 0), ("b.jpg", 0)]
    assert found.unknown == ()


def test_without_unknown_other_classes_are_passed_over_and_told(tree) -> None:
    root = tree("known/alpha/1.png", "known/real/2.jpg")
    found = read(root, alone=True)
    assert [s.source for s in found.known] == ["real"]
    assert found.left_out == (f"{root}/known/alpha: class alpha is not fitted without --unknown",)


def test_class_real_with_unknown_generators_needs_no_other_class(tree) -> None:
    found = read(tree("known/1.jpg", "unknown/g/1.png"))
    assert ([s.label for s in found.known], len(found.unknown)) == ([0], 1)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["known/alpha/1.png", "known/gamma/1.png", "unknown/g/1.png"], "gamma: is no class of these weights"),
        (["known/alpha/1.png", "unknown/beta/1.png"], "beta: is a class of these weights"),
        (["known/alpha/1.png", "unknown/g/1.png", "unknown/1.png"], "lies beside class folders"),
        (["known/alpha/1.txt", "unknown/g/1.png"], "holds no images"),
        (["known/alpha/1.png"], "unknown: is not there"),
        (["unknown/g/1.png"], "known: is not there"),
        (["known/alpha/1.png", "unknown/g/1.txt"], "holds no class folders with images"),
    ],
)
def test_a_folder_on_the_wrong_side_is_an_error(tree, names, reason) -> None:
    with pytest.raises(MissingError, match=reason):
        read(tree(*names))


def test_weights_without_class_real_take_no_pictures_alone(tree) -> None:
    with pytest.raises(UsageError, match="of class real, which these weights lack"):
        read(tree("known/1.jpg"), alone=True, real="")


def test_class_real_without_pictures_is_an_error(tree) -> None:
    with pytest.raises(MissingError, match="without --unknown no other is fitted"):
        read(tree("known/alpha/1.png"), alone=True)


def test_a_laboratory_s_class_folders_are_known_by_name(tree) -> None:
    root = tree("lab/alpha/1.png", "lab/g/2.png")
    found = read_laboratory(root / "lab", CLASSES)
    assert ([s.source for s in found.known], [s.source for s in found.unknown]) == (["alpha"], ["g"])
    root = tree("two/known/beta/1.png", "two/unknown/g/2.png", "three/known/beta/1.png")
    found = read_laboratory(root / "two", CLASSES)
    assert ([s.source for s in found.known], [s.source for s in found.unknown]) == (["beta"], ["g"])
    assert read_laboratory(root / "three", CLASSES).unknown == ()
    with pytest.raises(MissingError, match="no folder of a class"):
        read_laboratory(tree("four/g/1.png") / "four", CLASSES)


def test_osma_mini_gives_its_test_images(osma_mini_small, tmp_path, tiny) -> None:
    data = shutil.copytree(osma_mini_small, tmp_path / "mini")
    found = read_laboratory(data, tiny.card.classes)
    assert {s.path.relative_to(data).parts[0] for s in found.known} == {"test"}
    assert {s.path.relative_to(data).parts[0] for s in found.unknown} == {"test_unseen"}


def test_a_laboratory_s_loose_photographs_are_of_class_real_where_there_is_one(tree) -> None:
    root = tree("known/1.jpg", "unknown/g/1.png")
    assert [s.source for s in read_laboratory(root, CLASSES).known] == ["real"]
    with pytest.raises(UsageError, match="which these weights lack"):
        read_laboratory(root, ("alpha", "beta"))
