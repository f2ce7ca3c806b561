"""Figures of a page as SVG: numbers to shapes. Colours and strokes are the style sheet's.

Coordinates are rounded, so that the same numbers give the same characters. Text that comes in is escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from forensic.metrics.reliability import Bin

    Floats = NDArray[np.float64]

WIDTH, HEIGHT = 440, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 424, 10, 278
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
BINS = 40
_LONG = 800
"""Points from which on a curve is drawn more coarsely."""
MARKS = {
    "disc": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z",
    "square": "M-3.6-3.6H3.6V3.6H-3.6Z",
    "diamond": "M0-4.6 4.6 0 0 4.6-4.6 0Z",
    "triangle": "M0-4.6 4.6 3.4-4.6 3.4Z",
    "cross": "M-3.6-3.6 3.6 3.6M3.6-3.6-3.6 3.6",
    "plus": "M-4.4 0H4.4M0-4.4V4.4",
}
"""Marks of a scatter, around (0, 0)."""


@dataclass(frozen=True)
class Axis:
    """One axis of a figure: what it says, its ends, and where it is ticked."""

    name: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    @classmethod
    def shares(cls, name: str) -> Axis:
        """From 0 to 100 %."""
        return cls(name, 0.0, 1.0, tuple((value, f"{100 * value:.0f}") for value in SHARES))

    @classmethod
    def over(cls, name: str, values: Iterable[float]) -> Axis:
        """Over values, with ticks at round numbers."""
        finite = [value for value in values if np.isfinite(value)] or [0.0]
        low, high = min(finite), max(finite)
        if high - low <= 1e-9 * max(1.0, abs(low), abs(high)):
            low, high = low - 0.5, high + 0.5
        step = 10.0 ** np.floor(np.log10((high - low) / 4))
        step *= next((factor for factor in (1.0, 2.0, 5.0) if (high - low) / (step * factor) <= 6), 10.0)
        first, last = int(np.ceil(low / step)), int(np.floor(high / step))
        return cls(name, low, high, tuple((number * step, f"{number * step:.6g}") for number in range(first, last + 1)))

    def share(self, value: float) -> float:
        """Where a value stands between the ends, held within them."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


@dataclass(frozen=True)
class Line:
    """A line of a figure."""

    kind: str
    """Class of the style sheet: `line l0` to `line l6`."""
    x: Floats
    y: Floats
    dots: bool = False


def lines(
    told: str,
    x: Axis,
    y: Axis,
    drawn: Sequence[Line],
    *,
    points: Sequence[tuple[str, float, float]] = (),
    upright: float | None = None,
    diagonal: bool = False,
) -> Markup:
    """Lines over two axes.

    Args:
        told: says what the figure shows, for those who do not see it.
        x: axis to the right.
        y: axis upwards.
        drawn: the lines, the last on top.
        points: (class of the style sheet, x, y) of single marks.
        upright: where a line from bottom to top marks a threshold.
        diagonal: the line from corner to corner, for what chance would give.
    """
    shapes = [_grid(x, y)]
    if diagonal:
        shapes.append(Markup('<path class="chance" d="M{} {}L{} {}"/>').format(_LEFT, _BOTTOM, _RIGHT, _TOP))
    if upright is not None and x.low <= upright <= x.high:
        shapes.append(Markup('<path class="limit" d="M{} {}V{}"/>').format(_across(x, upright), _TOP, _BOTTOM))
    for line in drawn:
        path = _path(line.x, line.y, x, y)
        shapes.append(Markup('<path class="{}" d="{}"/>').format(line.kind, path))
        if line.dots:
            shapes += [
                _mark(line.kind.replace("line", "mark disc"), x, y, *at) for at in zip(line.x, line.y, strict=True)
            ]
    shapes += [_mark(kind, x, y, *at) for kind, *at in points]
    return _drawing(told, shapes)


def histogram(
    told: str,
    x: Axis,
    above: Sequence[tuple[str, Sequence[float]]],
    below: tuple[str, Sequence[float]],
    upright: float | None = None,
) -> Markup:
    """Two histograms back to back on one axis, each in shares of its own images.

    Args:
        told: says what the figure shows.
        x: axis of the values; what lies outside goes into the outermost bins.
        above: (class of the style sheet, values), stacked, upwards.
        below: the same, downwards.
        upright: a threshold.
    """
    edges = np.linspace(x.low, x.high, BINS + 1)

    def counted(values: Sequence[float], total: int) -> Floats:
        held = np.clip(np.asarray(values, dtype=np.float64), x.low, x.high)
        shares: Floats = np.histogram(held, edges)[0] / max(1, total)
        return shares

    total = sum(len(values) for _, values in above)
    stacks = [(kind, counted(values, total)) for kind, values in above]
    under = counted(below[1], len(below[1]))
    peak = max(float(np.sum([shares for _, shares in stacks], axis=0).max()), float(under.max())) or 1.0
    y = Axis("share of the known, of the unknown", -peak, peak, ())
    shapes = [_grid(x, y)]
    floor = np.zeros(BINS)
    for kind, shares in stacks:
        shapes.append(_bars(kind, edges, floor, floor + shares, x, y))
        floor = floor + shares
    shapes.append(_bars(below[0], edges, np.zeros(BINS), -under, x, y))
    shapes.append(Markup('<path class="edge" d="M{} {}H{}"/>').format(_LEFT, _up(y, 0.0), _RIGHT))
    for value, name in ((peak, f"{100 * peak:.0f} %"), (-peak, f"{100 * peak:.0f} %")):
        shapes.append(_label(_LEFT - 6, _up(y, value) + (9 if value > 0 else 0), name, "end"))
    if upright is not None:
        shapes.append(Markup('<path class="limit" d="M{} {}V{}"/>').format(_across(x, upright), _TOP, _BOTTOM))
    return _drawing(told, shapes)


