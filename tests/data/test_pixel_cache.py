"""The file of decoded pictures: whole or not used, one process beside another, room for others."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensic.data import pixel_cache
from forensic.data.pixel_cache import DamagedError, PixelFile, PixelWriter, key_of_pixels


def picture(seed: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def write(path: Path, count: int = 3, **options: int) -> PixelFile:
    writer = PixelWriter(path, "key", **options)
    for number in range(count):
        writer.add(f"{number}", picture(number, 16 + number), None)
    writer.add("bad", None, "truncated")
    return writer.finish()


def test_what_was_added_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.pixels"
    for file in (write(path), PixelFile(path, "key")):
        for number in range(3):
            assert f"{number}" in file
            assert file.reason(f"{number}") is None
            assert np.array_equal(file.pixels(f"{number}"), picture(number, 16 + number))
        assert file.reason("bad") == "truncated"
        assert file.pixels("bad") is None
        assert "other" not in file
        assert None not in file
    assert [entry.name for entry in path.parent.iterdir()] == ["b.pixels"]
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_pixels_can_not_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        write(tmp_path / "a.pixels").pixels("0")[0, 0] = 0


def test_same_pictures_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a.pixels")
    write(tmp_path / "b.pixels")
    assert (tmp_path / "a.pixels").read_bytes() == (tmp_path / "b.pixels").read_bytes()


@given(at=st.integers(0, 10**6), value=st.integers(1, 255))
def test_one_changed_byte_is_damage(tmp_path_factory: pytest.TempPathFactory, at: int, value: int) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.pixels"
    write(path, count=1)
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= value
    path.write_bytes(data)
    with pytest.raises(DamagedError):
        PixelFile(path, "key")


@pytest.mark.parametrize("length", [0, 1, 63, 64, 100, -1])
def test_a_file_that_is_cut_off_is_damage(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.pixels"
    write(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedError):
        PixelFile(path, "key")


def test_another_key_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a.pixels")
    with pytest.raises(DamagedError, match="another version"):
        PixelFile(tmp_path / "a.pixels", "other")
    with pytest.raises(FileNotFoundError):
        PixelFile(tmp_path / "b.pixels", "key")


def test_key_names_preprocessing_and_decoders() -> None:
    assert key_of_pixels("pose-128-v1") != key_of_pixels("tiles-128-v1")
    assert "opencv " in key_of_pixels("tiles-128-v1")
    assert "pillow " in key_of_pixels("tiles-128-v1")


def test_pictures_beyond_the_space_are_known_but_not_kept(tmp_path: Path) -> None:
    file = write(tmp_path / "a.pixels", space=2 * 17 * 30 * 3)
    assert [file.pixels(f"{number}") is None for number in range(3)] == [False, False, True]
    assert "2" in file
    assert file.reason("2") is None


def test_nobody_sees_a_file_that_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "a.pixels"
    first, second = PixelWriter(path, "key"), PixelWriter(path, "key")
    first.add("0", picture(0), None)
    second.add("1", picture(1), None)
    assert not path.exists()
    before = first.finish()
    assert "0" in PixelFile(path, "key")
    second.finish()
    assert "1" in PixelFile(path, "key")
    assert np.array_equal(before.pixels("0"), picture(0))  # what is mapped stays as it is
    third = PixelWriter(path, "key")
    third.abandon()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pixels"]


def test_what_the_dead_left_is_removed_and_the_living_are_left_alone(tmp_path: Path) -> None:
    dead, living, fresh = (tmp_path / f".{name}.partial" for name in ("dead", "living", "fresh"))
    for path in (dead, living, fresh):
        path.write_bytes(b"half")
    for path in (dead, living):
        os.utime(path, (0, time.time() - 1000))
    with living.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        write(tmp_path / "a.pixels")
        assert sorted(path.name for path in tmp_path.iterdir()) == [".fresh.partial", ".living.partial", "a.pixels"]


def test_longest_unused_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, name in ((30, "old"), (20, "newer"), (10, "newest")):
        write(tmp_path / f"{name}.pixels")
        os.utime(tmp_path / f"{name}.pixels", (0, time.time() - age))
    PixelFile(tmp_path / "old.pixels", "key")  # used
    size = (tmp_path / "old.pixels").stat().st_size
    monkeypatch.setattr(pixel_cache, "MOST_SPACE", 3 * size)
    (tmp_path / "other.txt").write_text("not ours")
    write(tmp_path / "a.pixels")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pixels", "newest.pixels", "old.pixels", "other.txt"]


def test_a_disk_that_is_nearly_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = PixelWriter(tmp_path / "a.pixels", "key")
    writer.check_disk()
    monkeypatch.setattr(pixel_cache, "LEAST_FREE", 1 << 60)
    with pytest.raises(OSError, match="free"):
        writer.check_disk()
    writer.abandon()
    assert list(tmp_path.iterdir()) == []
