"""No file over 400 lines, save those that say why."""

from __future__ import annotations

from pathlib import Path

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


def test_files_are_short() -> None:
    lines = {
        path.relative_to(REPOSITORY).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources()
    }
    assert len(lines) > 100
    assert {name: count for name, count in lines.items() if count > LIMIT and name not in EXCEPTIONS} == {}


def test_every_exception_is_needed() -> None:
    for name, reason in EXCEPTIONS.items():
        assert len((REPOSITORY / name).read_text(encoding="utf-8").splitlines()) > LIMIT
        assert len(reason) > 20
