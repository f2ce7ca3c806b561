"""One self-contained HTML file: first page, then a row for each image. No network, readable without JavaScript.

The policy in its head allows one style sheet and one script, by their SHA-256, and pictures from data addresses;
all else is refused by the browser. Rows beyond `PLAIN_ROWS` travel as a compressed block that the script reads
as text and shows through textContent only.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from functools import cache
from importlib import resources
from typing import IO, TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from forensic.report.drawing import score_svg, spectrum_svg
from forensic.report.front import Extent, front_page
from forensic.report.view import RowView, RowWriter, row_views, survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forensic.case.ledger import CaseReader
    from forensic.case.rows import Artefacts, Finding

ALL_PLAIN = 2_000
"""Up to so many rows, every one stands as plain HTML."""
PLAIN_ROWS = 200
"""Of a longer case, so many do."""
THUMBNAIL_BUDGET = 30_000_000
"""Bytes of thumbnails, before base64, that one page carries; later rows do without."""


def write_page(case: CaseReader, case_name: str, stream: IO[str]) -> None:
    """Write the page of a case.

    Args:
        case: a case open for reading; rows that are added meanwhile are left out.
        case_name: file name of the case, for the command that verifies it.
        stream: where to; the same case gives the same characters.
    """
    rows, digest, complete = _settled(case)
    budget = _Budget(THUMBNAIL_BUDGET)
    found = survey(budget.watched(case.rows(0, rows)))
    writer = RowWriter(case.header, found)
    plain = rows if rows <= ALL_PLAIN else PLAIN_ROWS
    extent = Extent(complete=complete, digest=digest, plain=plain, without_thumbnail=budget.refused)
    budget = _Budget(THUMBNAIL_BUDGET)
    packer = _Packer(row_views(case, writer, rows, start=plain), budget)
    frames = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    style, script = _part("page.css"), _part("page.js")
    pieces = frames.from_string(_part("template.html")).generate(
        page=front_page(case, case_name, found, writer, extent),
        policy=policy(style, script),
        style=Markup(style),  # noqa: S704 - our own file, byte for byte what the policy's hash says
        script=Markup(script),  # noqa: S704 - the same
        rows=(row_html(view, picture=budget.take(view.thumbnail)) for view in row_views(case, writer, plain)),
        pictures=packer.pictures(),
        packed=packer.rows(),
    )
    for piece in pieces:
        stream.write(piece)


def policy(style: str, script: str) -> Markup:
    """The content security policy for exactly this style sheet and this script."""
    styles, scripts = (base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in (style, script))
    return Markup(  # noqa: S704 - base64 between our own words
        f"default-src 'none'; script-src 'sha256-{scripts}'; style-src 'sha256-{styles}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def row_html(view: RowView, *, picture: bool = True) -> Markup:
    """A finding as a row of the table. `page.js` builds the same element from `row_data`; a test compares them."""
    cells = (
        f'<td role="cell" class="no">{view.number}</td>',
        f'<td role="cell" class="pic">{_picture(view) if picture and view.thumbnail else "<i></i>"}</td>',
        f'<td role="cell" class="file">{_file(view)}</td>',
        f'<td role="cell" class="verdict">{_verdict(view)}</td>',
        f'<td role="cell" class="score">{_score(view)}</td>',
        f'<td role="cell" class="spectrum">{_spectrum(view)}</td>',
    )
    value = "" if view.value is None else repr(view.value)
    data = f'data-class="{escape(view.of_class)}" data-score="{value}"'
    head = f'<tr role="row" id="row-{view.number}" class="{view.state}" {data}>'
    return Markup(head + "".join(cells) + "</tr>\n")  # noqa: S704 - every text in the cells is escaped


def _picture(view: RowView) -> str:
    return f'<img alt="" src="data:image/webp;base64,{base64.b64encode(view.thumbnail).decode("ascii")}">'


def _file(view: RowView) -> str:
    parts = [f'<p class="name">{escape(view.name)}</p><p class="path">{escape(view.path)}</p>']
    if view.path_b64:
        parts.append(f'<p class="raw">exact bytes, base64: {escape(view.path_b64)}</p>')
    if view.about:
        parts.append(f'<p class="about">{escape(view.about)}</p>')
    if view.sha256:
        parts.append(f'<p class="sha">{escape(view.sha256)}</p>')
    if view.flags:
        parts.append(f'<ul class="flagged">{"".join(f"<li>{escape(flag)}</li>" for flag in view.flags)}</ul>')
    return "".join(parts)


def _verdict(view: RowView) -> str:
    sign = f'<svg aria-hidden="true"><use href="#sign-{view.state}"/></svg>'
    return f'<span class="sign">{sign}{view.state}</span><p class="said">{escape(view.said)}</p>'


def _score(view: RowView) -> str:
    if not view.score:
        return '<span class="none">no score</span>'
    numbers = f'<p class="numbers"><b>{view.score}</b> <span>threshold {view.threshold}</span></p>'
    return f"{numbers}{score_svg(view.threshold_at, view.mark, view.state)}"


def _spectrum(view: RowView) -> str:
    if not view.curve:
        return '<span class="none">none kept</span>'
    return (
        f'{spectrum_svg(view.curve, view.band, escape(view.curve_text))}<p class="against">{escape(view.against)}</p>'
    )


def row_data(view: RowView, picture: int) -> list[object]:
    """What `page.js` needs for the same row; `picture` is the length of its base64 text, 0 for none."""
    return [
        view.number,
        view.state,
        view.name,
        view.path,
        view.path_b64,
        view.about,
        view.sha256,
        list(view.flags),
        view.said,
        view.of_class,
        "" if view.value is None else repr(view.value),
        view.score,
        view.threshold,
        view.threshold_at,
        view.mark,
        view.curve,
        view.band,
        view.against,
        view.curve_text,
        picture,
    ]


class _Budget:
    """Bytes that thumbnails may still take."""

    def __init__(self, size: int) -> None:
        self._left = size
        self.refused = 0

    def take(self, picture: bytes | None) -> bool:
        if not picture:
            return False
        if len(picture) > self._left:
            self.refused += 1
            return False
        self._left -= len(picture)
        return True

    def watched(self, rows: Iterator[tuple[int, Finding, Artefacts]]) -> Iterator[tuple[Finding, Artefacts]]:
        """The rows for `survey`; the budget is spent as the page will spend it, to tell first what it leaves out."""
        for _, finding, artefacts in rows:
            self.take(artefacts.thumbnail)
            yield finding, artefacts


class _Packer:
    """The rows that are not plain HTML: thumbnails as base64 texts one after the other, then the rows, compressed.

    Each picture's base64 is complete in itself, so the script cuts the text and decodes nothing.
    """

    def __init__(self, views: Iterator[RowView], budget: _Budget) -> None:
        self._views = views
        self._budget = budget
        self._lines: list[bytes] = []

    def pictures(self) -> Iterator[Markup]:
        for view in self._views:
            text = base64.b64encode(view.thumbnail).decode("ascii") if self._budget.take(view.thumbnail) else ""
            self._lines.append(json.dumps(row_data(view, len(text)), ensure_ascii=True, separators=(",", ":")).encode())
            yield Markup(text)  # noqa: S704 - base64

    def rows(self) -> Iterator[Markup]:
        """After `pictures` only."""
        packed = gzip.compress(b"[" + b",\n".join(self._lines) + b"]", compresslevel=6, mtime=0)
        yield Markup(base64.b64encode(packed).decode("ascii"))  # noqa: S704 - base64


def _settled(case: CaseReader) -> tuple[int, str, bool]:
    """Number of rows, digest and completeness that belong together, also while a scan adds rows."""
    while True:
        rows, digest, complete = len(case), case.closing_digest, case.complete
        if rows == len(case):
            return rows, digest, complete


@cache
def _part(name: str) -> str:
    return resources.files("forensic.report").joinpath("page", name).read_text(encoding="utf-8")
