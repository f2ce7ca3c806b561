"""An output is whole or it is not there."""

from __future__ import annotations

import errno
import multiprocessing
import stat
from pathlib import Path

import pytest

from forensic.case import output
from forensic.case.output import replacing
from forensic.errors import MachineError


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_the_target_is_new_only_when_the_block_has_ended(tmp_path: Path) -> None:
    target = tmp_path / "r.html"
    target.write_bytes(b"old")
    with replacing(target) as file:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["r.html"]


def test_an_error_inside_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "r.html"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(target) as file:
        file.write(bytes(1 // (len(target.read_bytes()) - 3)))
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["r.html"]


def test_a_full_disk_is_the_machines_fault(tmp_path: Path, monkeypatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(output.os, "fsync", full)
    with pytest.raises(MachineError, match="no space left on device"), replacing(tmp_path / "r.html") as file:
        file.write(b"x")
    assert names(tmp_path) == []


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"none/r\.html: can not be written"), replacing(tmp_path / "none/r.html"):
        pass


def test_a_link_keeps_pointing_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "real.html").write_bytes(b"old")
    (tmp_path / "link.html").symlink_to("real.html")
    with replacing(tmp_path / "link.html") as file:
        file.write(b"new")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").read_bytes() == b"new"


def test_mode_follows_the_umask(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    with replacing(tmp_path / "r.html") as file:
        file.write(b"x")
    assert stat.S_IMODE((tmp_path / "r.html").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_what_a_killed_writer_left_is_removed_and_a_living_one_is_not(tmp_path: Path) -> None:
    target, dead, other = (tmp_path / name for name in ("r.html", ".r.html.abc.part", ".q.html.abc.part"))
    for path in (dead, other):
        path.write_bytes(b"half")
    with replacing(target) as living:
        assert not dead.exists()
        with replacing(target) as second:
            second.write(b"second")
        living.write(b"living")
    assert target.read_bytes() == b"living"
    assert sorted(names(tmp_path)) == sorted([other.name, target.name])


def write_often(target: Path, times: int) -> None:
    for number in range(times):
        with replacing(target) as file:
            file.write(b"%d" % number * 100)


def test_writers_of_one_file_do_not_take_each_others_for_left_behind(tmp_path: Path) -> None:
    processes = multiprocessing.get_context("spawn")
    writers = [processes.Process(target=write_often, args=(tmp_path / "r.html", 300)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    assert names(tmp_path) == ["r.html"]


def test_a_file_that_was_removed_before_its_lock_is_made_anew(tmp_path: Path, monkeypatch) -> None:
    held, removed = output.fcntl.flock, []

    def late(descriptor: int, operation: int) -> None:
        if not removed:
            removed.extend(path for path in tmp_path.iterdir() if path.suffix == ".part")
            for path in removed:
                path.unlink()
        held(descriptor, operation)

    monkeypatch.setattr(output.fcntl, "flock", late)
    with replacing(tmp_path / "r.html") as file:
        file.write(b"x")
    assert len(removed) == 1
    assert (tmp_path / "r.html").read_bytes() == b"x"
    assert names(tmp_path) == ["r.html"]
