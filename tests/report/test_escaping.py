"""Nothing in a name stays hidden, and nothing in it is markup."""

from __future__ import annotations

import pytest

from forensic.report.escaping import shown, visible


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain name.png", "plain name.png"),
        ("Zürich 東京 🌄.png", "Zürich 東京 🌄.png"),
        ("a\nb\tc\r", "a\\x0ab\\x09c\\x0d"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x85\x9b", "\\x85\\x9b"),
        ("exe\u202egpj", "exe\\u202egpj"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("line\u2028end", "line\\u2028end"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("lone \ud800", "lone \\ud800"),
        ("byte \udcff", "byte \\xff"),
        ("👩\u200d🔬.png", "👩\u200d🔬.png"),
        ("", ""),
    ],
)
def test_visible(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_shown_is_html() -> None:
    assert shown('<b a="1">&\'\u202e') == "&lt;b a=&#34;1&#34;&gt;&amp;&#39;\\u202e"
