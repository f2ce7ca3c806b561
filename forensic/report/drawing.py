"""The two small drawings of a row: a score on its scale, a spectrum against a class. Pure numbers to SVG.

Colours, strokes and sizes are the style sheet's; a drawing holds shapes only, so that one page serves light, dark
and paper. No text from evidence comes in here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCALE_WIDTH = 200
"""Of the score's drawing, in its own units; 8 of them are kept free on each side for the mark."""
PLOT_WIDTH, PLOT_HEIGHT = 640, 244
"""Of the spectrum's drawing; 10 units a bin of 64. A height with what may reach beyond it fits in a byte."""
OVERSHOOT = 5
"""How far a curve may leave the drawing at its edges, so that the eye sees it leave."""
FIRST_BIN = 2
"""Bins 0 and 1 are the brightness and its slope over the tile: nothing of a generator, and far above the rest."""

_LEVEL = (0.0, *(2.0 * math.log10(radius) for radius in range(1, 128)))


@dataclass(frozen=True)
class ScoreScale:
    """One scale for all scores of a case, so that rows compare by eye."""

    low: float
    high: float

    @classmethod
    def around(cls, scores: Sequence[float], thresholds: Iterable[float]) -> ScoreScale:
        """A scale that holds every threshold and all scores but the outermost 1 in 100 at each end."""
        ordered = sorted(scores)
        cut = len(ordered) // 100
        inner = ordered[cut : len(ordered) - cut]
        ends = [*inner[:1], *inner[-1:], *thresholds] or [0.0]
        low, high = min(ends), max(ends)
        margin = 0.06 * (high - low) or 1.0
        return cls(low - margin, high + margin)

    def place(self, value: float) -> int:
        """Where a value stands, 8 .. 192; what lies outside the scale stands at its end."""
        share = (value - self.low) / (self.high - self.low)
        return math.floor(8.5 + min(max(share, 0.0), 1.0) * (SCALE_WIDTH - 16))  # halves go up, as in JavaScript

    def holds(self, value: float) -> bool:
        """Whether the value lies on the scale; else it is drawn as an arrow at the end."""
        return self.low <= value <= self.high


def score_shape(score_at: int, state: str, *, on_scale: bool) -> str:
    """The mark of a score as a path: a disc for known, an open diamond for unknown, an arrow beyond the scale."""
    x = score_at
    if not on_scale:
        return f"M{x - 6} 8L{x - 6} 20L{x + 6} 14Z" if x > SCALE_WIDTH // 2 else f"M{x + 6} 8L{x + 6} 20L{x - 6} 14Z"
    if state == "known":
        return f"M{x - 6} 14a6 6 0 1 0 12 0a6 6 0 1 0-12 0Z"
    return f"M{x} 7L{x + 7} 14L{x} 21L{x - 7} 14Z"


def score_svg(threshold_at: int, mark: str, state: str) -> Markup:
    """A score on its scale: the line, its known side thicker, the threshold as an upright stroke, the mark."""
    return Markup(  # noqa: S704 - numbers and our own words
        f'<svg class="scale" viewBox="0 0 {SCALE_WIDTH} 28" aria-hidden="true"><path class="line" d="M4 14H196"/>'
        f'<path class="above" d="M{threshold_at} 14H196"/><path class="limit" d="M{threshold_at} 3V25"/>'
        f'<path class="mark {state}" d="{mark}"/></svg>'
    )


