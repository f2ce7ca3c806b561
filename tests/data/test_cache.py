"""Training images: read once, damaged ones named; where they are kept changes speed only."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from forensic.data import cache
from forensic.data.cache import Kept, Record, TrainingImages, read_training_images
from forensic.data.sample import Sample
from forensic.errors import MachineError


def write(path: Path, height: int = 128, width: int = 128) -> Sample:
    draws = np.random.default_rng(len(path.name))
    assert cv2.imwrite(str(path), draws.integers(0, 256, (height, width, 3)).astype(np.uint8))
    return Sample(path, 0, "a")


def rgb(sample: Sample) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(sample.path)), cv2.COLOR_BGR2RGB)


def test_pixels_and_hash_are_the_files(tmp_path: Path) -> None:
    sample = write(tmp_path / "a.png")
    images = read_training_images([sample], "tiles-128-v1")
    assert np.array_equal(images[0], rgb(sample))
    assert images.hashes == [hashlib.sha256(sample.path.read_bytes()).hexdigest()]


def test_what_can_not_be_used_is_named_and_left_out(tmp_path: Path) -> None:
    good = [write(tmp_path / f"{n}.png") for n in range(3)]
    truncated = tmp_path / "t.png"
    truncated.write_bytes(good[0].path.read_bytes()[:5000])
    text = tmp_path / "x.png"
    text.write_text("no image")
    bad = [Sample(truncated, 1, "b"), Sample(text, 1, "b"), Sample(tmp_path / "absent.png", 1, "b")]
    tiny = write(tmp_path / "tiny.png", 8, 200)
    told: list[Record] = []
    images = read_training_images([good[0], *bad, good[1], tiny, good[2]], "tiles-128-v1", on_read=told.append)
    assert images.samples == good
    assert len(images) == 3
    assert [record.sample for record in images.damaged] == [*bad, tiny]
    assert told == images.records
    assert all(record.reason and "\n" not in record.reason for record in images.damaged)
    assert images.damaged[2].reason == "No such file or directory"
    assert images.damaged[3].reason == "too small: 200x8, least side is 16"
    assert np.array_equal(images[2], rgb(good[2]))


def test_beyond_the_budget_the_same_pixels_come_from_disk(tmp_path: Path) -> None:
    samples = [write(tmp_path / f"{'x' * n}.png") for n in range(1, 4)]
    kept = read_training_images(samples, "tiles-128-v1")
    read_again = read_training_images(samples, "tiles-128-v1", budget=128 * 128 * 3)
    assert all(np.array_equal(kept[n], read_again[n]) for n in range(3))


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"other")])
def test_file_that_changes_while_training_is_named(tmp_path: Path, change: object) -> None:
    sample = write(tmp_path / "a.png")
    images = read_training_images([sample], "tiles-128-v1", budget=0)
    change(sample.path)
    with pytest.raises(MachineError, match=r"a\.png"):
        images[0]


@pytest.mark.parametrize(
    ("height", "width", "shape"), [(128, 128, (128, 128)), (100, 200, (128, 200)), (20, 30, (128, 128))]
)
def test_small_sides_are_padded_as_in_a_scan(tmp_path: Path, height: int, width: int, shape: tuple[int, int]) -> None:
    sample = write(tmp_path / "a.png", height, width)
    pixels = read_training_images([sample], "tiles-128-v1")[0]
    assert pixels.shape == (*shape, 3)
    assert np.array_equal(pixels[:height, :width], rgb(sample))


def test_pose_keeps_the_square_of_128(tmp_path: Path) -> None:
    sample = write(tmp_path / "a.png", 300, 200)
    assert read_training_images([sample], "pose-128-v1")[0].shape == (128, 128, 3)


def test_threads_do_not_matter(tmp_path: Path) -> None:
    samples = [write(tmp_path / f"{'x' * n}.png", 128 + n) for n in range(1, 70)]
    one, four = (read_training_images(samples, "tiles-128-v1", threads=n) for n in (1, 4))
    assert one.hashes == four.hashes
    assert all(np.array_equal(one[n], four[n]) for n in range(len(samples)))


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Seven images of several sizes, a copy, a damaged one, an absent one."""
    made = [write(tmp_path / f"{'x' * n}.png", 120 + 3 * n, 130 + n) for n in range(1, 8)]
    (tmp_path / "copy.png").write_bytes(made[0].path.read_bytes())
    (tmp_path / "bad.png").write_bytes(made[1].path.read_bytes()[:4000])
    return [*made[:4], *(Sample(tmp_path / f"{name}.png", 1, "b") for name in ("copy", "bad", "absent")), *made[4:]]


