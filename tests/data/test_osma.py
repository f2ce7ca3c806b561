"""OSMA's lists, on a tree made here: names with spaces and colons, and folders whose names repeat the lists' words."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        "./dataset/OSMA/../../a.png\t0",
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


def test_split_with_test_lists_alone_is_for_evaluation(osma: Path) -> None:
    (osma / "split1_train" / "annotations" / "split1_train.txt").unlink()
    layout = read_osma(osma, 1)
    assert (len(layout.train), len(layout.val), len(layout.test)) == (0, 1, 1)


SUBSET = {"": 15, "_out_seed": 10, "_out_arch": 22, "_out_dataset": 21}
"""Lists and their labels; of each label there are a hundred."""


@pytest.fixture(params=["OSMA", "OSMA_subset"])
def subset(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The subset's lists in full length; every fifth name holds spaces and colons."""
    root = tmp_path / "dataset"
    (root / request.param).mkdir(parents=True)
    (root / "subset_annotations").mkdir()
    for suffix, labels in SUBSET.items():
        lines = []
        for label in range(labels):
            for number in range(100):
                name = f"{number}.png" if number % 5 else f"2011-07-08 09:10:{number:02d}_real.png"
                lines.append(f"./dataset/OSMA/fake/{suffix or 'known'}/{label}/{name}\t{label}\n")
        (root / "subset_annotations" / f"test{suffix}.txt").write_text("".join(lines))
    return root


@pytest.mark.parametrize("split", [1, 4])
def test_subset_has_what_its_lists_name(subset: Path, split: int) -> None:
    layout = read_osma(subset, split)
    names = read_class_names()[f"split{split}"]
    assert layout.name == f"osma-subset-split{split}"
    assert (layout.train, layout.val) == ((), ())
    groups = {"": layout.test, **{f"_out_{group}": samples for group, samples in layout.unseen.items()}}
    images = subset / ("OSMA" if (subset / "OSMA").is_dir() else "OSMA_subset")
    for suffix, labels in SUBSET.items():
        lines = (subset / "subset_annotations" / f"test{suffix}.txt").read_text().splitlines()
        samples = groups[suffix]
        assert len(samples) == len(lines) == 100 * labels
        own = names[suffix.removeprefix("_out_") or "known"]
        for sample, line in zip(samples, lines, strict=True):
            path, label = line.split("\t")
            assert sample.path == images / path.removeprefix("./dataset/OSMA/")
            assert sample.source == own[int(label)]
            assert sample.label == (UNKNOWN if suffix else int(label))
    counts = Counter(sample.source for samples in groups.values() for sample in samples)
    assert len(counts) == 68
    assert set(counts.values()) == {100}


def test_subset_beside_a_split_is_not_taken(osma: Path) -> None:
    (osma / "subset_annotations").mkdir()
    (osma / "subset_annotations" / "test.txt").write_text("./dataset/OSMA/x.png\t3\n")
    assert read_osma(osma, 1).name == "osma-split1"


def test_subset_without_its_test_list_says_where_it_is(subset: Path) -> None:
    (subset / "subset_annotations" / "test.txt").unlink()
    with pytest.raises(MissingError, match=r"subset_annotations/test\.txt: is missing or empty\. .*8103474"):
        read_osma(subset, 1)


def test_list_that_is_no_text_is_named(osma: Path) -> None:
    write_list(osma, "val", "", []).write_bytes(b"\xff\xfe")
    with pytest.raises(MissingError, match=r"split1_val\.txt: can not be read"):
        read_osma(osma, 1)


@given(name=st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs"]), min_size=1))
def test_any_name_without_a_tab_comes_back(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.getbasetemp() / "any"
    path = write_list(root, "train", "", [])
    path.write_bytes(f"./dataset/OSMA/{name}\t3\n".encode())
    if ".." in name.split("/"):
        with pytest.raises(MissingError, match="line 1"):
            read_osma(root, 1)
    else:
        assert [(s.path, s.label) for s in read_osma(root, 1).train] == [(root / f"OSMA/{name}", 3)]


def test_recognised_by_images_or_lists(osma: Path, tmp_path: Path) -> None:
    assert is_osma(osma)
    assert not is_osma(tmp_path)
    (tmp_path / "subset_annotations").mkdir()
    assert is_osma(tmp_path)
    (tmp_path / "subset_annotations").rmdir()
    (tmp_path / "split3_val" / "annotations").mkdir(parents=True)
    assert is_osma(tmp_path)
