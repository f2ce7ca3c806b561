"""OSMA's lists, on a tree made here: names with spaces and colons, and folders whose names repeat the lists' words."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensic.data.osma import GROUPS, is_osma, read_class_names, read_osma
from forensic.data.sample import UNKNOWN
from forensic.errors import MissingError, UsageError

SUMMER = "OSMA/real/summer/2011-07-08 09:10:11_real.png"


def write_list(root: Path, part: str, suffix: str, lines: list[str], split: int = 1) -> Path:
    path = root / f"split{split}_{part}" / "annotations" / f"split{split}_{part}{suffix}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def osma(tmp_path: Path) -> Path:
    root = tmp_path / "out" / "test_out" / "dataset"
    (root / "OSMA").mkdir(parents=True)
    write_list(root, "train", "", [f"./dataset/{SUMMER}\t0", "./dataset/OSMA/fake/out/./dataset/1.png\t14"])
    write_list(root, "val", "", ["./dataset/OSMA/fake/starGAN/celeba/7-images-Male.png\t2"])
    write_list(root, "test", "", ["./dataset/OSMA/real/CoCo/3.png\t0"])
    write_list(
        root, "test", "_out_seed", ["./dataset/OSMA/fake/ProGAN/a.png\t0", "./dataset/OSMA/fake/ProGAN/b.png\t9"]
    )
    write_list(root, "test", "_out_arch", ["./dataset/OSMA/fake/out/c.png\t21"])
    write_list(root, "test", "_out_dataset", ["./dataset/OSMA/fake/d.png\t20"])
    return root


def test_paths_are_below_the_root_once(osma: Path) -> None:
    layout = read_osma(osma, 1)
    assert [sample.path for sample in layout.train] == [
        osma / SUMMER,
        osma / "OSMA/fake/out/dataset/1.png",  # only the first ./dataset/ is the folder's name
    ]
    assert [sample.label for sample in layout.train] == [0, 14]
    assert [sample.source for sample in layout.train] == ["real", "progan_bus"]
    assert layout.preprocessing == "pose-128-v1"
    assert len(layout.classes) == 15


def test_unknown_groups_number_their_own_classes(osma: Path) -> None:
    unseen = read_osma(osma, 1).unseen
    assert list(unseen) == list(GROUPS)
    assert [(s.source, s.group, s.label) for s in unseen["seed"]] == [
        ("celeba_ProGAN_seed1", "seed", UNKNOWN),
        ("lsun_ProGAN_seed5", "seed", UNKNOWN),
    ]
    assert unseen["arch"][0].source == "sngan_bus"
    assert unseen["dataset"][0].source == "progan_sheep"
    assert unseen["arch"][0].path == osma / "OSMA/fake/out/c.png"


def test_class_names_of_every_split() -> None:
    names = read_class_names()
    assert sorted(names) == [f"split{n}" for n in range(1, 6)]
    for split in names.values():
        assert [len(split[key]) for key in ("known", "seed", "arch", "dataset")] == [15, 10, 22, 21]
        assert split["known"][0] == "real"
        every = [name for key in ("known", "seed", "arch", "dataset") for name in split[key]]
        assert len(set(every)) == 68


@pytest.mark.parametrize(
    "line",
    [
        "./dataset/OSMA/a.png",
        "./dataset/OSMA/a.png\t15",
        "./dataset/OSMA/a.png\t-1",
        "./dataset/OSMA/a.png\tx",
        "/home/x/OSMA/a.png\t0",
    ],
)
def test_damaged_line_is_named(osma: Path, line: str) -> None:
    path = write_list(osma, "val", "", ["./dataset/OSMA/ok.png\t1", line])
    with pytest.raises(MissingError, match="line 2") as caught:
        read_osma(osma, 1)
    assert str(path) in str(caught.value)


def test_split_without_its_lists_says_where_they_are(osma: Path) -> None:
    with pytest.raises(MissingError, match="8103474"):
        read_osma(osma, 2)


@pytest.mark.parametrize("split", [0, 6])
def test_no_such_split(osma: Path, split: int) -> None:
    with pytest.raises(UsageError, match="1 to 5"):
        read_osma(osma, split)


def test_recognised_by_images_or_lists(osma: Path, tmp_path: Path) -> None:
    assert is_osma(osma)
    assert not is_osma(tmp_path)
    (tmp_path / "split3_val" / "annotations").mkdir(parents=True)
    assert is_osma(tmp_path)
