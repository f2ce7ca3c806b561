"""Files are whole or not there, and what a killed writer left is removed by the next."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import forensic
from forensic import hidden_files
from forensic.hidden_files import hidden_until_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(*targets: Path) -> None:
    with hidden_until_whole(targets) as files:
        for target, file in zip(targets, files, strict=True):
            file.write(target.name.encode())


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "a.safetensors", tmp_path / "a.toml"


def test_none_takes_its_name_before_all_are_whole(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    pair[1].write_bytes(b"older")
    with hidden_until_whole(pair) as files:
        for file in files:
            file.write(b"new")
            file.flush()
            assert pair[1].read_bytes() == b"older"
            assert not pair[0].exists()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(pair, b"new")


@pytest.mark.parametrize("which", [1, 2])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, pair: tuple[Path, Path], monkeypatch, which: int) -> None:
    calls: list[int] = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == which:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(hidden_files.os, "fsync", full)
    pair[1].write_bytes(b"older")
    with pytest.raises(OSError, match="No space left"):
        write(*pair)
    assert (names(tmp_path), pair[1].read_bytes()) == (["a.toml"], b"older")


def test_mode_follows_the_umask(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    write(tmp_path / "r.html")
    assert stat.S_IMODE((tmp_path / "r.html").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_names_and_content_are_on_the_disk(tmp_path: Path, pair: tuple[Path, Path], monkeypatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(
        hidden_files.os, "fsync", lambda number: synced.append(Path(f"/proc/self/fd/{number}").resolve())
    )
    write(*pair)
    assert [path.parent for path in synced[:-1]] == [tmp_path.resolve()] * 2
    assert synced[-1] == tmp_path.resolve()


def test_what_a_killed_writer_left_is_removed_and_a_living_one_is_not(tmp_path: Path) -> None:
    target, dead, other = (tmp_path / name for name in ("r.html", ".r.html.abc.part", ".q.html.abc.part"))
    for path in (dead, other):
        path.write_bytes(b"half")
    with hidden_until_whole([target]) as (living,):
        assert not dead.exists()
        write(target)
        living.write(b"living")
    assert target.read_bytes() == b"living"
    assert names(tmp_path) == sorted([other.name, target.name])


def test_a_writer_that_is_killed_leaves_hidden_files_for_the_next_one(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(forensic.__file__).parents[1])!r})
from pathlib import Path
from forensic import hidden_files
hidden_files.os.fsync = lambda _: os.kill(os.getpid(), 9)
with hidden_files.hidden_until_whole([Path(name) for name in {[str(path) for path in pair]}]):
    pass
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert len(names(tmp_path)) == 2
    assert not set(pair) & set(tmp_path.iterdir())
    living = tmp_path / ".a.toml.living.part"
    with living.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write(*pair)
        assert names(tmp_path) == [living.name, "a.safetensors", "a.toml"]


def write_often(targets: list[Path], times: int) -> None:
    for _ in range(times):
        write(*targets)


@pytest.mark.parametrize("count", [1, 2])
def test_writers_of_one_file_do_not_take_each_others_for_left_behind(tmp_path: Path, count: int) -> None:
    targets = [tmp_path / f"{number}.html" for number in range(count)]
    processes = multiprocessing.get_context("spawn")
    writers = [processes.Process(target=write_often, args=(targets, 200)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    assert names(tmp_path) == [target.name for target in targets]


@pytest.mark.parametrize("late", [0, 1])
def test_a_file_that_was_removed_before_its_lock_is_made_anew(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch, late: int
) -> None:
    held, removed = hidden_files.fcntl.flock, []

    def sweep_first(descriptor: int, operation: int) -> None:
        begun = sorted(tmp_path.glob(f".{pair[late].name}.*.part"))
        if begun and not removed:
            removed.extend(begun)
            begun[0].unlink()
        held(descriptor, operation)

    monkeypatch.setattr(hidden_files.fcntl, "flock", sweep_first)
    write(*pair)
    assert len(removed) == 1
    assert [path.read_bytes() for path in pair] == [b"a.safetensors", b"a.toml"]
    assert names(tmp_path) == ["a.safetensors", "a.toml"]
