"""Documents that can not lie: help, README and docstrings are held against the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from forensic.cli.commands import COMMANDS, load_command

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "forensic"
ARRAY = re.compile(r"(?:^|\| )(?:torch\.|np\.)?(?:Tensor|NDArray|ndarray)\b")
SHAPE = re.compile(r"\([A-Za-z0-9_.*+/ ]+,[^)]*\)|scalar|\bany shape\b", re.IGNORECASE)


def leaf_commands() -> list[tuple[str, object]]:
    leaves: list[tuple[str, object]] = []
    for name in COMMANDS:
        command = load_command(name)
        inner = getattr(command, "commands", None)
        leaves += [(f"{name} {word}", leaf) for word, leaf in inner.items()] if inner else [(name, command)]
    return leaves


@pytest.mark.parametrize("name", COMMANDS)
def test_help_table_says_what_the_command_says(name: str) -> None:
    command = load_command(name)
    assert COMMANDS[name].help == command.help.strip().split("\n\n")[0].replace("\n", " ")


@pytest.mark.parametrize(
    ("name", "command"), leaf_commands(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_command_has_help_with_examples_and_stands_in_the_readme(name: str, command: object) -> None:
    help_text = str(getattr(command, "help", ""))
    assert len(help_text) > 40
    assert f"forensic {name}" in help_text, "help has no example"
    assert f"forensic {name}" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [pytest.param(command, id=name) for name, command in leaf_commands()])
def test_every_option_has_help(command: object) -> None:
    bare = [parameter.name for parameter in getattr(command, "params", []) if not getattr(parameter, "help", None)]
    assert bare == []


def functions_on_arrays() -> list[tuple[str, ast.FunctionDef]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] == "cli":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                if any("overload" in ast.unparse(decorator) for decorator in node.decorator_list):
                    continue
                notes = [ast.unparse(argument.annotation) for argument in node.args.args if argument.annotation]
                if any(ARRAY.search(note) for note in notes):
                    found.append((f"{path.relative_to(PACKAGE).as_posix()}:{node.name}", node))
    return found


def test_functions_on_arrays_state_shapes_and_errors() -> None:
    """Shapes, or the name of the function that has them; and what is raised."""
    found = functions_on_arrays()
    assert len(found) > 50
    texts = {where: ast.get_docstring(node) or "" for where, node in found}
    raising = [where for where, node in found if any(isinstance(inner, ast.Raise) for inner in ast.walk(node))]
    assert [where for where, text in texts.items() if not (SHAPE.search(text) or "As `forensic." in text)] == []
    assert [where for where in raising if "Raises:" not in texts[where]] == []


def test_decisions_take_five_lines() -> None:
    text = (REPOSITORY / "docs" / "decisions.md").read_text(encoding="utf-8")
    entries = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert entries
    long = [entry.splitlines()[0] for entry in entries if len([line for line in entry.splitlines()[1:] if line]) > 5]
    assert long == []


def test_contributing_fits_a_screen() -> None:
    assert len((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 50
