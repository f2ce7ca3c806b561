"""osma-mini: the whole of it, and any part of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from forensic.data.osma_mini import read_osma_mini
from forensic.data.sample import UNKNOWN
from forensic.errors import MissingError, UsageError

NAMES = {
    "known": ["real", "gan"],
    "unseen": {"seed": ["gan2"], "wild": ["other"]},
    "val_unseen": ["third"],
}


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    (tmp_path / "classes.yaml").write_text(yaml.safe_dump(NAMES))
    files = [
        "train/real/0.png",
        "train/real/1.png",
        "train/gan/0.png",
        "val/gan/0.png",
        "test/real/0.png",
        "test_unseen/seed/gan2/0.png",
        "test_unseen/wild/other/0.png",
        "val_unseen/third/0.png",
        "val_full/gan-1.png",
        "val_full/third-2.png",
        "val_full/FULL.csv",
    ]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "val_full" / "FULL.csv").write_text("file,class,group,photo\ngan-1.png,gan,gan,p9\n")
    (tmp_path / "MANIFEST.csv").write_text(
        "path,sha256,class,group,split,photo\ntrain/real/0.png,x,real,known,train,p1\n"
    )
    return tmp_path


def test_labels_sources_and_groups(mini: Path) -> None:
    layout = read_osma_mini(mini, 1)
    assert layout.classes == ("real", "gan")
    assert layout.preprocessing == "tiles-128-v2"
    assert [(s.label, s.source, s.photo) for s in layout.train] == [
        (0, "real", "p1"),
        (0, "real", None),
        (1, "gan", None),
    ]
    assert {group: [s.source for s in samples] for group, samples in layout.unseen.items()} == NAMES["unseen"]
    assert all(s.label == UNKNOWN for s in (*layout.val_unseen, *layout.unseen["seed"]))
    assert layout.unseen["wild"][0].group == "wild"


def test_whole_pictures(mini: Path) -> None:
    full = read_osma_mini(mini, 1).val_full
    assert [(s.label, s.source, s.photo) for s in full] == [(1, "gan", "p9"), (UNKNOWN, "third", None)]


def test_any_part_is_valid(mini: Path) -> None:
    (mini / "MANIFEST.csv").unlink()
    for folder in ("val_full", "val", "val_unseen", "test", "test_unseen", "train/gan"):
        shutil.rmtree(mini / folder)
    layout = read_osma_mini(mini, 1)
    assert len(layout.train) == 2
    assert layout.val == layout.val_full == layout.val_unseen == ()
    assert layout.unseen == {"seed": (), "wild": ()}


def test_one_split_only(mini: Path) -> None:
    with pytest.raises(UsageError, match="one split only"):
        read_osma_mini(mini, 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "known: []",
        "- a",
        "{",
        "\x00",
        "known: real",
        "known: [real, 3]",
        "known: [real, ../../etc]",
        "known: [real, gan, real]",
        'known: [real, "a\\nb"]',
        "known: [real]\nunseen: [a]",
        "known: [real]\nunseen: {seed: 3}",
        "known: [real]\nunseen: {a/b: [c]}",
        "known: [real]\nval_unseen: {a: b}",
    ],
)
def test_damaged_list_of_classes(mini: Path, text: str) -> None:
    (mini / "classes.yaml").write_text(text)
    with pytest.raises(MissingError, match=r"classes\.yaml"):
        read_osma_mini(mini, 1)


@pytest.mark.parametrize("text", [b"\xff\xfe", b"", b"file,photo\n", b"other,photo\na,b\n"])
def test_table_of_photographs_may_be_of_no_use(mini: Path, text: bytes) -> None:
    (mini / "MANIFEST.csv").write_bytes(text)
    if text[:1] == b"\xff":
        with pytest.raises(MissingError, match="MANIFEST"):
            read_osma_mini(mini, 1)
    else:
        assert {sample.photo for sample in read_osma_mini(mini, 1).train} == {None}


def test_the_set_itself(osma_mini: Path) -> None:
    layout = read_osma_mini(osma_mini, 1)
    assert len(layout.classes) == 7
    assert {sample.label for sample in layout.train} == set(range(7))
    assert set(layout.unseen) == {"seed", "arch", "dataset", "wild"}
    assert layout.val_unseen