def reliability(told: str, rows: Sequence[Bin]) -> Markup:
    """Accuracy over confidence in bins, against the diagonal on which a calibrated model lies.

    Args:
        told: says what the figure shows.
        rows: the bins; empty ones are left out.
    """
    x, y = Axis.shares("largest softmax, %"), Axis.shares("accuracy, %")
    shapes = [_grid(x, y)]
    filled = [row for row in rows if row.accuracy is not None and row.confidence is not None]
    most = max((row.n for row in filled), default=1)
    for row in filled:
        left, right = _across(x, row.low) + 1, _across(x, row.high) - 1
        shapes.append(
            Markup('<path class="bar {}" d="M{} {}V{}H{}V{}Z"/>').format(
                "many" if row.n >= most / 20 else "few", left, _BOTTOM, _up(y, row.accuracy or 0.0), right, _BOTTOM
            )
        )
    shapes.append(Markup('<path class="chance" d="M{} {}L{} {}"/>').format(_LEFT, _BOTTOM, _RIGHT, _TOP))
    shapes += [_mark("mark disc l0", x, y, row.confidence or 0.0, row.accuracy or 0.0) for row in filled]
    return _drawing(told, shapes)


def scatter(
    told: str, points: Sequence[tuple[str, float, float]], labels: Sequence[tuple[str, float, float]]
) -> Markup:
    """Marks in a square without axes.

    Args:
        told: says what the figure shows.
        points: (`mark SHAPE CLASS`, x, y), x and y in [0, 1].
        labels: (text, x, y), drawn on top.
    """
    side = WIDTH - 16
    place = [(kind, 8 + side * x, 8 + side * (1 - y)) for kind, x, y in points]
    shapes = [_used(kind, x, y) for kind, x, y in place]
    for name, x, y in labels:
        at = (8 + side * x, 8 + side * (1 - y) + 5)
        shapes.append(
            Markup('<text class="name" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                *map(_short, at), escape(name)
            )
        )
    return _drawing(told, shapes, height=WIDTH)


def definitions() -> Markup:
    """The shapes that marks refer to; once in a page."""
    symbols = Markup("").join(Markup('<path id="{}" d="{}"/>').format(*entry) for entry in MARKS.items())
    return Markup('<svg class="store" width="0" height="0" aria-hidden="true"><defs>{}</defs></svg>\n').format(symbols)


def _drawing(told: str, shapes: Iterable[Markup], height: int = HEIGHT) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, height, told, Markup("").join(shapes)
    )


def _grid(x: Axis, y: Axis) -> Markup:
    parts = []
    for value, name in x.ticks:
        at = _across(x, value)
        parts.append(Markup('<path class="grid" d="M{} {}V{}"/>').format(at, _TOP, _BOTTOM))
        parts.append(_label(at, _BOTTOM + 15, name, "middle"))
    for value, name in y.ticks:
        at = _up(y, value)
        parts.append(Markup('<path class="grid" d="M{} {}H{}"/>').format(_LEFT, at, _RIGHT))
        parts.append(_label(_LEFT - 6, at + 4, name, "end"))
    middle = (_TOP + _BOTTOM) // 2
    parts.append(_label((_LEFT + _RIGHT) // 2, HEIGHT - 8, x.name, "middle"))
    parts.append(
        Markup('<text x="12" y="{}" text-anchor="middle" transform="rotate(-90 12 {})">{}</text>').format(
            middle, middle, y.name
        )
    )
    return Markup("").join(parts)


def _label(x: float, y: float, name: str, anchor: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(_short(x), _short(y), anchor, name)


def _bars(kind: str, edges: Floats, low: Floats, high: Floats, x: Axis, y: Axis) -> Markup:
    parts = []
    for place in np.flatnonzero(high != low):
        left, right = _across(x, edges[place]), _across(x, edges[place + 1])
        parts.append(f"M{left} {_up(y, low[place])}V{_up(y, high[place])}H{right}V{_up(y, low[place])}Z")
    return Markup('<path class="{}" d="{}"/>').format(kind, "".join(parts))


def _mark(kind: str, x: Axis, y: Axis, *at: float) -> Markup:
    return _used(kind, _across(x, at[0]), _up(y, at[1]))


def _used(kind: str, x: float, y: float) -> Markup:
    return Markup('<use class="{}" href="#{}" x="{}" y="{}"/>').format(kind, kind.split()[1], _short(x), _short(y))


def _path(across: Floats, up: Floats, x: Axis, y: Axis) -> str:
    """Straight lines through the points; what rounds to the point before, or lies on the way to the next, is left out.

    Long curves are rounded to half a unit, which bounds their length.
    """
    grid = 10 if len(across) <= _LONG else 2
    kept: list[tuple[int, int]] = []
    for at in zip(across.tolist(), up.tolist(), strict=True):
        point = round(grid * _across(x, at[0])), round(grid * _up(y, at[1]))
        if kept and point == kept[-1]:
            continue
        if len(kept) > 1 and any(kept[-2][axis] == kept[-1][axis] == point[axis] for axis in (0, 1)):
            kept.pop()  # on one level, or one above the other: monotone curves never turn back there
        kept.append(point)
    told = "L".join(f"{_short(left / grid)} {_short(top / grid)}" for left, top in kept)
    return f"M{told}" if told else ""


def _across(x: Axis, value: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * x.share(value), 1)


def _up(y: Axis, value: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * y.share(value), 1)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
