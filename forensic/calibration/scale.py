"""The verbal scale: a table of words for ranges of ratios, read from TOML."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from forensic.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

NONE = "no support for either proposition"


@dataclass(frozen=True)
class Scale:
    """Words from a ratio on."""

    name: str
    """Where it comes from."""
    steps: tuple[tuple[float, str], ...]
    """(least ratio, words), rising from 1."""

    def words(self, llr: float) -> str:
        """Of a ratio or of its inverse.

        Args:
            llr: log10 of the ratio, finite.
        """
        if llr == 0:
            return NONE
        # 1e-12: what was computed as 10 is 10
        return [words for least, words in self.steps if math.log10(least) <= abs(llr) + 1e-12][-1]

    def to_dict(self) -> dict[str, Any]:
        """As its TOML reads."""
        return {"name": self.name, "steps": [{"from": least, "words": words} for least, words in self.steps]}


def read_scale(path: Path | None = None) -> Scale:
    """The scale of a file, or the one that comes along.

    Raises:
        UsageError: the file can not be read, or is no scale.
    """
    if path is None:
        text = resources.files("forensic.calibration").joinpath("scale.toml").read_text(encoding="utf-8")
        return scale_from_dict(tomllib.loads(text), "scale.toml")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(str(path), f"is no scale: {error}") from error
    return scale_from_dict(values, str(path))


def scale_from_dict(values: dict[str, Any], subject: str) -> Scale:
    """A scale from its TOML.

    Args:
        values: `name` and `steps`, each with `from` and `words`.
        subject: name of the file, for messages.

    Raises:
        UsageError: something is missing, or the steps do not rise from 1.
    """
    try:
        steps = tuple((float(step["from"]), str(step["words"])) for step in values["steps"])
        name = str(values["name"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(subject, f"is no scale: {error}", "It has a name, and steps with from and words") from error
    least = [step[0] for step in steps]
    if not steps or least[0] != 1 or least != sorted(set(least)) or not math.isfinite(least[-1]):
        raise UsageError(subject, "is no scale: its steps must rise from 1")
    return Scale(name, steps)
