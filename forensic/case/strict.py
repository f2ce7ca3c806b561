"""JSON of a case, read strictly: what was altered must not come in as a value of another type."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT, WHOLE, NUMBER = (str,), (int,), (float, int)
"""JSON types, exactly: True is no number."""


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def parsed(text: str) -> Any:  # noqa: ANN401 - as json.loads
    """The value of a JSON text.

    Raises:
        ValueError: it is none, holds NaN or an infinity by name, or is nested too deeply to be read.
        TypeError: it is no text.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def check_types(row: object, types: Mapping[str, tuple[type, ...]], always: frozenset[str]) -> None:
    """Whether a parsed object has values of the right types, every number finite.

    Args:
        row: the object.
        types: key -> types of what is no text; any other key is text.
        always: keys that must be there and not null.

    Raises:
        TypeError: it is no object, a key of `always` is missing or null, or a value is of another type.
        ValueError: a number is not finite.
    """
    if not isinstance(row, dict):
        raise TypeError(f"expected a JSON object, got {type(row).__name__}")
    for name, value in row.items():
        kind = type(value)
        if kind not in types.get(name, TEXT) and value is not None:
            raise TypeError(f"{name} is of type {kind.__name__}")
        if kind is float and not math.isfinite(value):
            raise ValueError(f"{name} is not finite")
    for name in always:
        if row.get(name) is None:
            raise TypeError(f"{name} is missing")


def check_each(values: object, types: tuple[type, ...]) -> None:
    """Whether every value of a list, or every one of an object, is of one of the types, every number finite.

    Raises:
        TypeError: one is not.
        ValueError: a number is not finite.
    """
    for value in values.values() if isinstance(values, dict) else values:  # type: ignore[attr-defined]  # else a list
        if type(value) not in types:
            raise TypeError(f"a value is of type {type(value).__name__}")
        if type(value) is float and not math.isfinite(value):
            raise ValueError("a value is not finite")
