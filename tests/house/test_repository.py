"""What stands in the repository: nothing too large, no path of a machine, no binary without a place."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import forensic

REPOSITORY = Path(__file__).resolve().parents[2]
MAX_BYTES = 16 * 1024 * 1024
BINARIES_LIVE_IN = ("tests/samples/", "tests/hostile/", "tests/gold/", "weights/", "docs/")

# put together from pieces, so that this file does not contain what it looks for
HOSTS = ["pypi." + "org", "pythonhosted." + "org", "deb.debian." + "org", "registry.npmjs." + "org"]
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|root|home/(?!x/)\w+)" + r"/\w")
TALK_OF_THE_WORKSHOP = re.compile(
    r"\bissue" + r"s? #?\d|\b(?:this|previous|last) sess" + r"ion\b|\bas an AI\b", re.IGNORECASE
)


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("needs a git checkout")
    return [path for name in done.stdout.decode().split("\0") if name and (path := REPOSITORY / name).is_file()]


def text_of(path: Path) -> str | None:
    content = path.read_bytes()
    return None if b"\0" in content else content.decode("utf-8", errors="replace")


def test_no_file_is_too_large() -> None:
    assert [path for path in tracked() if path.stat().st_size > MAX_BYTES] == []


def test_binaries_have_their_places() -> None:
    stray = [
        path.relative_to(REPOSITORY).as_posix()
        for path in tracked()
        if text_of(path) is None and not path.relative_to(REPOSITORY).as_posix().startswith(BINARIES_LIVE_IN)
    ]
    assert stray == []


@pytest.mark.parametrize(
    "pattern",
    [MACHINE_PATHS, TALK_OF_THE_WORKSHOP, re.compile("|".join(map(re.escape, HOSTS)))],
    ids=["paths of a machine", "talk of the workshop", "hosts of registries"],
)
def test_text_says_nothing_of_where_it_was_made(pattern: re.Pattern[str]) -> None:
    found = []
    for path in tracked():
        text = text_of(path)
        if text is None or path.name in ("LICENSE", "uPlot.iife.min.js"):
            continue
        found += [f"{path.relative_to(REPOSITORY)}: {match.group()}" for match in pattern.finditer(text)]
    assert found == []


def test_nothing_is_left_unfinished() -> None:
    mark = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|raise NotImplemented" + "Error")
    found = [
        f"{path.relative_to(REPOSITORY)}: {match.group()}"
        for path in tracked()
        if path.suffix in (".py", ".cpp", ".h", ".cu", ".js") and path.parent.name != "vendor"
        for match in mark.finditer(text_of(path) or "")
    ]
    assert found == []


def test_versions_agree() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == forensic.__version__
    assert f"## {forensic.__version__}" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


def test_pinned_requirements_serve_the_project() -> None:
    """Everything that pyproject asks for is pinned in requirements/."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["test"], *extras["lint"]]
    pins = "".join((REPOSITORY / "requirements" / name).read_text() for name in ("torch.txt", "dev.txt")).lower()
    pinned = {line.split("==")[0].replace("_", "-") for line in pins.splitlines() if "==" in line}
    names = {re.split(r"[<>=!~ ;\[]", requirement)[0].lower().replace("_", "-") for requirement in wanted}
    assert names - pinned == set()
