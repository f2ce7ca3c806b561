"""Names of files that read like markup of the terminal library are printed whole, and nothing is lost over them.

Repo2Readme 187, git-hunk 14, chasten 148: `[slug]` vanished from a path; a closing tag raised, and the results were
gone.
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import clean_environment, forensic_command

NAMES = ("[bold]x.png", "[/red].png", "[link=x].png", "[#ff0000]y[/].png")
"""Below a folder, a closing tag is the folder `[` with a file in it."""


@pytest.fixture
def folder(tmp_path: Path, samples: Path) -> Path:
    for name in NAMES:
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(samples / "real-00006.png", file)
    return tmp_path / "in"


def whole(text: str) -> list[str]:
    """Which of the names are there."""
    return [name for name in NAMES if f"in/{name}" in text]


@pytest.mark.parametrize("form", ["table", "jsonl", "csv"])
@pytest.mark.usefixtures("folder")
def test_a_scan_prints_and_keeps_them(forensic, tiny_weights, form) -> None:
    arguments = ["scan", "in", "--weights", tiny_weights, "--format", form, "--case", "x.case"]
    said = forensic(*arguments)
    assert (said.code, whole(said.out)) == (0, list(NAMES)), said.err
    lines = forensic("case", "export", "x.case").out.splitlines()
    assert sorted(json.loads(line)["path"] for line in lines) == sorted(f"in/{name}" for name in NAMES)
    assert forensic("case", "verify", "x.case").code == 0
    assert forensic(*arguments).out == said.out  # told again from the case


def test_what_is_wrong_with_them_is_told(forensic, folder, tiny_weights, hostile) -> None:
    for name in NAMES:
        shutil.copyfile(hostile / "jpeg-truncated-half.jpg", folder / name)
    said = forensic("scan", "in", "--weights", tiny_weights, "--format", "table", "--case", "x.case")
    assert (said.code, whole(said.out)) == (3, list(NAMES))
    assert whole(forensic("case", "show", "x.case", "--unreadable").out) == list(NAMES)
    (folder / NAMES[0]).unlink()
    changed = forensic("case", "verify", "x.case")
    assert (changed.code, f"in/{NAMES[0]}: is missing" in changed.err) == (4, True)


@pytest.mark.parametrize(
    "command", [["provenance", "in", "--format", "table"], ["spectrum", "in"], ["scan", "in", "--dry-run"]]
)
@pytest.mark.usefixtures("folder")
def test_other_commands_print_them(forensic, command) -> None:
    said = forensic(*command)
    assert (said.code, whole(said.out)) == (0, list(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_a_message_about_one_is_whole(forensic, name) -> None:
    said = forensic("case", "show", f"in/{name}")
    assert (said.code, said.err.startswith(f"forensic: in/{name}: no such case. ")) == (2, True)


def test_on_a_terminal(folder, tiny_weights) -> None:
    ours, its = pty.openpty()
    command = forensic_command(["scan", "in", "--weights", tiny_weights])
    environment = clean_environment({"TERM": "xterm", "COLUMNS": "160"})
    with subprocess.Popen(command, stdout=its, stderr=its, env=environment, cwd=folder.parent) as process:
        os.close(its)
        written = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux's way to say that the other side is closed
                break
            written += piece
        assert process.wait(timeout=60) == 0
    os.close(ours)
    assert whole(written.decode()) == list(NAMES)
