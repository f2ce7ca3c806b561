"""Settings from files and from the environment, below the options of the command line.

    flag  >  environment  >  project file  >  user file  >  default

The environment's names are `FORENSIC_COMMAND_OPTION` (`FORENSIC_SCAN_WORKERS=2`). The project file is
`forensic.toml` in the working directory, the user file `forensic/config.toml` below `$XDG_CONFIG_HOME` or
`~/.config`; `--config FILE`, or FORENSIC_CONFIG, takes the place of both. A file has one table a command:

    [scan]
    workers = 2
    examiner = "A. Example"

    [weights.list]
    format = "jsonl"
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from forensic.cli import console
from forensic.cli.commands import COMMANDS, load_command
from forensic.errors import UsageError

PROJECT_FILE = Path("forensic.toml")
PREFIX = "FORENSIC_"

app = typer.Typer(no_args_is_help=True)


@dataclass(frozen=True)
class Setting:
    """One value that is not a default, and where it was found."""

    command: str
    """Words of the command, such as `scan` or `weights list`."""
    option: str
    """Name of the option without its dashes, `_` for `-`."""
    value: Any
    origin: str
    line: int | None = None
    """Of the file, where it can be told."""

    @property
    def place(self) -> str:
        """Where to mend it."""
        return self.origin if self.line is None else f"{self.origin}, line {self.line}"


def defaults(found: list[Setting]) -> dict[str, Any]:
    """The settings as nested defaults for the command line's parser: command, then option."""
    tree: dict[str, Any] = {}
    for setting in found:
        branch = tree
        for word in setting.command.split():
            branch = branch.setdefault(word, {})
        branch[setting.option] = setting.value
    return tree


def settings(config: Path | None) -> list[Setting]:
    """All settings that apply, the stronger later.

    Raises:
        UsageError: a file can not be read, is no TOML, or names a command that there is not.
    """
    found: list[Setting] = []
    for path in _files(config):
        found += _from_file(path)
    return found + _from_environment()


def for_command(found: list[Setting], name: str, command: Any) -> list[Setting]:
    """The settings among `found` that concern the command `name`, under the names that its parameters have inside.

    Raises:
        UsageError: one of them is no option of the command.
    """
    concerned: list[Setting] = []
    for setting in found:
        words = setting.command.split()
        if words[0] != name:
            continue
        target = command
        for word in words[1:]:
            target = getattr(target, "commands", {}).get(word)
        inside = _names_inside(target)
        if setting.option not in inside:
            raise UsageError(
                setting.place,
                f"`{setting.command}` has no setting {setting.option!r}",
                f"It has: {', '.join(sorted(inside))}" if inside else f"See `forensic {name} --help`",
            )
        name_inside = inside[setting.option]
        options = [one for one in target.params if one.name == name_inside]
        several = any(getattr(one, "multiple", False) for one in options)
        flag = any(getattr(one, "is_flag", False) for one in options)
        concerned.append(replace(setting, option=name_inside, value=_shaped(setting, several=several, flag=flag)))
    return concerned


def _shaped(setting: Setting, *, several: bool, flag: bool) -> Any:
    """The value as the parser takes it: one alone stands for a list of one, and a variable has one a line.

    Raises:
        UsageError: a list where one value is taken, or what the option does not take: a table, a date, true for a
            number.
    """
    value = setting.value
    if several and isinstance(value, str):
        return value.splitlines() if setting.origin.startswith(PREFIX) else [value]
    for one in value if several and isinstance(value, list) else [value]:
        switch = isinstance(one, bool) and not flag  # a number to Python
        if switch or not isinstance(one, str | int | float):
            reason = f"`{setting.option}` takes {'a list of texts' if several else 'one value'}, got {value!r}"
            raise UsageError(setting.place, reason, f"See `forensic {setting.command} --help`")
    return value


def refused(context: typer.Context, name: str) -> Setting | None:
    """The setting behind a value that the parser refused; None where it stands on the command line.

    Args:
        context: of the command.
        name: of the parameter.
    """
    source = context.get_parameter_source(name)
    if source is None or source.name != "DEFAULT_MAP":
        return None
    command = context.command_path.partition(" ")[2]
    return _in_force(context, command).get((command, name))


def merged(context: typer.Context, others: Mapping[str, tuple[Any, str]] | None = None) -> list[Setting]:
    """Every option of the command that runs, in the order of its help, with its value and where that comes from.

    Args:
        context: of the command.
        others: values that take the place of a default, and their origin, under the names of the parameters.
    """
    command = context.command_path.partition(" ")[2]
    named = _in_force(context, command)
    every: list[Setting] = []
    for option, name in _names_inside(context.command).items():
        source = context.get_parameter_source(name)
        kind, value = "DEFAULT" if source is None else source.name, context.params.get(name)
        origin = "command line"
        if kind == "DEFAULT":
            value, origin = (others or {}).get(name, (value, "default"))
        elif kind == "DEFAULT_MAP":
            origin = named[command, name].origin
        every.append(Setting(command, option, value, origin))
    return every


