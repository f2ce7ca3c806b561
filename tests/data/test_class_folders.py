"""Any folder of class folders: given splits honoured, else split by content with equal files together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from forensic.data.class_folders import read_class_folders, read_unseen
from forensic.data.sample import UNKNOWN, Layout
from forensic.errors import MissingError


def fill(folder: Path, count: int, first: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        (folder / f"{number}.png").write_bytes(f"{folder.name} {number}".encode())


def contents(layout: Layout) -> dict[str, set[bytes]]:
    return {part: {s.path.read_bytes() for s in getattr(layout, part)} for part in ("train", "val", "test")}


def test_split_80_10_10_of_each_class(tmp_path: Path) -> None:
    fill(tmp_path / "gan", 40)
    fill(tmp_path / "real", 20)
    layout = read_class_folders(tmp_path)
    assert layout.classes == ("real", "gan")
    for part, shares in (("train", (16, 32)), ("val", (2, 4)), ("test", (2, 4))):
        counts = Counter(sample.label for sample in getattr(layout, part))
        assert (counts[0], counts[1]) == shares


def test_equal_files_stay_together_whatever_their_name_and_class(tmp_path: Path) -> None:
    fill(tmp_path / "real", 30)
    fill(tmp_path / "gan", 30)
    for number in range(30):
        data = (tmp_path / "real" / f"{number}.png").read_bytes()
        (tmp_path / "real" / f"copy-{number}.png").write_bytes(data)
        (tmp_path / "gan" / f"real-{number}.png").write_bytes(data)
    parts = contents(read_class_folders(tmp_path))
    assert not parts["train"] & parts["val"]
    assert not parts["train"] & parts["test"]
    assert not parts["val"] & parts["test"]


def test_names_do_not_matter(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "real", 20)
    fill(tmp_path / "a" / "gan", 20)
    for name in ("real", "gan"):
        (tmp_path / "b" / name).mkdir(parents=True)
        for path in (tmp_path / "a" / name).iterdir():
            (tmp_path / "b" / name / f"z{99 - int(path.stem)}.png").write_bytes(path.read_bytes())
    assert contents(read_class_folders(tmp_path / "a")) == contents(read_class_folders(tmp_path / "b"))


@pytest.mark.parametrize(("count", "parts"), [(1, (1, 0, 0)), (2, (2, 0, 0)), (3, (1, 1, 1)), (5, (3, 1, 1))])
def test_small_classes_train_first(tmp_path: Path, count: int, parts: tuple[int, int, int]) -> None:
    fill(tmp_path / "a", count)
    fill(tmp_path / "b", count)
    layout = read_class_folders(tmp_path)
    assert tuple(len(part) // 2 for part in (layout.train, layout.val, layout.test)) == parts


def test_given_split_is_honoured(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "val", "test")):
        fill(tmp_path / part / "gan", 3, first=10 * number)
        fill(tmp_path / part / "real", 2, first=10 * number)
    layout = read_class_folders(tmp_path)
    assert layout.classes == ("real", "gan")
    for part in ("train", "val", "test"):
        assert all(part in sample.path.parts for sample in getattr(layout, part))
        assert len(getattr(layout, part)) == 5


def test_validation_is_held_out_where_none_is_given(tmp_path: Path) -> None:
    fill(tmp_path / "train" / "gan", 20)
    fill(tmp_path / "train" / "real", 20)
    fill(tmp_path / "test" / "gan", 5, first=50)
    layout = read_class_folders(tmp_path)
    assert (len(layout.train), len(layout.val), len(layout.test)) == (36, 4, 5)


def test_without_a_class_real(tmp_path: Path) -> None:
    fill(tmp_path / "b", 4)
    fill(tmp_path / "a", 4)
    assert read_class_folders(tmp_path).classes == ("a", "b")


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    fill(tmp_path / "a", 4)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match="two classes"):
        read_class_folders(tmp_path)


def test_unreadable_file_is_kept_for_the_one_who_opens_it(tmp_path: Path) -> None:
    fill(tmp_path / "a", 4)
    fill(tmp_path / "b", 4)
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere")
    layout = read_class_folders(tmp_path)
    assert "gone.png" in {s.path.name for s in (*layout.train, *layout.val, *layout.test)}


def test_unseen_class_folders_make_one_group(tmp_path: Path) -> None:
    fill(tmp_path / "new" / "x", 2)
    fill(tmp_path / "new" / "y", 1)
    groups = read_unseen(tmp_path / "new")
    assert {name: [s.source for s in samples] for name, samples in groups.items()} == {"new": ["x", "x", "y"]}
    assert all(s.label == UNKNOWN for s in groups["new"])


def test_unseen_group_folders(tmp_path: Path) -> None:
    fill(tmp_path / "seed" / "x", 2)
    fill(tmp_path / "wild" / "y", 1)
    groups = read_unseen(tmp_path)
    assert {name: [(s.source, s.group) for s in samples] for name, samples in groups.items()} == {
        "seed": [("x", "seed"), ("x", "seed")],
        "wild": [("y", "wild")],
    }


def test_unseen_group_named_like_the_folder_keeps_all_images(tmp_path: Path) -> None:
    fill(tmp_path / "new" / "new" / "gan-a", 2)
    fill(tmp_path / "new" / "gan-b", 3)
    assert [sample.source for sample in read_unseen(tmp_path / "new")["new"]] == ["gan-a"] * 2 + ["gan-b"] * 3


@pytest.mark.parametrize("name", ["", "absent"])
def test_no_unseen_images(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingError):
        read_unseen(tmp_path / name)


def test_train_with_images_of_its_own_is_a_class(tmp_path: Path) -> None:
    fill(tmp_path / "train", 10)
    fill(tmp_path / "real", 10)
    assert read_class_folders(tmp_path).classes == ("real", "train")
    fill(tmp_path / "train" / "series-1", 3, first=20)
    fill(tmp_path / "train" / "series-2", 3, first=30)
    layout = read_class_folders(tmp_path)
    assert layout.classes == ("real", "train")
    assert sum(sample.source == "train" for sample in (*layout.train, *layout.val, *layout.test)) == 16


@pytest.mark.parametrize("part", ["val", "test"])
def test_stray_images_make_no_class_of_a_split(tmp_path: Path, part: str) -> None:
    for name in ("train", part):
        fill(tmp_path / name, 1, first=90)
        fill(tmp_path / name / "gan", 5)
        fill(tmp_path / name / "real", 5)
    layout = read_class_folders(tmp_path)
    assert layout.classes == ("real", "gan")
    assert all("train" in sample.path.parts for sample in layout.train)


def test_split_or_class_is_asked_where_both_are_likely(tmp_path: Path) -> None:
    for folder in ("train/a", "train/b", "real", "gan"):
        fill(tmp_path / folder, 3)
    with pytest.raises(
        MissingError, match=r"holds train/ with class folders, and class folders beside it \('gan', 'real'\)"
    ):
        read_class_folders(tmp_path)


def test_split_without_anything_beside_it(tmp_path: Path) -> None:
    fill(tmp_path / "train" / "a", 10)
    fill(tmp_path / "train" / "b", 10)
    (tmp_path / "notes").mkdir()
    assert read_class_folders(tmp_path).classes == ("a", "b")


def test_folder_whose_name_is_no_utf8(tmp_path: Path) -> None:
    root = tmp_path / "data\udcff"
    try:
        fill(root / "real", 3)
    except OSError:
        pytest.skip("needs a file system that keeps names which are no UTF-8")
    fill(root / "gan", 3)
    (tmp_path / "link").symlink_to(root)
    assert read_class_folders(root).name == read_class_folders(tmp_path / "link").name == "data\\udcff"
    assert list(read_unseen(root)) == ["data\\udcff"]


@pytest.mark.parametrize("name", ["gan\udcff", "gan\nb"])
def test_a_name_that_no_card_can_hold(tmp_path: Path, name: str) -> None:
    fill(tmp_path / "real", 3)
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.png").write_bytes(b"x")
    with pytest.raises(MissingError, match="name of a class"):
        read_class_folders(tmp_path)
