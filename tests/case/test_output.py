"""An output is whole or it is not there, and a link keeps its target; the rest is in `test_hidden_files`."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from forensic import hidden_files
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

    monkeypatch.setattr(hidden_files.os, "fsync", full)
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