def _in_force(context: typer.Context, command: str) -> dict[tuple[str, str], Setting]:
    """What files and environment set for the command that runs, under the names of its parameters."""
    found: list[Setting] = context.find_root().obj or []
    name = command.split(maxsplit=1)[0]
    return strongest(for_command(found, name, load_command(name)))


def strongest(found: list[Setting]) -> dict[tuple[str, str], Setting]:
    """The one of each command and option that holds."""
    return {(setting.command, setting.option): setting for setting in found}


def as_toml(found: list[Setting]) -> str:
    """Settings of one command as a table that a configuration file takes, the origin of each behind it.

    What is not set stands in a comment.
    """
    lines = [f"[{found[0].command}]"] if found else []
    for setting in found:
        told = _toml_value(setting.value)
        head = f"# {setting.option} is not set" if told is None else f"{setting.option} = {told}"
        lines.append(f"{head:<40}  # {console.safe(setting.origin)}")
    return "\n".join(lines)


def _toml_value(value: Any) -> str | None:
    if value is None or (isinstance(value, list | tuple) and not value):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(filter(None, map(_toml_value, value)))}]"
    return json.dumps(str(value)).replace("\x7f", "\\u007f")


def _names_inside(command: Any) -> dict[str, str]:
    """Long options of a command, `_` for `-`, and the parameter behind each."""
    return {
        option[2:].replace("-", "_"): parameter.name
        for parameter in getattr(command, "params", ())
        for option in parameter.opts
        if option.startswith("--") and option != "--help"
    }


@app.callback()
def settings_of_commands() -> None:
    """Show where each setting comes from."""


@app.command("show")
def show(context: typer.Context) -> None:
    """List every setting that is not a default, with its origin.

    \b
    forensic config show
    forensic --config lab.toml config show
    """
    found: list[Setting] = context.find_root().obj
    holding = strongest(found)
    if not holding:
        console.talk("every setting has its default: no configuration file, nothing in the environment")
        return
    rows = [(setting.command, setting.option, repr(setting.value), setting.origin) for setting in holding.values()]
    console.stdout_table(["command", "option", "value", "from"], sorted(rows))


def _files(config: Path | None) -> list[Path]:
    """The configuration files to read, the weaker first."""
    named = config or (Path(name) if (name := os.environ.get("FORENSIC_CONFIG")) else None)
    if named is not None:
        return [named]
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - stays as it is without a home
    return [path for path in (Path(base) / "forensic" / "config.toml", PROJECT_FILE) if path.is_file()]


def _from_file(path: Path) -> list[Setting]:
    try:
        text = path.read_text(encoding="utf-8")
        tree = tomllib.loads(text)
    except OSError as cause:
        raise UsageError(str(path), f"can not be read: {cause.strerror}", "Name another file with --config") from cause
    except ValueError as cause:  # TOML and UTF-8 errors alike
        raise UsageError(str(path), f"is no TOML: {cause}") from cause
    found: list[Setting] = []
    for name, table in tree.items():
        if name not in COMMANDS or not isinstance(table, dict):
            raise UsageError(str(path), f"has no command {name!r}", f"Tables: {', '.join(COMMANDS)}")
        found += _from_table(name, table, str(path), group=COMMANDS[name].is_group)
    return [replace(setting, line=_line_of(setting, text)) for setting in found]


def _line_of(setting: Setting, text: str) -> int | None:
    """The line that begins with the setting's key below its table's heading; None where it is written otherwise."""
    heading = "[" + setting.command.replace(" ", ".") + "]"
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        written = line.split("#")[0].strip()
        if written.startswith("["):
            inside = written.replace(" ", "").replace('"', "") == heading
        elif inside and written.partition("=")[0].strip(" \"'").replace("-", "_") == setting.option:
            return number
    return None


def _from_table(command: str, table: dict[str, Any], origin: str, *, group: bool) -> list[Setting]:
    if not group:
        return [Setting(command, key.replace("-", "_"), value, origin) for key, value in table.items()]
    found: list[Setting] = []
    for word, inner in table.items():
        if not isinstance(inner, dict):
            raise UsageError(origin, f"`{command}` is a group of commands", f"Write a table [{command}.COMMAND]")
        found += _from_table(f"{command} {word}", inner, origin, group=False)
    return found


def _from_environment() -> list[Setting]:
    """`FORENSIC_SCAN_WORKERS=2`; other variables that begin with FORENSIC_ belong to other rooms."""
    found: list[Setting] = []
    for variable, value in sorted(os.environ.items()):
        words = variable.removeprefix(PREFIX).lower().split("_")
        entry = COMMANDS.get(words[0])
        if not variable.startswith(PREFIX) or entry is None:
            continue
        depth = 2 if entry.is_group else 1
        if len(words) > depth:
            found.append(Setting(" ".join(words[:depth]), "_".join(words[depth:]), value, variable))
    return found
