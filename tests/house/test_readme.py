"""README's commands run, and print what README says they print.

A block of ```console holds lines `$ command` and the output below each. A block that can not run here has a comment
above it, `<!-- not run: reason -->`; those are counted.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
NOT_RUN = 3
"""How many blocks README excuses from being run."""

_BLOCK = re.compile(r"(?:<!-- not run: (?P<reason>[^\n]*?) -->\n)?```(?P<kind>\w*)\n(?P<body>.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Step:
    command: str
    output: list[str]


def blocks() -> list[tuple[str, str, str | None]]:
    text = README.read_text(encoding="utf-8")
    return [(match["kind"], match["body"], match["reason"]) for match in _BLOCK.finditer(text)]


def steps(body: str) -> list[Step]:
    found: list[Step] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:], []))
        elif found:
            found[-1].output.append(line)
    return found


def test_every_block_has_a_kind() -> None:
    assert {kind for kind, _, _ in blocks()} <= {"console", "python", "toml", "text"}


def test_blocks_that_do_not_run_are_counted() -> None:
    reasons = [reason for _, _, reason in blocks() if reason is not None]
    assert len(reasons) == NOT_RUN
    assert all(len(reason) > 10 for reason in reasons)


def test_console_blocks_begin_with_a_command() -> None:
    for kind, body, _ in blocks():
        assert kind != "console" or body.startswith("$ "), body


def without_numbers(line: str) -> str:
    """Digits differ in their last places from processor to processor; words and their order do not."""
    return re.sub(r"\s+", " ", re.sub(r"\b[0-9a-f]{12,}\b|[-+]?\d[\d.,]*", "#", line)).strip()


@pytest.mark.slow
def test_blocks_run_and_print_what_readme_says(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    for name in ("samples", "hostile"):
        (tmp_path / "tests" / name).symlink_to(REPOSITORY / "tests" / name)
    binaries = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}
    ran = 0
    for kind, body, reason in blocks():
        if reason is not None or kind not in ("console", "python"):
            continue
        for step in steps(body) if kind == "console" else [Step(f"python -c {shlex.quote(body)}", [])]:
            done = subprocess.run(
                ["bash", "-c", step.command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode in (0, 3), f"$ {step.command}\n{done.stdout}\n{done.stderr}"
            printed = [without_numbers(line) for line in (done.stdout + done.stderr).splitlines()]
            for line in step.output:
                assert line.strip() in ("", "...") or without_numbers(line) in printed, f"$ {step.command}: {line}"
            ran += 1
    assert ran >= 5
