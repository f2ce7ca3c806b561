"""One self-contained HTML file: first page, then a row for each image. No network, readable without JavaScript.

The policy in its head allows one style sheet and one script, by their SHA-256, and pictures from data addresses, with
sheets of thumbnails also from beside the page; all else is refused by the browser. The first `PLAIN_ROWS` rows stand as
plain HTML. All rows travel as compressed columns that the script reads as text and shows through textContent only.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import IO, TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from forensic.report import pictures
from forensic.report.beside import CLAIMS_TITLE
from forensic.report.columns import Columns
from forensic.report.drawing import score_svg, spectrum_svg
from forensic.report.front import Extent, front_page
from forensic.report.rows import holds_salvaged
from forensic.report.view import RowView, RowWriter, row_views, survey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from forensic.case.ledger import CaseReader
    from forensic.case.rows import Artefacts, Finding
    from forensic.report.beside import ClaimView

PLAIN_ROWS = 200
"""So many rows stand as plain HTML, for readers without JavaScript and for paper."""

STYLES = ("page.css", "workbench.css", "paper.css")
SCRIPTS = (
    "dom.js",
    "unpack.js",
    "finding.js",
    "beside.js",
    "row.js",
    "facets.js",
    "choice.js",
    "list.js",
    "gallery.js",
    "triage.js",
    "drawer.js",
    "export.js",
    "toolbar.js",
    "keys.js",
    "address.js",
    "paper.js",
    "main.js",
)
"""Parts of the one style sheet and of the one script, in the order in which they are put together."""


def write_page(
    case: CaseReader,
    case_name: str,
    stream: IO[str],
    sheets: pictures.Sheets,
    show: Callable[[bytes], bytes | None] | None = None,
) -> None:
    """Write the page of a case.

    Args:
        case: a case open for reading; rows that are added meanwhile are left out.
        case_name: file name of the case, for the command that verifies it.
        stream: where to; the same case gives the same characters.
        sheets: takes the thumbnails that the page has no room for.
        show: what to show in place of a stored thumbnail, None for nothing; without it they are shown as they are.

    Raises:
        UsageError: the folder of the sheets is none.
        MissingError: the calibration that the case keeps is not the one it was begun with.
        MachineError: a sheet can not be written.
    """
    rows, digest, complete = _settled(case)
    plain = min(rows, PLAIN_ROWS)
    plan = pictures.PicturePlan(plain)

    def seen() -> Iterator[tuple[Finding, Artefacts]]:
        for _, finding, artefacts in case.rows(0, rows):
            plan.see(finding, _shown(artefacts.thumbnail, show))
            yield finding, artefacts

    found = survey(seen())
    aside = plan.settle()
    writer = RowWriter(case.header, found)
    mode = "as they are" if show is None else "changed"
    extent = Extent(complete=complete, digest=digest, plain=plain, beside=aside, thumbnails=mode)
    front = front_page(case, case_name, found, writer, extent)
    sheets.begin(f"sheet-{front.report_id}-")
    packer = _Packer(case, rows, writer, plan, sheets, show)
    about = {
        "report": front.report_id,
        "digest": digest,
        "complete": complete,
        "plain": plain,
        "flagNotes": dict(front.flag_notes),
        "salvage": holds_salvaged(case),
        "sheets": {"prefix": sheets.prefix, "columns": pictures.SHEET_COLUMNS} if aside else None,
    }
    frames = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    style, script = style_sheet(), whole_script()
    pieces = frames.from_string(_part("template.html")).generate(
        page=front,
        policy=policy(style, script, beside=aside > 0),
        style=Markup(style),  # noqa: S704 - our own files, byte for byte what the policy's hash says
        script=Markup(script),  # noqa: S704 - the same
        rows=(row_html(view, _shown(view.thumbnail, show)) for view in row_views(case, writer, plain)),
        pictures=packer.pictures(),
        blocks=((name, Markup(text)) for name, text in packer.blocks(about)),  # noqa: S704 - base64
    )
    for piece in pieces:
        stream.write(piece)
    sheets.finish()


def style_sheet() -> str:
    """The one style sheet."""
    return "\n".join(_part(name) for name in STYLES)


def whole_script() -> str:
    """The one script: its parts share one scope of their own, and nothing else does."""
    return '"use strict";\n(async () => {\n' + "\n".join(_part(f"js/{name}") for name in SCRIPTS) + "})();\n"


def policy(style: str, script: str, *, beside: bool = False) -> Markup:
    """The content security policy for exactly this style sheet and this script; `beside` allows pictures beside it."""
    pictures_from = "data: 'self'" if beside else "data:"
    styles, scripts = (base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in (style, script))
    return Markup(  # noqa: S704 - base64 between our own words
        f"default-src 'none'; script-src 'sha256-{scripts}'; style-src 'sha256-{styles}'; "
        f"img-src {pictures_from}; base-uri 'none'; form-action 'none'"
    )


def row_html(view: RowView, picture: bytes | None) -> Markup:
    """A finding as a row of the table. `page/js/row.js` builds the same element; a test compares them."""
    cells = (
        f'<td role="cell" class="no">{view.number}</td>',
        f'<td role="cell" class="pic">{_picture(picture) if picture else "<i></i>"}</td>',
        f'<td role="cell" class="file">{_file(view)}</td>',
        f'<td role="cell" class="verdict">{_verdict(view)}</td>',
        f'<td role="cell" class="score">{_score(view)}</td>',
        f'<td role="cell" class="spectrum">{_spectrum(view)}</td>',
    )
    head = f'<tr role="row" id="row-{view.number}" class="{view.state}">'
    return Markup(head + "".join(cells) + "</tr>\n")  # noqa: S704 - every text in the cells is escaped


def _picture(picture: bytes) -> str:
    return f'<img alt="" src="data:image/webp;base64,{base64.b64encode(picture).decode("ascii")}">'


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
    if view.claims:
        listed = "".join(_claim(claim) for claim in view.claims)
        parts.append(f'<div class="claims"><p>{CLAIMS_TITLE}</p><ul>{listed}</ul></div>')
    return "".join(parts)


def _claim(claim: ClaimView) -> str:
    kind = f"<b>{escape(claim.kind)}</b> " if claim.kind else ""
    about = f" <i>{escape(claim.about)}</i>" if claim.about else ""
    return f"<li>{kind}<span>{escape(claim.text)}</span>{about}</li>"


def _verdict(view: RowView) -> str:
    sign = f'<svg aria-hidden="true"><use href="#sign-{view.state}"/></svg>'
    weighed = f'<p class="weighed">{escape(view.weighed)}</p>' if view.weighed else ""
    salvaged = f'<p class="salvaged">{escape(view.salvaged)}</p>' if view.salvaged else ""
    said = f'<p class="said">{escape(view.said)}</p>'
    return f'<span class="sign">{sign}{view.state}</span>{said}{weighed}{salvaged}'


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


class _Packer:
    """All rows for the script: first their thumbnails as base64 texts, one after the other, then the columns.

    Each thumbnail's base64 is complete in itself, so the script cuts the text and decodes nothing. Those of the plain
    rows stand in the rows already.
    """

    def __init__(
        self,
        case: CaseReader,
        rows: int,
        writer: RowWriter,
        plan: pictures.PicturePlan,
        sheets: pictures.Sheets,
        show: Callable[[bytes], bytes | None] | None,
    ) -> None:
        self._rows = case.rows(0, rows)
        self._columns = Columns(case.header, writer)
        self._plan = plan
        self._sheets = sheets
        self._show = show

    def pictures(self) -> Iterator[Markup]:
        for row, finding, artefacts in self._rows:
            picture, text, told = _shown(artefacts.thumbnail, self._show), "", pictures.NONE
            if picture and not self._plan.in_page(row):
                self._sheets.add(picture)
                told = pictures.IN_SHEET
            elif picture and row >= self._plan.plain:
                text = base64.b64encode(picture).decode("ascii")
                told = len(text)
            self._columns.add(finding, artefacts, told)
            yield Markup(text)  # noqa: S704 - base64

    def blocks(self, about: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """After `pictures` only."""
        yield from self._columns.blocks(about)


def _shown(thumbnail: bytes | None, show: Callable[[bytes], bytes | None] | None) -> bytes | None:
    return thumbnail if not thumbnail or show is None else show(thumbnail)


def _settled(case: CaseReader) -> tuple[int, str, bool]:
    """Number of rows, digest and completeness that belong together, also while a scan adds rows."""
    while True:
        rows, digest, complete = len(case), case.closing_digest, case.complete
        if rows == len(case):
            return rows, digest, complete


@cache
def _part(name: str) -> str:
    return resources.files("forensic.report").joinpath("page", *name.split("/")).read_text(encoding="utf-8")
