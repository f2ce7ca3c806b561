"""What is asked for quickly loads little: no torch for help, lists and the import of the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from forensic.cli.commands import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "sklearn", "scipy", "matplotlib")


def loaded_by(code: str) -> tuple[set[str], str]:
    """Top-level modules in a fresh interpreter after `code`, and what it printed."""
    ending = "import sys; print('|'.join(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{ending}"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split("|")), done.stdout


def run_command(*arguments: str) -> str:
    return (
        "from forensic.cli.app import main\n"
        f"try:\n    main({list(arguments)!r})\n"
        "except SystemExit as done:\n    assert done.code == 0, done.code"
    )


def test_import_of_the_package_loads_nothing() -> None:
    loaded, _ = loaded_by("import forensic; forensic.__version__")
    assert not loaded & {*HEAVY, "numpy", "cv2", "PIL", "rich", "typer", "jinja2"}


def test_signals_have_their_meaning_before_anything_large_is_read() -> None:
    loaded, _ = loaded_by("import forensic.__main__")
    assert not loaded & {"typing", "typer", "json", "tomllib", "datetime"}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)], ids=" ".join)
def test_front_page_loads_no_arrays(arguments: tuple[str, ...]) -> None:
    loaded, out = loaded_by(run_command(*arguments))
    assert "forensic" in out
    assert not loaded & {*HEAVY, "numpy", "cv2", "PIL", "jinja2"}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_loads_no_torch(command: str) -> None:
    loaded, out = loaded_by(run_command(command, "--help"))
    assert "Usage: forensic" in out
    assert not loaded & {*HEAVY, "cv2"}


def test_list_of_weights_loads_no_torch() -> None:
    loaded, out = loaded_by(run_command("weights", "list"))
    assert out
    assert not loaded & set(HEAVY)


def test_completion_of_a_command_loads_no_torch() -> None:
    code = (
        "import os\n"
        "os.environ.update(_FORENSIC_COMPLETE='complete_bash', COMP_WORDS='forensic sc', COMP_CWORD='1')\n"
        "from forensic.cli.app import main\n"
        "try:\n    main([])\n"
        "except SystemExit:\n    pass"
    )
    loaded, out = loaded_by(code)
    assert out.split() == ["scan"]
    assert not loaded & {*HEAVY, "numpy", "cv2"}
