"""Spectra as a figure, PNG or SVG, by matplotlib: a row for each image, and one for the mean of several."""

from __future__ import annotations

import warnings
from typing import IO, TYPE_CHECKING, Any

from forensic.errors import MissingError
from forensic.spectra.export import VIEWS
from forensic.spectra.image import AROUND_ZERO, colours
from forensic.spectra.profile import frequencies
from forensic.spectra.reading import BINS, GroupSpectrum, ImageSpectrum, group_spectrum

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

MOST_ROWS = 12
"""Images that get a row of their own; further ones count in the mean only, and the figure says so."""
FIRST_BIN = 2
"""Bins 0 and 1 are the brightness and its slope, far above the rest."""
TITLES = {
    "fft": "Fourier, log |F|\n0 in the middle",
    "dct": "DCT, log magnitude\n0 at the corner",
    "autocorrelation": "Autocorrelation\nof the residual",
    "radial": "Azimuthal mean of |F|²\nlog10, cycles a pixel",
}
_INK, _SOFT, _LINE = "#1b1d20", "#565c64", "#0a6a5e"


def write_figure(
    spectra: Sequence[ImageSpectrum],
    kinds: Sequence[str],
    stream: IO[bytes],
    *,
    form: str,
    told: Callable[[str], str],
) -> None:
    """Draw the figure; the same bytes for the same spectra and library.

    Args:
        spectra: one or more.
        kinds: what to draw, of `export.KINDS`.
        stream: where to.
        form: `png` or `svg`.
        told: makes a file's name fit to be shown.

    Raises:
        MissingError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra; only figures need it
        from matplotlib.figure import Figure  # noqa: PLC0415 - the same
    except ImportError as error:
        remedy = "Install it with `pip install matplotlib`, or write .html, .json or .npz"
        raise MissingError("matplotlib", "is not installed, and figures need it", remedy) from error

    group = group_spectrum(spectra) if len(spectra) > 1 else None
    rows = list(spectra[:MOST_ROWS])
    count = len(rows) + (group is not None)
    plain = [kind for kind in kinds if kind in VIEWS]
    wide = ["radial"] if "radial" in kinds else []
    widths = [1.0] * (1 + len(plain)) + [1.75] * len(wide)
    settings: Any = {"svg.hashsalt": "forensic", "svg.fonttype": "path", "font.size": 8.5, "font.family": "sans-serif"}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a name in a script the font lacks
        figure = Figure(figsize=(2.1 * sum(widths) + 0.4, 2.25 * count + 0.75), layout="constrained", facecolor="white")
        grid = figure.subplots(count, len(widths), squeeze=False, width_ratios=widths)
        scales = {kind: _scale(group or rows[0], kind) for kind in plain}
        limits = _limits(spectra, group)
        for axes, spectrum in zip(grid, rows, strict=False):
            axes[0].imshow(spectrum.preview, interpolation="nearest")
            _name(axes[0], told(spectrum.name), f"{spectrum.width} × {spectrum.height}, {_tiles(spectrum.tiles)}")
            _views(axes[1:], spectrum, plain, scales)
            if wide:
                _radial(axes[-1], spectrum.profile, None, limits, group)
        if group is not None:
            axes = grid[-1]
            axes[0].axis("off")
            shown = f", {len(rows)} shown" if len(rows) < group.count else ""
            axes[0].text(
                0.0,
                0.5,
                f"Mean of {group.count}{shown}\nband: one spread",
                transform=axes[0].transAxes,
                color=_INK,
                fontsize=9,
            )
            _views(axes[1:], group, plain, scales)
            if wide:
                _radial(axes[-1], group.mean, group.spread, limits, None)
        for axes, kind in zip(grid[0][1:], [*plain, *wide], strict=True):
            axes.set_title(TITLES[kind], fontsize=8.5, color=_SOFT)
        figure.supxlabel(
            spectra[0].done.partition(":")[0] + f", {spectra[0].channel}, mean over tiles", fontsize=7.5, color=_SOFT
        )
        metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        figure.savefig(stream, format=form, dpi=150, metadata=metadata)


def _tiles(count: int) -> str:
    return "1 tile" if count == 1 else f"{count} tiles"


def _scale(spectrum: ImageSpectrum | GroupSpectrum, kind: str) -> tuple[float, float]:
    """One colour scale a kind, for all rows."""
    import numpy as np  # noqa: PLC0415 - beside its only use

    values = getattr(spectrum, VIEWS[kind])
    if kind == "autocorrelation":
        return AROUND_ZERO
    return float(np.quantile(values, 0.005)), float(np.quantile(values, 0.995))


def _limits(spectra: Sequence[ImageSpectrum], group: GroupSpectrum | None) -> tuple[float, float]:
    lows = [float(spectrum.profile[FIRST_BIN:].min()) for spectrum in spectra]
    highs = [float(spectrum.profile[FIRST_BIN:].max()) for spectrum in spectra]
    if group is not None:
        lows.append(float((group.mean - group.spread)[FIRST_BIN:].min()))
        highs.append(float((group.mean + group.spread)[FIRST_BIN:].max()))
    return min(lows) - 0.2, max(highs) + 0.2


def _views(
    axes: Sequence[Any],
    spectrum: ImageSpectrum | GroupSpectrum,
    kinds: Sequence[str],
    scales: dict[str, tuple[float, float]],
) -> None:
    for place, kind in zip(axes, kinds, strict=False):
        pixels = colours(getattr(spectrum, VIEWS[kind]), *scales[kind], signed=kind == "autocorrelation")
        place.imshow(pixels, interpolation="nearest")
        place.set_xticks([])
        place.set_yticks([])
        for spine in place.spines.values():
            spine.set_visible(False)


def _name(axes: Any, name: str, about: str) -> None:  # noqa: ANN401 - axes of a library that may be absent
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    short = name.rpartition("/")[2]
    short = short if len(short) <= 34 else f"{short[:16]}…{short[-17:]}"
    label = axes.set_xlabel(f"{short}\n{about}", fontsize=7.5, color=_INK)
    label.set_parse_math(False)


def _radial(
    axes: Any,  # noqa: ANN401 - axes of a library that may be absent
    profile: npt.NDArray[np.floating],
    spread: npt.NDArray[np.float64] | None,
    limits: tuple[float, float],
    group: GroupSpectrum | None,
) -> None:
    at = frequencies(BINS)[FIRST_BIN:]
    if group is not None:
        axes.plot(at, group.mean[FIRST_BIN:], color=_SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
    if spread is not None:
        low, high = (profile - spread)[FIRST_BIN:], (profile + spread)[FIRST_BIN:]
        axes.fill_between(at, low, high, color=_LINE, alpha=0.16, linewidth=0)
    axes.plot(at, profile[FIRST_BIN:], color=_LINE, linewidth=1.4)
    axes.set_xlim(0.0, 0.5)
    axes.set_ylim(*limits)
    axes.set_xticks([0.0, 0.125, 0.25, 0.375, 0.5], ["0", "⅛", "¼", "⅜", "½"])
    axes.grid(visible=True, color="#e4e4df", linewidth=0.6)
    axes.tick_params(length=0, labelsize=7.5, labelcolor=_SOFT)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color("#bbbbb5")
