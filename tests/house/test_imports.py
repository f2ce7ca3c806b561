"""Imports run one way, and only the rooms that are meant to see the environment, torch and the binaries do."""

from __future__ import annotations

import ast
import re
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
READS_ENVIRONMENT = (
    "cli/",
    "kernels/backend.py",
    "engines/choice.py",  # what oneDNN reads itself
)


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def nodes_of(path: Path) -> list[ast.Import | ast.ImportFrom | ast.Attribute]:
    """The imports of a file, and what it takes from something by a dot."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom, ast.Attribute))]


def imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module or ''}.{alias.name}".lstrip(".") for alias in node.names}
    return names


def attributes(path: Path) -> list[ast.Attribute]:
    return [node for node in nodes_of(path) if isinstance(node, ast.Attribute)]


def test_contracts_of_pyproject_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_only_kernels_name_the_binaries() -> None:
    binaries = {"_C", "_C_cuda"}
    naming = [path for path in SOURCES if binaries & {name.rpartition(".")[2] for name in imported_names(path)}]
    assert [name_of(path) for path in naming if not name_of(path).startswith("kernels/")] == []


def test_cuda_kernels_are_called_in_one_place() -> None:
    """On the current device a launch for memory of another fails: `backend.launch` sets it, and hands no module out."""
    naming = [
        name_of(path)
        for path in SOURCES
        if "_C_cuda" in {name.rpartition(".")[2] for name in imported_names(path)}
        or re.search(r"_native_cuda|import_module\(.*_C_cuda", path.read_text(encoding="utf-8"))
    ]
    assert naming == ["kernels/backend.py"]


def test_only_commands_and_what_chooses_for_a_processor_read_the_environment() -> None:
    reads = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        for node in attributes(path)
        if node.attr in ("environ", "environb", "getenv")
    ]
    assert reads
    assert [place for place in reads if not place.startswith(READS_ENVIRONMENT)] == []


def test_only_the_console_imports_rich() -> None:
    importing = [path for path in SOURCES if "rich" in {name.split(".")[0] for name in imported_names(path)}]
    assert [name_of(path) for path in importing] == ["cli/console.py"]


def test_files_under_examination_are_decoded_in_one_place() -> None:
    """OpenCV 8172, Pillow 2574: two ways to a picture's pixels treat orientation or 16 bits in two ways."""
    calls = [
        (name_of(path), node.lineno)
        for path in SOURCES
        for node in attributes(path)
        if node.attr in ("imread", "imreadmulti", "imdecode", "imdecodemulti", "open_heif", "read_heif")
        or (node.attr == "open" and isinstance(node.value, ast.Name) and node.value.id == "Image")
    ]
    assert calls
    assert [call for call in calls if call[0] not in DECODES] == []


@pytest.mark.parametrize("room", TORCH_FREE)
def test_room_imports_no_torch(room: str) -> None:
    folder = PACKAGE / room.removeprefix("forensic.")
    modules = [room]
    if room != "forensic.kernels":  # its torch half is imported on first use
        modules += [f"{room}.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
    code = f"import sys\nfor name in {modules!r}: __import__(name)\nsys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] or "torch was imported"