@dataclass(frozen=True)
class SpectrumScale:
    """One scale for all spectra: log10 of power times squared bin, which makes the fall of a photograph level."""

    bottom: float
    top: float

    @classmethod
    def over(
        cls, spectra: Mapping[str, tuple[Sequence[float], Sequence[float]]], levels: Sequence[tuple[float, float]] = ()
    ) -> SpectrumScale:
        """A scale that holds every class's mean and a spread to each side, and all images but the outermost 1 in 50.

        Args:
            spectra: class -> mean and spread.
            levels: least and greatest levelled value of each image; even images, far below all else, stretch the
                scale by two decades at most.
        """
        values = [
            levelled(mean[r] + side * spread[r], r)
            for mean, spread in spectra.values()
            for r in range(FIRST_BIN, len(mean))
            for side in (-1.0, 1.0)
        ]
        cut = len(levels) // 50
        lows, highs = sorted(low for low, _ in levels)[cut:], sorted((high for _, high in levels), reverse=True)[cut:]
        bottom, top = (min(values), max(values)) if values else (3.0, 6.0)
        if lows:
            bottom, top = min(bottom, max(lows[0], bottom - 2.0)), max(top, min(highs[0], top + 2.0))
        return cls(bottom - 0.2, top + 0.2)

    def points(self, profile: Sequence[float]) -> list[tuple[int, int]]:
        """(x, y) of each bin from `FIRST_BIN` on, in the drawing's units; y is held to `OVERSHOOT` beyond its edges."""
        step = PLOT_WIDTH / len(profile)
        return [(math.floor(step * (FIRST_BIN + n) + 0.5), y) for n, y in enumerate(self.heights(profile))]

    def heights(self, profile: Sequence[float]) -> list[int]:
        """The y of each point of `points`."""
        height = PLOT_HEIGHT / (self.top - self.bottom)
        return [
            round(min(max((self.top - levelled(profile[r], r)) * height, -OVERSHOOT), PLOT_HEIGHT + OVERSHOOT))
            for r in range(FIRST_BIN, len(profile))
        ]

    def curve(self, profile: Sequence[float]) -> str:
        """The profile as the data of a path."""
        return path_of(self.points(profile))

    def band(self, mean: Sequence[float], spread: Sequence[float]) -> str:
        """One spread to each side of the mean, as a closed path."""
        upper = self.points([m + s for m, s in zip(mean, spread, strict=True)])
        lower = self.points([m - s for m, s in zip(mean, spread, strict=True)])
        return path_of(upper + lower[::-1]) + "Z"


def level_range(profile: Sequence[float]) -> tuple[float, float]:
    """Least and greatest levelled value of a profile from `FIRST_BIN` on."""
    values = [levelled(profile[r], r) for r in range(FIRST_BIN, len(profile))]
    return min(values), max(values)


def levelled(log_power: float, radius: int) -> float:
    """log10 of power times squared radius."""
    return log_power + (_LEVEL[radius] if radius < len(_LEVEL) else 2.0 * math.log10(radius))


def path_of(points: Sequence[tuple[int, int]]) -> str:
    """Straight lines through the points: the first absolute, the others as steps, as short as SVG allows."""
    (x, y), rest = points[0], points[1:]
    parts = [f"M{x} {y}"]
    if rest:
        parts.append("l")
    for number, (to_x, to_y) in enumerate(rest):
        dx, dy = to_x - x, to_y - y
        gap = " " if number and dx >= 0 else ""
        parts.append(f"{gap}{dx}{dy}" if dy < 0 else f"{gap}{dx} {dy}")
        x, y = to_x, to_y
    return "".join(parts)


def spectrum_svg(curve: str, band: int | None, text: Markup) -> Markup:
    """A row's spectrum: axes and class band by reference, its own curve, and the text that says the same.

    Args:
        curve: data of the path, from `SpectrumScale.curve`.
        band: number of the class whose band is drawn; None where the case has no class spectra.
        text: the alternative text, escaped.
    """
    against = "" if band is None else f'<use href="#band-{band}"/>'
    return Markup(  # noqa: S704 - numbers, and a text that is escaped already
        f'<svg class="plot" viewBox="0 0 {PLOT_WIDTH} {PLOT_HEIGHT}" role="img" aria-label="{text}">'
        f'<use href="#axes"/>{against}<path class="own" d="{curve}"/></svg>'
    )


@dataclass(frozen=True)
class Departure:
    """How a spectrum lies to the mean of a class, over the bins that are drawn; numbers as they are told."""

    within: int
    bins: int
    largest: int
    """In hundredths of a decade of power, with its sign."""
    spreads: int
    """The same in tenths of the spread of the class there."""
    at: int
    """Where: the bin."""

    @property
    def frequency(self) -> int:
        """Where, in thousandths of a cycle a pixel."""
        width = 2 * (self.bins + FIRST_BIN)
        return (2000 * self.at + width) // (2 * width)


def departure(profile: Sequence[float], mean: Sequence[float], spread: Sequence[float]) -> Departure:
    """Compare a spectrum with mean and spread of a class, all of the same length."""
    gaps = {r: profile[r] - mean[r] for r in range(FIRST_BIN, len(profile))}
    widths = {r: max(spread[r], 1e-6) for r in gaps}
    worst = max(gaps, key=lambda r: (abs(gaps[r]) / widths[r], -r))
    return Departure(
        within=sum(abs(gap) <= widths[r] for r, gap in gaps.items()),
        bins=len(gaps),
        largest=round(100 * gaps[worst]),
        spreads=round(10 * abs(gaps[worst]) / widths[worst]),
        at=worst,
    )
