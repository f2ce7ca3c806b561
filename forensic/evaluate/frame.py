"""The frame of an evaluation's HTML page: head, policy, style, and the few shapes that its sections are made of.

One file, no script, no network. All text comes in through `text` or `Markup.format`, which escape it; the page as a
whole passes the caller's `told`, which writes out what the eye would not see.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup, escape

import forensic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_LONG = 60
"""Characters from which on a fact has a line of its own."""
_LINES = {10: "\\n", 11: "\\x0b", 12: "\\x0c", 13: "\\r", 9: "\\t"}


class Section(NamedTuple):
    """A part of the page."""

    title: str
    body: Markup


def render(
    title: str,
    facts: Iterable[tuple[str, str]],
    sections: Iterable[Section],
    foot: str,
    *,
    told: Callable[[str], str],
    own_style: str = "",
) -> bytes:
    """The page; the same bytes for the same arguments.

    Args:
        title: of page and window.
        facts: name and value of what stands in the head.
        sections: in their order.
        foot: a last paragraph.
        told: makes a line fit to be shown: control characters, bidirectional overrides and the like written out.
        own_style: rules behind those of all pages; a page that has some may hold pictures, as `data:`.
    """
    style = resources.files("forensic.evaluate").joinpath("page.css").read_text(encoding="utf-8") + own_style
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    parts = [
        Markup(
            '<!doctype html>\n<html lang="en">\n<head>\n<meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; style-src 'sha256-{}'{}; base-uri 'none'; form-action 'none'\">\n"
            '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
            '<meta name="generator" content="forensic {}">\n<title>{}</title>\n<style>'
        ).format(allowed, "; img-src data:" if own_style else "", forensic.__version__, text(title)),
        style,
        Markup("</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{}</h1>\n<dl>").format(text(title)),
        *(
            Markup("<div{}><dt>{}</dt><dd>{}</dd></div>").format(
                Markup(' class="long"') if len(value) > _LONG else "", name, text(value)
            )
            for name, value in facts
        ),
        "</dl>\n</header>\n",
        *(Markup("<section>\n<h2>{}</h2>\n{}</section>\n").format(name, body) for name, body in sections),
        Markup("<footer><p>{}</p></footer>\n</main>\n</body>\n</html>\n").format(text(foot)),
    ]
    # line by line: `told` would write out the ends of our own lines too
    return "\n".join(told(line) for line in "".join(parts).split("\n")).encode()


def text(value: str) -> Markup:
    """A text of any origin as HTML on one line, right in element content and in a quoted attribute."""
    return escape(value.translate(_LINES))


def paragraph(value: str, kind: str = "") -> Markup:
    """A paragraph; `kind` is a class of the style sheet."""
    return (
        Markup('<p class="{}">{}</p>\n').format(kind, text(value))
        if kind
        else Markup("<p>{}</p>\n").format(text(value))
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, strong: int = 0) -> Markup:
    """A table that scrolls sideways where it is too wide.

    Args:
        columns: headings; one that begins with `>` holds numbers and loses the `>`.
        rows: cells; the first heads its row.
        strong: so many of the last rows are sums of the others.
    """
    numbers = [column.startswith(">") for column in columns]
    heads = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_number(is_number), text(column.removeprefix(">")))
        for column, is_number in zip(columns, numbers, strict=True)
    )
    listed = list(rows)
    lines = []
    for place, row in enumerate(listed):
        first = Markup('<th scope="row">{}</th>').format(text(row[0]))
        cells = (
            Markup("<td{}>{}</td>").format(_number(is_number), _value(cell) if is_number else text(cell))
            for cell, is_number in zip(row[1:], numbers[1:], strict=True)
        )
        kind = Markup(' class="sum"') if place >= len(listed) - strong else ""
        lines.append(Markup("<tr{}>{}{}</tr>\n").format(kind, first, Markup("").join(cells)))
    return Markup('<div class="wide"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table></div>\n').format(
        heads, Markup("").join(lines)
    )


def figure(drawing: Markup, caption: str, legend: Sequence[tuple[str, str]] = ()) -> Markup:
    """A drawing with its legend and caption.

    Args:
        drawing: an SVG.
        caption: what it shows and how to read it.
        legend: (class of the style sheet that the swatch has, name).
    """
    entries = Markup("").join(
        Markup('<li><svg viewBox="0 0 20 10" aria-hidden="true">{}</svg>{}</li>').format(_swatch(kind), text(name))
        for kind, name in legend
    )
    listed = Markup('<ul class="legend">{}</ul>').format(entries) if legend else ""
    return Markup("<figure>{}{}<figcaption>{}</figcaption></figure>\n").format(drawing, listed, text(caption))


def figures(*drawn: Markup) -> Markup:
    """Figures side by side, as many as fit; what is no figure stands among them in a box of its own."""
    return Markup('<div class="figures">\n{}</div>\n').format(Markup("").join(drawn))


def box(*parts: Markup) -> Markup:
    """What stands beside a figure."""
    return Markup("<div>\n{}</div>\n").format(Markup("").join(parts))


def _value(cell: str) -> Markup:
    """A number; its interval in brackets is never broken in two."""
    value, gap, ends = cell.partition(" (")
    return Markup("{} <span>({}</span>").format(text(value), text(ends)) if gap else text(cell)


def _number(is_number: bool) -> Markup:  # noqa: FBT001 - one private flag
    return Markup(' class="n"') if is_number else Markup("")


def _swatch(kind: str) -> Markup:
    shape = "M0 5H20" if kind.startswith("line") else "M3 1H17V9H3Z"
    if kind.startswith("mark"):
        return Markup('<use class="{}" href="#{}" x="10" y="5"/>').format(kind, kind.split()[1])
    return Markup('<path class="{}" d="{}"/>').format(kind, shape)
