"""The table of codes, and the way from what a finding says to its code."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, get_args

Kind = Literal["verdict", "flag", "reason", "exit"]


@dataclass(frozen=True)
class Code:
    """One code: what it means, what was done about it, and what the reader can do."""

    kind: Kind
    name: str
    """Unique among all kinds; stable."""
    means: str
    follows: str | None = None
    remedy: str | None = None
    pattern: str | None = None
    """Found in the words of a reason; None for other kinds."""


@cache
def codes() -> tuple[Code, ...]:
    """All codes, in the order of the table."""
    table = tomllib.loads(resources.files(__package__).joinpath("codes.toml").read_text(encoding="utf-8"))
    return tuple(Code(kind=kind, name=name, **entry) for kind in get_args(Kind) for name, entry in table[kind].items())


def code_of_reason(reason: str) -> Code | None:
    """The code of a finding's reason, None where no pattern fits.

    Args:
        reason: one line, as it stands in a finding of status `unreadable` or `skipped`.
    """
    for code in codes():
        if code.pattern is not None and re.search(code.pattern, reason):
            return code
    return None


def find(text: str) -> Code | None:
    """The code of a name, of a flag with its value, or of the words of a reason; None where nothing fits."""
    name = text.partition("=")[0]
    for code in codes():
        if code.name == text or (code.kind == "flag" and code.name == name):
            return code
    return code_of_reason(text)
