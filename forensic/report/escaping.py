"""Text from evidence, made fit to be shown: what the eye would not see is written out."""

from __future__ import annotations

import unicodedata

from markupsafe import Markup, escape

_JOINERS = frozenset("\u200c\u200d")  # part of emoji and of several scripts


def visible(text: str) -> str:
    r"""`text` on one line, with nothing hidden in it.

    Control characters, bidirectional overrides and other invisible format characters, line separators, lone
    surrogates and code points that are assigned to nothing come out as `\x0a`, `\u202e`; a byte that was no UTF-8
    (a surrogate of Python's) comes out as `\xff`. All else, spaces included, stays.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible_character(character) for character in text)


def _visible_character(character: str) -> str:
    point = ord(character)
    category = unicodedata.category(character)
    if category == "Cs" and 0xDC80 <= point <= 0xDCFF:
        return f"\\x{point - 0xDC00:02x}"
    hidden = category in ("Cc", "Cs", "Cn", "Zl", "Zp") or (category == "Cf" and character not in _JOINERS)
    if not hidden:
        return character
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def shown(text: str) -> Markup:
    """`text` as HTML: `visible`, then escaped; right in element content and in a quoted attribute."""
    return escape(visible(text))
