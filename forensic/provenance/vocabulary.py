"""The data table that turns keys and values into words: `vocabulary.toml`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).with_name("vocabulary.toml")
_SEARCHED = 1 << 16
"""Characters of a text that patterns look at."""
_SOURCE_TYPE = re.compile(
    r"^(?:https?://(?:cv\.iptc\.org/newscodes|c2pa\.org)/digitalsourcetype/|digsrctype:)?(\w+)/?$"
)


@dataclass(frozen=True)
class Meaning:
    """What a text is taken for."""

    kind: str
    says: str


@dataclass(frozen=True)
class _Row:
    pattern: re.Pattern[str] | None
    meaning: Meaning


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"))


@cache
def _rows() -> dict[str, list[_Row]]:
    """Key in lower case -> its rows in the table's order."""
    found: dict[str, list[_Row]] = {}
    for row in _table()["text"]:
        pattern = re.compile(row["pattern"], re.DOTALL) if "pattern" in row else None
        for key in row["keys"]:
            found.setdefault(key.lower(), []).append(_Row(pattern, Meaning(row["kind"], row["says"])))
    return found


def meaning_of(key: str, text: str) -> Meaning | None:
    """What a text under a key is taken for; None where no row fits.

    Args:
        key: of a PNG text, an EXIF tag, an XMP property (`prefix:name`) or an IPTC-IIM data set.
        text: its first characters decide.
    """
    for row in _rows().get(key.lower(), ()):
        if row.pattern is None or row.pattern.search(text[:_SEARCHED]):
            return row.meaning
    return None


def property_key(namespace: str, name: str) -> str:
    """An XMP property's name with the table's prefix for its namespace; as written where that is not known."""
    prefix = _table()["namespaces"].get(namespace)
    return name if prefix is None else f"{prefix}:{name.rpartition(':')[2]}"


def source_type(value: str) -> str:
    """A digital source type in words."""
    match = _SOURCE_TYPE.match(value.strip())
    words = _table()["digital_source_types"].get(match[1]) if match else None
    return f"of the image: {words}" if words else "a digital source type that the table does not know"


def aigc_label(value: str) -> str:
    """A `Label` of GB 45438-2025 in words."""
    words = _table()["aigc_labels"].get(value)
    return f"of the image: {words}" if words else "a label that the table does not know"


def c2pa_failure(code: str) -> str:
    """A failure of a C2PA validation in words, with its code."""
    words = _table()["c2pa_failures"].get(code)
    return f"{words} ({code})" if words else code
