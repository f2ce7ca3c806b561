"""`forensic spectrum` as a user runs it: nothing beside the evidence, every failure named."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from forensic.cli.app import main


def forensic(*arguments: object) -> int:
    """Runs a command in this process; torch is loaded once for all tests here."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    code = left.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def evidence(tmp_path: Path, samples: Path) -> Path:
    folder = tmp_path / "evidence"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(samples / "real-00006.png", folder / "b.png")
    shutil.copy(samples / "real-00044.png", folder / "deep" / "[red]a.png")
    (folder / "notes.txt").write_text("no image")
    (folder / "link.png").symlink_to(folder / "b.png")
    return folder


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_pipe_gets_a_json_line_an_image(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(evidence.parent)
    assert forensic("spectrum", evidence) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(line["path"]).name for line in lines] == ["b.png", "[red]a.png"]
    assert all(len(line["radial"]) == 64 and line["done"].startswith("tiles-128-v1: 1 tile ") for line in lines)
    assert tree(evidence.parent) == before


@pytest.mark.parametrize("suffix", ["png", "svg", "html", "json", "npz"])
def test_each_form_is_written(evidence: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    out = evidence.parent / f"out.{suffix}"
    assert forensic("spectrum", evidence, "--out", out, "--kind", "radial") == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert f"out.{suffix}: 2 images, tiles-128-v1" in told.err
    if suffix == "png":
        with Image.open(out) as image:
            image.verify()
    elif suffix == "json":
        assert json.loads(out.read_text())["group"]["images"] == 2
    elif suffix == "npz":
        with np.load(out, allow_pickle=False) as arrays:
            assert arrays["radial"].shape == (2, 64)
    else:
        assert "[red]a.png" in out.read_text(encoding="utf-8") or suffix == "svg"


def test_nothing_goes_into_the_evidence_tree(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(evidence)
    assert forensic("spectrum", evidence / "b.png", "--out", evidence / "b-spectrum.png") == 2
    assert "lies inside the evidence folder" in capsys.readouterr().err
    assert tree(evidence) == before


def test_what_can_not_be_read_is_named_and_counted(
    evidence: Path, hostile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = evidence / "none.png"
    assert forensic("spectrum", evidence / "b.png", hostile / "png-truncated.png", missing) == 3
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 1
    assert "png-truncated.png: " in told.err
    assert "none.png: no such file" in told.err
    assert "2 images of 3 could not be used" in told.err


def test_only_unreadable_writes_nothing(evidence: Path, hostile: Path) -> None:
    out = evidence.parent / "out.json"
    assert forensic("spectrum", hostile / "empty.jpg", "--out", out) == 3
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--out", "x.pdf"), "Choose one of .png, .svg, .html, .json, .npz"),
        (("--out", "none/x.png"), "its folder does not exist"),
    ],
)
def test_wrong_target_is_exit_2(
    evidence: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.chdir(evidence.parent)
    assert forensic("spectrum", "evidence", *arguments) == 2
    assert told in capsys.readouterr().err


def test_empty_folder_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert forensic("spectrum", tmp_path) == 2
    assert "holds no image" in capsys.readouterr().err


def test_terminal_gets_a_table_and_plots(evidence: Path) -> None:
    main_side, its_side = pty.openpty()
    command = [sys.executable, "-m", "forensic", "spectrum", str(evidence)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(command, stdout=its_side, stderr=subprocess.PIPE, env=environment)
    os.close(its_side)
    written = b""
    while True:
        try:
            piece = os.read(main_side, 65536)
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not piece:
            break
        written += piece
    _, err = process.communicate(timeout=60)
    os.close(main_side)
    shown = written.decode()
    assert process.returncode == 0, err
    assert "[red]a.png" in shown
    assert "mean of 2" in shown
    assert sum("\u2800" < character <= "\u28ff" for character in shown) > 100
    assert "0.5 cycles a pixel" in shown


def test_help_needs_no_torch(run_forensic: Any) -> None:
    ran = run_forensic("spectrum", "--help")
    assert ran.code == 0
    assert "forensic spectrum photo.png" in ran.out
