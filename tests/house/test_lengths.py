"""No file over 400 lines, save those that say why."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LIMIT = 400
SUFFIXES = {".py", ".pyi", ".cpp", ".h", ".cu", ".cuh", ".js", ".css", ".html", ".sql"}
EXCEPTIONS: dict[str, str] = {}
"""Path -> the reason why it is one subject all the same."""


def sources() -> list[Path]:
    return [
        path
        for top in ("forensic", "csrc", "tests")
        for path in sorted((REPOSITORY / top).rglob("*"))
        if path.suffix in SUFFIXES and not {"vendor", "gold", "golden", "__pycache__"} & set(path.parts)
    ]


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_file_is_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LIMIT or path.relative_to(REPOSITORY).as_posix() in EXCEPTIONS, f"{lines} lines"


def test_every_exception_is_needed() -> None:
    for name, reason in EXCEPTIONS.items():
        assert len((REPOSITORY / name).read_text(encoding="utf-8").splitlines()) > LIMIT
        assert len(reason) > 20
