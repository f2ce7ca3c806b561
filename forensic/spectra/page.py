"""Spectra as one HTML page: pictures inside it, curves as SVG, no script, no network."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib import resources
from typing import IO, TYPE_CHECKING

from forensic.spectra.export import TOLD, VIEWS
from forensic.spectra.image import AROUND_ZERO, colours, png
from forensic.spectra.profile import frequencies
from forensic.spectra.reading import BINS, GroupSpectrum, ImageSpectrum, group_spectrum

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

FIRST_BIN = 2
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 440, 206, 26, 24
_NAMES = {"fft": "Fourier spectrum", "dct": "DCT, what the model sees", "autocorrelation": "Autocorrelation"}


def write_html(
    spectra: Sequence[ImageSpectrum], kinds: Sequence[str], stream: IO[bytes], *, told: Callable[[str], str]
) -> None:
    """Write the page; the same bytes for the same spectra.

    Args:
        spectra: one or more; each gets a section.
        kinds: what to show, of `export.KINDS`.
        stream: where to.
        told: makes a file's name fit to be shown; it is escaped here.
    """
    style = resources.files("forensic.spectra").joinpath("page.css").read_text(encoding="utf-8")
    group = group_spectrum(spectra) if len(spectra) > 1 else None
    scale = _Scale(spectra, group)
    title = told(spectra[0].name) if group is None else f"{group.count} images"
    head = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    frame = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta http-equiv="Content-Security-Policy" content="'
        f"default-src 'none'; style-src 'sha256-{head}'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>Spectrum: {escape(title)}</title>\n'
        f"<style>{style}</style>\n</head>\n<body>\n<h1>Spectrum: {escape(title)}</h1>\n"
        f'<p class="soft">{escape(spectra[0].done.partition(":")[0])}: tiles of 128 px at native resolution, '
        f"{escape(spectra[0].channel)}, mean over tiles. One colour scale and one axis for all images here.</p>\n"
    )
    stream.write(frame.encode())
    if group is not None:
        stream.write(
            _section(f"Mean of {group.count} images", "Shaded: one spread (standard deviation).", group, kinds, scale)
        )
    for spectrum in spectra:
        tiles = "1 tile" if spectrum.tiles == 1 else f"{spectrum.tiles} tiles"
        facts = [spectrum.format, f"{spectrum.width} × {spectrum.height} px", tiles, *spectrum.flags]
        stream.write(_section(told(spectrum.name), " · ".join(map(told, facts)), spectrum, kinds, scale))
    stream.write(b"</body>\n</html>\n")


class _Scale:
    """What all sections share: a colour scale for each kind, an axis for the curves, the mean to draw them against."""

    def __init__(self, spectra: Sequence[ImageSpectrum], group: GroupSpectrum | None) -> None:
        first = group or spectra[0]
        self.group = group
        self.colours = {kind: _ends(getattr(first, field), kind) for kind, field in VIEWS.items()}
        lows = [float(spectrum.profile[FIRST_BIN:].min()) for spectrum in spectra]
        highs = [float(spectrum.profile[FIRST_BIN:].max()) for spectrum in spectra]
        self.low, self.high = min(lows) - 0.2, max(highs) + 0.2

    def point(self, frequency: float, value: float) -> str:
        x = _LEFT + (_WIDTH - _LEFT) * frequency / 0.5
        y = (_HEIGHT - _BOTTOM) * (self.high - min(max(value, self.low), self.high)) / (self.high - self.low)
        return f"{x:.1f} {y:.1f}"


def _ends(values: npt.NDArray[np.float64], kind: str) -> tuple[float, float]:
    if kind == "autocorrelation":
        return AROUND_ZERO
    ordered = sorted(values.ravel().tolist())
    cut = len(ordered) // 200
    return ordered[cut], ordered[-1 - cut]


def _section(
    name: str, about: str, spectrum: ImageSpectrum | GroupSpectrum, kinds: Sequence[str], scale: _Scale
) -> bytes:
    figures = []
    if isinstance(spectrum, ImageSpectrum):
        figures.append(_picture(png(spectrum.preview), "The image", "photo", "The image"))
    for kind in kinds:
        if kind in VIEWS:
            view = png(colours(getattr(spectrum, VIEWS[kind]), *scale.colours[kind], signed=kind == "autocorrelation"))
            figures.append(_picture(view, _NAMES[kind], "", f"{_NAMES[kind]}: {TOLD[kind]}"))
        else:
            figures.append(_radial(spectrum, scale))
    return (
        f'<section><h2>{escape(name)}</h2>\n<p class="soft">{escape(about)}</p>\n'
        f'<div class="views">{"".join(figures)}</div></section>\n'
    ).encode()


def _picture(data: bytes, alternative: str, kind: str, caption: str) -> str:
    source = base64.b64encode(data).decode("ascii")
    return (
        f'<figure><img class="{kind}" alt="{escape(alternative)}" src="data:image/png;base64,{source}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>\n"
    )


def _radial(spectrum: ImageSpectrum | GroupSpectrum, scale: _Scale) -> str:
    at = frequencies(BINS).tolist()
    profile = (spectrum.profile if isinstance(spectrum, ImageSpectrum) else spectrum.mean).tolist()
    shapes = [_axes(scale)]
    if isinstance(spectrum, GroupSpectrum):
        upper = [m + s for m, s in zip(profile, spectrum.spread.tolist(), strict=True)]
        lower = [m - s for m, s in zip(profile, spectrum.spread.tolist(), strict=True)]
        around = _points(at, upper, scale) + _points(at, lower, scale)[::-1]
        shapes.append(f'<path class="area" d="M{"L".join(around)}Z"/>')
    elif scale.group is not None:
        shapes.append(f'<path class="group" d="M{"L".join(_points(at, scale.group.mean.tolist(), scale))}"/>')
    shapes.append(f'<path class="curve" d="M{"L".join(_points(at, profile, scale))}"/>')
    told = f"log10 of radial power: {profile[FIRST_BIN]:.2f} at 1/64 and {profile[-1]:.2f} at 63/128 cycles a pixel"
    dashed = " Dashed: the mean of all." if scale.group is not None and isinstance(spectrum, ImageSpectrum) else ""
    return (
        f'<figure class="wide"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{told}">'
        f"{''.join(shapes)}</svg>"
        f"<figcaption>Azimuthal mean over cycles a pixel: {escape(TOLD['radial'])}.{dashed}</figcaption></figure>\n"
    )


def _points(at: list[float], values: list[float], scale: _Scale) -> list[str]:
    return [scale.point(f, v) for f, v in zip(at[FIRST_BIN:], values[FIRST_BIN:], strict=True)]


def _axes(scale: _Scale) -> str:
    parts = []
    for frequency, name, anchor in (
        (0, "0", "start"),
        (0.125, "0.125", "middle"),
        (0.25, "0.25", "middle"),
        (0.375, "0.375", "middle"),
        (0.5, "0.5", "end"),
    ):
        x = _LEFT + (_WIDTH - _LEFT) * frequency / 0.5
        parts.append(f'<path class="grid" d="M{x:.0f} 0V{_HEIGHT - _BOTTOM}"/>')
        parts.append(f'<text x="{x:.0f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{name}</text>')
    value = int(scale.low) + (scale.low > 0)
    while value <= scale.high:
        y = float(scale.point(0.0, value).split()[1])
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
        value += 1
    return "".join(parts)
