"""The mean spectra of two sets of images and their difference, as PNG, SVG or HTML, drawn by matplotlib."""

from __future__ import annotations

import base64
import io
import warnings
from html import escape
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from forensic.errors import MissingError
from forensic.spectra.figure import FIRST_BIN
from forensic.spectra.image import colours
from forensic.spectra.profile import frequencies
from forensic.spectra.reading import BINS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forensic.spectra.reading import GroupSpectrum

_INK, _SOFT, _ONE, _OTHER = "#1b1d20", "#565c64", "#0a6a5e", "#a5480f"


def write_pair(
    one: GroupSpectrum,
    other: GroupSpectrum,
    names: tuple[str, str],
    told: Sequence[str],
    stream: IO[bytes],
    *,
    form: str,
) -> None:
    """Draw both means with their spread, the difference with its standard error, and the Fourier views.

    Args:
        one: the first set.
        other: the second.
        names: of the two, fit to be shown.
        told: lines of text for above the figure, fit to be shown.
        stream: where to; the same bytes for the same arguments and library.
        form: `png`, `svg` or `html`.

    Raises:
        MissingError: matplotlib is not installed.
    """
    if form != "html":
        _draw(one, other, names, told, stream, form)
        return
    drawn = io.BytesIO()
    _draw(one, other, names, told[:1], drawn, "svg")
    source = base64.b64encode(drawn.getvalue()).decode("ascii")
    title = escape(f"{names[0]} and {names[1]}")
    lines = "".join(f"<p>{escape(line)}</p>\n" for line in told)
    stream.write(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>Comparison: {title}</title>\n</head>\n<body>\n<h1>Comparison: {title}</h1>\n{lines}"
            '<img width="100%" alt="Mean spectra of both sets and their difference" '
            f'src="data:image/svg+xml;base64,{source}">\n'
            "</body>\n</html>\n"
        ).encode()
    )


def _draw(
    one: GroupSpectrum, other: GroupSpectrum, names: tuple[str, str], told: Sequence[str], stream: IO[bytes], form: str
) -> None:
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra; only figures need it
        from matplotlib.figure import Figure  # noqa: PLC0415 - the same
    except ImportError as error:
        raise MissingError(
            "matplotlib", "is not installed, and figures need it", "Install it with `pip install matplotlib`"
        ) from error
    settings: Any = {"svg.hashsalt": "forensic", "svg.fonttype": "path", "font.size": 8.5, "font.family": "sans-serif"}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a name in a script the font lacks
        figure = Figure(figsize=(11.0, 6.2), layout="constrained", facecolor="white")
        grid = figure.subplots(2, 6, gridspec_kw={"height_ratios": [1.0, 1.0]})
        shape = grid[0, 0].get_gridspec()
        for axes in grid.flat:
            axes.remove()
        _curves(figure.add_subplot(shape[0, :3]), (one, other), names)
        _difference(figure.add_subplot(shape[0, 3:]), one, other)
        low, high = (float(np.quantile(np.stack([one.fourier, other.fourier]), share)) for share in (0.005, 0.995))
        apart = other.fourier - one.fourier
        most = max(float(np.quantile(np.abs(apart), 0.995)), 1e-6)
        views = [
            (colours(one.fourier, low, high), f"{_short(names[0])}\nmean log |F|"),
            (colours(other.fourier, low, high), f"{_short(names[1])}\nmean log |F|"),
            (colours(apart, -most, most, signed=True), f"second less first\nbrown +{most:.2f}, blue -{most:.2f}"),
        ]
        for place, (pixels, title) in enumerate(views):
            axes = figure.add_subplot(shape[1, 2 * place : 2 * place + 2])
            axes.imshow(pixels, interpolation="nearest")
            axes.axis("off")
            axes.set_title(title, fontsize=8.5, color=_INK).set_parse_math(False)
        if told:
            figure.suptitle(told[0], fontsize=9.5, color=_INK).set_parse_math(False)
        metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        figure.savefig(stream, format=form, dpi=150, metadata=metadata)


def _curves(axes: Any, groups: tuple[GroupSpectrum, GroupSpectrum], names: tuple[str, str]) -> None:  # noqa: ANN401 - axes of a library that may be absent
    at = frequencies(BINS)[FIRST_BIN:]
    lines = []
    for group, colour in zip(groups, (_ONE, _OTHER), strict=True):
        low, high = (group.mean - group.spread)[FIRST_BIN:], (group.mean + group.spread)[FIRST_BIN:]
        axes.fill_between(at, low, high, color=colour, alpha=0.14, linewidth=0)
        lines += axes.plot(at, group.mean[FIRST_BIN:], color=colour, linewidth=1.4)
    labels = [f"{_short(name)} ({group.count})" for name, group in zip(names, groups, strict=True)]
    for text in axes.legend(lines, labels, frameon=False, fontsize=8).get_texts():
        text.set_parse_math(False)
    _frame(axes, "Azimuthal mean of |F|², log10; band: one spread over images")


def _difference(axes: Any, one: GroupSpectrum, other: GroupSpectrum) -> None:  # noqa: ANN401 - the same
    at = frequencies(BINS)[FIRST_BIN:]
    apart = (other.mean - one.mean)[FIRST_BIN:]
    error = np.sqrt(one.spread**2 / one.count + other.spread**2 / other.count)[FIRST_BIN:]
    axes.axhline(0.0, color=_SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.fill_between(at, apart - 2 * error, apart + 2 * error, color=_INK, alpha=0.12, linewidth=0)
    axes.plot(at, apart, color=_INK, linewidth=1.4)
    single = min(one.count, other.count) == 1
    told = "a single image has no spread" if single else "band: two standard errors"
    _frame(axes, f"Second less first, log10; {told}")


def _frame(axes: Any, title: str) -> None:  # noqa: ANN401 - the same
    axes.set_title(title, fontsize=8.5, color=_SOFT)
    axes.set_xlim(0.0, 0.5)
    axes.set_xticks([0.0, 0.125, 0.25, 0.375, 0.5], ["0", "⅛", "¼", "⅜", "½ cycles a pixel"])
    axes.grid(visible=True, color="#e4e4df", linewidth=0.6)
    axes.tick_params(length=0, labelsize=7.5, labelcolor=_SOFT)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color("#bbbbb5")


def _short(name: str) -> str:
    last = name.rstrip("/").rpartition("/")[2]
    return last if len(last) <= 34 else f"{last[:16]}…{last[-17:]}"
