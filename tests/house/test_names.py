"""A file is named after its subject; there is no drawer."""

from __future__ import annotations

import re
from pathlib import Path

import forensic

REPOSITORY = Path(__file__).resolve().parents[2]
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "core", "base", "shared", "stuff", "tools"}
WORDS_OF_OTHER_HOUSES = re.compile(r"past augmenter|old augmentation model|feature extraction network", re.IGNORECASE)

PUBLIC_NAMES = ["__version__", "load_weights", "read_spectrum", "scan_images"]


def package_files() -> list[Path]:
    return [
        path
        for top in ("forensic", "csrc", "tests")
        for path in sorted((REPOSITORY / top).rglob("*"))
        if "__pycache__" not in path.parts and "vendor" not in path.parts
    ]


def test_no_drawers() -> None:
    drawers = [path for path in package_files() if path.stem.lower().removeprefix("test_") in DRAWERS]
    assert drawers == []


def test_python_files_have_plain_names() -> None:
    odd = [path for path in package_files() if path.suffix == ".py" and not re.fullmatch(r"[a-z0-9_]+", path.stem)]
    assert odd == []


def test_tests_are_no_packages() -> None:
    assert sorted((REPOSITORY / "tests").rglob("__init__.py")) == []


def test_public_names_are_the_inventory() -> None:
    assert forensic.__all__ == PUBLIC_NAMES
    for name in PUBLIC_NAMES:
        assert getattr(forensic, name) is not None
    assert set(PUBLIC_NAMES) <= set(dir(forensic))


def test_one_word_for_one_thing() -> None:
    for path in package_files():
        if path.suffix == ".py" and path != Path(__file__).resolve():
            assert not WORDS_OF_OTHER_HOUSES.search(path.read_text(encoding="utf-8")), path
