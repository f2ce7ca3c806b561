from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from forensic.data.layouts import Layout, read_layout
from forensic.data.osma import read_class_names
from forensic.errors import MissingError, UsageError
from forensic.evaluate.selection import read_unknown, select


def sources(samples) -> list[str]:
    return sorted({sample.source for sample in samples})


def test_test_and_validation_images(layout: Layout) -> None:
    on_test = select(layout, layout.classes)
    assert on_test.known == layout.test
    assert on_test.unknown == layout.unseen
    assert on_test.loose == ()
    on_val = select(layout, layout.classes, on="val")
    assert on_val.known == layout.val
    assert list(on_val.unknown) == ["val_unseen"]
    assert [sample.path for sample in on_val.unknown["val_unseen"]] == [sample.path for sample in layout.val_unseen]
    assert {sample.group for sample in on_val.unknown["val_unseen"]} == {"val_unseen"}


def test_labels_are_those_of_the_weights(layout: Layout) -> None:
    turned = (*layout.classes[::-1], "one more")
    for sample in select(layout, turned).known:
        assert turned[sample.label] == sample.source


def test_a_class_that_the_weights_do_not_know(layout: Layout) -> None:
    with pytest.raises(MissingError, match="known class realcugan_se_x2, which these weights do not know"):
        select(layout, layout.classes[:-1])


def test_an_enrolled_class_is_no_unknown(layout: Layout) -> None:
    name = layout.unseen["wild"][0].source
    found = select(layout, (*layout.classes, name))
    enrolled = [sample for sample in found.known if sample.source == name]
    assert {sample.label for sample in enrolled} == {len(layout.classes)}
    assert len(enrolled) == len([sample for sample in layout.unseen["wild"] if sample.source == name])
    assert name not in sources(sample for samples in found.unknown.values() for sample in samples)
    assert found.known[: len(layout.test)] == layout.test


def test_other_unknowns_and_other_photographs(layout: Layout, tmp_path: Path) -> None:
    image = layout.test[0].path
    for folder in ("mine/gan", "mine/diffusion", "raw/deep"):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(image, tmp_path / folder / "x.png")
    found = select(layout, layout.classes, unseen=tmp_path / "mine", real=tmp_path / "raw")
    assert list(found.unknown) == ["mine"]
    assert sources(found.unknown["mine"]) == ["diffusion", "gan"]
    real = [sample for sample in found.known if sample.label == 0]
    assert [sample.path for sample in real] == [tmp_path / "raw" / "deep" / "x.png"]
    assert len(found.known) - 1 == len([sample for sample in layout.test if sample.label != 0])


def test_what_can_not_be_selected(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="holds no images"):
        select(layout, layout.classes, real=tmp_path)
    renamed = replace(layout, classes=("photographs", *layout.classes[1:]))
    with pytest.raises(UsageError, match="no class `real`"):
        select(renamed, renamed.classes, real=tmp_path)
    with pytest.raises(UsageError, match="a group may not be called `all`"):
        select(replace(layout, unseen={"all": layout.unseen["seed"]}), layout.classes)


def images(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"never opened")


def test_a_flat_folder_is_one_group_of_its_name(tmp_path: Path) -> None:
    images(tmp_path / "midjourney", "b.png", "a.JPG", "notes.txt", ".hidden.png")
    (tmp_path / "midjourney" / "empty").mkdir()
    groups, loose = read_unknown(tmp_path / "midjourney")
    assert {name: [sample.path.name for sample in samples] for name, samples in groups.items()} == {
        "midjourney": ["a.JPG", "b.png"]
    }
    assert {(sample.source, sample.group, sample.label) for sample in groups["midjourney"]} == {
        ("midjourney", "midjourney", -1)
    }
    assert loose == ()


def test_images_beside_class_folders_are_told_and_in_no_group(layout: Layout, tmp_path: Path) -> None:
    root = tmp_path / "mine"
    images(root, "gan/1.png", "gan/2.png", "loose.png", "group/class/3.png", "group/also loose.png")
    found = select(layout, layout.classes, unseen=root)
    assert {name: [s.path.name for s in samples] for name, samples in found.unknown.items()} == {
        "mine": ["1.png", "2.png"],
        "group": ["3.png"],
    }
    assert found.loose == (root / "group/also loose.png", root / "loose.png")


@pytest.mark.parametrize("made", [(), ("notes.txt",), (".hidden/x.png",)], ids=str)
def test_a_folder_without_images_is_refused(tmp_path: Path, made: tuple[str, ...]) -> None:
    images(tmp_path / "none", *made)
    with pytest.raises(MissingError, match="holds no class folders with images"):
        read_unknown(tmp_path / "none")


@pytest.mark.parametrize("folder", ["dataset", "a dir: with colons/dataset"])
def test_the_layout_of_the_paper(tmp_path: Path, folder: str) -> None:
    """Paths of its Summer images hold spaces and colons; lists of unknown groups number their own classes."""
    root = tmp_path / folder
    summer = "OSMA/real/summer/2011-07-08 09:10:11_real.png"
    lists = {
        "split2_train/annotations/split2_train.txt": [(f"{summer}", 0)],
        "split2_test/annotations/split2_test.txt": [(summer, 0), ("OSMA/fake/starGAN/celeba/7-images-Male.png", 3)],
        "split2_test/annotations/split2_test_out_seed.txt": [("OSMA/fake/ProGAN/seed v1/1.png", 0)],
        "split2_test/annotations/split2_test_out_arch.txt": [("OSMA/fake/x/2.png", 0), ("OSMA/fake/x/3.png", 21)],
        "split2_test/annotations/split2_test_out_dataset.txt": [("OSMA/fake/cow: 4.png", 20)],
    }
    for name, entries in lists.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("".join(f"./dataset/{path}\t{label}\n" for path, label in entries), encoding="utf-8")
        images(root, *(path for path, _ in entries))
    layout = read_layout(root, split=2)
    found = select(layout, layout.classes)
    names = read_class_names()["split2"]
    assert [(s.path, s.source) for s in found.known] == [
        (root / summer, "real"),
        (root / "OSMA/fake/starGAN/celeba/7-images-Male.png", names["known"][3]),
    ]
    assert all(sample.path.is_file() for sample in found.known)
    assert {group: [(s.path.name, s.source) for s in samples] for group, samples in found.unknown.items()} == {
        "seed": [("1.png", names["seed"][0])],
        "arch": [("2.png", names["arch"][0]), ("3.png", names["arch"][21])],
        "dataset": [("cow: 4.png", names["dataset"][20])],
    }
