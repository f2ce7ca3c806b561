from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

import forensic
from forensic.models import together
from forensic.models.together import write_together


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_take_their_place(tmp_path) -> None:
    files = {tmp_path / "a.safetensors": b"tensors", tmp_path / "a.toml": b"card"}
    (tmp_path / "a.toml").write_bytes(b"older")
    write_together(files)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert (tmp_path / "a.toml").stat().st_mode & 0o777 == 0o644


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch) -> None:
    calls: list[int] = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(together.os, "fsync", full)
    (tmp_path / "a.toml").write_bytes(b"older")
    with pytest.raises(OSError, match="No space left"):
        write_together({tmp_path / "a.safetensors": b"tensors", tmp_path / "a.toml": b"card"})
    assert names(tmp_path) == ["a.toml"]
    assert (tmp_path / "a.toml").read_bytes() == b"older"


def test_what_a_killed_writer_left_goes_and_what_a_living_one_writes_stays(tmp_path) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(forensic.__file__).parents[1])!r})
from pathlib import Path
from forensic.models import together
together.os.fsync = lambda _: os.kill(os.getpid(), 9)
together.write_together({{Path({str(tmp_path / "a.toml")!r}): b"card"}})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert len(names(tmp_path)) == 1
    living = tmp_path / ".a.toml-living.part"
    with living.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_together({tmp_path / "a.toml": b"card"})
        assert names(tmp_path) == [living.name, "a.toml"]
