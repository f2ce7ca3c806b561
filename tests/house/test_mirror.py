"""The tests are the house again: forensic/x/y.py has tests/x/test_y.py, and each kernel has all its parts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import LONGEST

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "forensic"
TESTS = REPOSITORY / "tests"

TESTED_ELSEWHERE: dict[str, str] = {
    "__main__.py": "cli/test_app.py",
    "cli/commands.py": "cli/test_app.py",
}
"""Module -> the test file that covers it, where that is not its mirror."""

KERNELS = {
    "dct2": "dct",
    "dct2_log": "dct",
    "augment": "augment",
    "batch_hard_triplet": "triplet",
    "batch_norm_leaky": "norm",
    "resize_square": "resize",
    "radial_spectrum": "radial",
}
"""Function -> stem of its files."""


def modules() -> list[str]:
    return [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "__init__.py" and "__pycache__" not in path.parts
    ]


def test_modules_have_their_tests() -> None:
    missing = []
    for module in modules():
        path = Path(module)
        mirror = path.parent / f"test_{path.stem.lstrip('_')}.py"
        test = TESTS / TESTED_ELSEWHERE.get(module, mirror)
        tests = test.read_text(encoding="utf-8") if test.is_file() else ""
        if not re.search(r"^(async )?def test_|^    def test_", tests, re.MULTILINE):
            missing.append(f"tests/{mirror.as_posix()}")
    assert missing == []


def test_exceptions_are_needed() -> None:
    for module, test in TESTED_ELSEWHERE.items():
        path = Path(module)
        assert (PACKAGE / path).is_file(), module
        mirror = path.parent / f"test_{path.stem.lstrip('_')}.py"
        assert mirror.as_posix() != test
        assert not (TESTS / mirror).is_file(), f"{module} has its mirror now"


def test_files_that_are_begun_first_are_there() -> None:
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []


@pytest.mark.parametrize("function", KERNELS)
def test_kernel_has_all_its_parts(function: str) -> None:
    stem = KERNELS[function]
    kernels = PACKAGE / "kernels"
    assert (REPOSITORY / "csrc" / f"{stem}.h").is_file()
    assert (REPOSITORY / "csrc" / f"{stem}.cpp").is_file()
    assert (kernels / f"_{stem}.py").is_file()
    assert (TESTS / "kernels" / f"test_{stem}.py").is_file()
    assert (TESTS / "bench" / f"bench_{stem}.py").is_file()
    assert f"def {function}(" in (kernels / "reference.py").read_text(encoding="utf-8")
    assert re.search(rf"^def {stem}|^def {function}", (kernels / "_C.pyi").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"`{function}" in (REPOSITORY / "csrc" / "README.md").read_text(encoding="utf-8")
