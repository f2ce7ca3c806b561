from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from forensic.cli.console import safe
from forensic.evaluate.frame import Section, box, figure, figures, paragraph, render, table, text

HOSTILE = "</style><script>alert(1)</script>\n\"'&\u202egnp.exe\x1b[2J\udcff"
"""Ends elements and attributes, runs, breaks the line, turns the direction round, clears a terminal, is no UTF-8."""


class Seen(HTMLParser):
    """Tags, attributes and text of a page, as a browser would read them."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def page(value: str) -> bytes:
    parts = [
        paragraph(value),
        table(("name", ">n"), [(value, "1"), ("sum", value)], strong=1),
        figures(figure(Markup("<svg></svg>"), value, [("line l1", value)]), box(paragraph(value, "soft"))),
    ]
    body = Markup("").join(parts)
    return render(f"Evaluation of {value}", [("weights", value)], [Section("In short", body)], value, told=safe)


def test_nothing_hostile_gets_through() -> None:
    made = page(HOSTILE)
    seen = Seen(made)
    assert "script" not in seen.tags
    assert seen.tags.count("style") == 1
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in ("src", "style")]
    for hidden in ("\u202e", "\x1b", "\udcff"):
        assert hidden not in made.decode()
    told = "</style><script>alert(1)</script>\\n\"'&\\u202egnp.exe\\x1b[2J\\xff"
    assert seen.text.count(told) == 10


def test_the_policy_allows_this_style_and_nothing_else() -> None:
    made = page("x").decode()
    style = re.search(r"<style>(.*?)</style>", made, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', made)
    assert policy is not None
    assert policy.group(1) == (f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")


def test_same_arguments_same_bytes_and_no_address() -> None:
    assert page("x") == page("x")
    assert b"http:" not in page("x")
    assert b"https:" not in page("x")
    assert b"url(" not in page("x")


def test_numbers_and_sums_are_marked() -> None:
    made = str(table(("name", ">n"), [("a", "1"), ("sum", "2")], strong=1))
    assert '<th scope="col" class="n">n</th>' in made
    assert '<tr><th scope="row">a</th><td class="n">1</td></tr>' in made
    assert '<tr class="sum"><th scope="row">sum</th>' in made


def test_an_interval_is_held_together() -> None:
    assert '<td class="n">1.5 <span>(1.0-2.0)</span></td>' in str(table(("a", ">n"), [("a (b", "1.5 (1.0-2.0)")]))
    assert '<th scope="row">a (b</th>' in str(table(("a", ">n"), [("a (b", "1")]))
    assert Seen(str(table(("a", ">n"), [("a", "<b> (<i>")])).encode()).tags.count("b") == 0


def test_a_row_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        table(("a", "b"), [("1", "2", "3")])


@pytest.mark.parametrize("value", ["<b>", "a&b", '"', "'"])
def test_text_is_escaped_once(value: str) -> None:
    assert Seen(f'<p title="{text(value)}">{text(value)}</p>'.encode()).text == value
    assert ("title", value) in Seen(f'<p title="{text(value)}"></p>'.encode()).attributes
