from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


def test_show_is_the_card(run_forensic, tiny_weights: Path) -> None:
    ran = run_forensic("weights", "show", tiny_weights)
    assert ran.code == 0
    card = tomllib.loads(ran.out)
    assert card == tomllib.loads(tiny_weights.with_suffix(".toml").read_text())
    assert json.loads(run_forensic("weights", "show", tiny_weights, "--format", "json").out) == card


def test_list_marks_the_default(run_forensic) -> None:
    listed = json.loads(run_forensic("weights", "list").out)
    assert [entry["problem"] for entry in listed] == [None] * len(listed)
    assert sum(entry["default"] for entry in listed) == 1
    table = run_forensic("weights", "list", "--format", "table")
    assert "default" in table.out


def test_the_page_is_what_list_prints(run_forensic) -> None:
    page = Path(__file__).resolve().parents[2] / "weights" / "README.md"
    ran = run_forensic("weights", "list", "--format", "markdown")
    assert ran.out == page.read_text(encoding="utf-8")


def test_verify_says_ok_or_4(run_forensic, tiny_weights: Path, tmp_path: Path) -> None:
    ran = run_forensic("weights", "verify", tiny_weights)
    assert (ran.code, ran.out.count(": ok, SHA-256 ")) == (0, 1)
    for suffix in (".safetensors", ".toml"):
        shutil.copy(tiny_weights.with_suffix(suffix), tmp_path / f"x{suffix}")
    damaged = tmp_path / "x.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    ran = run_forensic("weights", "verify", damaged)
    assert ran.code == 4
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["show", "nope"], ["verify", "nope.safetensors"]])
def test_absent_weights_are_one_line(run_forensic, arguments) -> None:
    ran = run_forensic("weights", *arguments)
    assert ran.code == 5
    assert len(ran.err.splitlines()) == 1


def test_nothing_here_loads_torch(tiny_weights: Path) -> None:
    code = (
        "import sys\nfrom forensic.cli.app import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as done:\n    assert done.code == 0\n"
        "assert 'torch' not in sys.modules"
    )
    for arguments in (["list"], ["show", str(tiny_weights)], ["verify", str(tiny_weights)]):
        done = subprocess.run([sys.executable, "-c", code, "weights", *arguments], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
