"""Training images in memory: read once, damaged ones named, and the budget changes speed only."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from forensic.data.cache import Record, read_training_images
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
