"""Imports run one way, and only the rooms that are meant to see the environment, torch and the binaries do."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "forensic"
SOURCES = sorted(PACKAGE.rglob("*.py"))

TORCH_FREE = (
    "forensic.errors",
    "forensic.case",
    "forensic.report",
    "forensic.metrics",
    "forensic.provenance",
    "forensic.kernels",
)
DECODES = (
    "data/codecs.py",
    "data/loader.py",  # what it encoded itself
    "data/variants.py",  # the same
    "report/pictures.py",  # thumbnails of a case
)
READS_ENVIRONMENT = ("cli/", "kernels/backend.py")


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module or ''}.{alias.name}".lstrip(".") for alias in node.names}
    return names


def test_contracts_of_pyproject_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_kernels_name_the_binaries(path: Path) -> None:
    names = imported_names(tree_of(path))
    binaries = {name for name in names if name.rpartition(".")[2] in ("_C", "_C_cuda")}
    assert not binaries or name_of(path).startswith("kernels/")


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_commands_and_the_backend_read_the_environment(path: Path) -> None:
    tree = tree_of(path)
    reads = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv")
    ]
    assert not reads or name_of(path).startswith(READS_ENVIRONMENT), f"lines {reads}"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_the_console_imports_rich(path: Path) -> None:
    names = imported_names(tree_of(path))
    assert not any(name.split(".")[0] == "rich" for name in names) or name_of(path) == "cli/console.py"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_under_examination_are_decoded_in_one_place(path: Path) -> None:
    """OpenCV 8172, Pillow 2574: two ways to a picture's pixels treat orientation or 16 bits in two ways."""
    tree = tree_of(path)
    calls = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and (
            node.attr in ("imread", "imreadmulti", "imdecode", "imdecodemulti", "open_heif", "read_heif")
            or (node.attr == "open" and isinstance(node.value, ast.Name) and node.value.id == "Image")
        )
    ]
    assert not calls or name_of(path) in DECODES, f"lines {calls}"


@pytest.mark.parametrize("room", TORCH_FREE)
def test_room_imports_no_torch(room: str) -> None:
    folder = PACKAGE / room.removeprefix("forensic.")
    modules = [room]
    if room != "forensic.kernels":  # its torch half is imported on first use
        modules += [f"{room}.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
    code = f"import sys\nfor name in {modules!r}: __import__(name)\nsys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] or "torch was imported"