class Watched:
    """Counts what is decoded, and keeps what is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self.decoded: list[str] = []
        self.told: list[str] = []
        self.kept = Kept(path, self.told.append)
        real = cache._pixels

        def pixels(data: bytes, sample: Sample, preprocessing: str) -> np.ndarray:
            self.decoded.append(sample.path.name)
            return real(data, sample, preprocessing)

        monkeypatch.setattr(cache, "_pixels", pixels)

    def read(self, samples: list[Sample], preprocessing: str = "tiles-128-v1") -> TrainingImages:
        self.decoded.clear()
        self.told.clear()
        return read_training_images(samples, preprocessing, kept=self.kept, threads=1)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Watched:
    """Reads through a file in a folder of its own."""
    return Watched(monkeypatch, tmp_path / "kept" / "a.pixels")


def same(one: TrainingImages, other: TrainingImages) -> None:
    assert one.records == other.records
    assert one.samples == other.samples
    assert one.hashes == other.hashes
    assert all(np.array_equal(one[n], other[n]) for n in range(len(one)))


@pytest.mark.parametrize("preprocessing", ["tiles-128-v1", "pose-128-v1"])
def test_second_run_decodes_nothing_and_is_the_same(
    samples: list[Sample], watched: Watched, preprocessing: str
) -> None:
    plain = read_training_images(samples, preprocessing)
    same(watched.read(samples, preprocessing), plain)
    assert len(watched.decoded) == 9
    same(watched.read(samples, preprocessing), plain)
    same(watched.read(samples[::-1][::-1], preprocessing), plain)
    assert (watched.decoded, watched.told) == ([], [])


def test_only_what_changed_is_decoded_again(samples: list[Sample], watched: Watched, tmp_path: Path) -> None:
    watched.read(samples)
    changed = write(samples[2].path, 200, 140)
    added = write(tmp_path / "another.png", 150, 150)
    now = [*samples, added]
    same(watched.read(now), read_training_images(now, "tiles-128-v1"))
    assert watched.decoded[:2] == [changed.path.name, "another.png"]
    watched.read(now)
    assert watched.decoded == []
    fewer = now[3:]
    same(watched.read(fewer), read_training_images(fewer, "tiles-128-v1"))
    assert watched.told == []


def test_damaged_file_is_told_and_made_anew(samples: list[Sample], watched: Watched) -> None:
    plain = read_training_images(samples, "tiles-128-v1")
    watched.read(samples)
    path = watched.kept.path
    whole = path.read_bytes()
    for damaged in (whole[:-10], whole[:1000], b"", whole[:500] + b"\x00\x01" + whole[502:]):
        path.write_bytes(damaged)
        same(watched.read(samples), plain)
        assert len(watched.told) == 1
        assert watched.told[0].endswith("; made anew")
        assert path.read_bytes() == whole


def test_other_preprocessing_is_made_anew(samples: list[Sample], watched: Watched) -> None:
    watched.read(samples, "tiles-128-v1")
    same(watched.read(samples, "pose-128-v1"), read_training_images(samples, "pose-128-v1"))
    assert watched.told == [f"{watched.kept.path}: is of another version; made anew"]


@pytest.mark.parametrize("hindrance", ["folder is a file", "disk nearly full", "disk full"])
def test_without_a_place_images_are_kept_in_memory(
    samples: list[Sample], watched: Watched, monkeypatch: pytest.MonkeyPatch, hindrance: str
) -> None:
    seen: list[Record] = []
    if hindrance == "folder is a file":
        watched.kept.path.parent.write_text("")
    elif hindrance == "disk nearly full":
        monkeypatch.setattr("forensic.data.pixel_cache.LEAST_FREE", 1 << 60)
    else:
        monkeypatch.setattr("forensic.data.pixel_cache.tempfile.mkstemp", on_a_full_disk(watched.kept.path))
    images = read_training_images(samples, "tiles-128-v1", kept=watched.kept, on_read=seen.append)
    assert len(watched.told) == 1
    assert "decoded images are kept in memory alone" in watched.told[0]
    assert seen == images.records
    same(images, read_training_images(samples, "tiles-128-v1"))
    assert not watched.kept.path.is_file()


def on_a_full_disk(path: Path) -> object:
    """A temporary file whose bytes go to a device that is always full."""

    def make(**_: object) -> tuple[int, str]:
        name = path.with_name("x.partial")
        name.symlink_to("/dev/full")
        return os.open(name, os.O_WRONLY), str(name)

    return make


def test_images_beyond_the_space_come_from_disk(
    samples: list[Sample], watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = read_training_images(samples, "tiles-128-v1")
    monkeypatch.setattr(cache.PixelWriter.__init__, "__defaults__", (130 * 140 * 3 * 2,))
    same(watched.read(samples), plain)
    same(watched.read(samples), plain)
    assert len(watched.decoded) < 9  # those beyond are decoded when they are used, not when the run begins


def test_an_interrupted_reading_leaves_nothing(samples: list[Sample], watched: Watched) -> None:
    def stop(record: Record) -> None:
        if record.sample == samples[5]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_training_images(samples, "tiles-128-v1", kept=watched.kept, on_read=stop)
    assert list(watched.kept.path.parent.iterdir()) == []


def test_files_that_can_not_be_opened_need_no_place(tmp_path: Path, watched: Watched) -> None:
    images = watched.read([Sample(tmp_path / "absent.png", 0, "a")])
    assert len(images) == 0
    assert images.damaged[0].reason == "No such file or directory"
    assert len(watched.read([])) == 0
    assert not watched.kept.path.parent.exists()
