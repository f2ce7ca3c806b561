"""A profile drawn with characters: two by four dots in each, as braille has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each dot: row from the top, column from the left."""
_EMPTY = 0x2800
FIRST_BIN = 2
"""Bins 0 and 1 are the brightness and its slope, far above the rest; not drawn."""


def levelled(profile: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """A profile plus 2 log10 r, (R,): the fall that all photographs share is taken out, and small steps show.

    Bin 0 keeps its value; no plot draws it.
    """
    values = np.asarray(profile, dtype=np.float64)
    return values + 2.0 * np.log10(np.maximum(np.arange(len(values)), 1))


def braille_plot(
    profile: npt.NDArray[np.floating],
    *,
    columns: int = 64,
    rows: int = 10,
    low: float | None = None,
    high: float | None = None,
) -> list[str]:
    """A curve over cycles a pixel, with its scale at the left and its frequencies below.

    Args:
        profile: (R,) log10 of power, bin r at r / 2R cycles a pixel.
        columns: characters of the plot itself, at least 8.
        rows: lines of the plot itself, at least 2.
        low: value at the bottom; the least one when None.
        high: value at the top; the greatest one when None.

    Returns:
        Lines without a line end, all printable.
    """
    values = np.asarray(profile, dtype=np.float64)
    bottom = float(values[FIRST_BIN:].min()) if low is None else low
    top = float(values[FIRST_BIN:].max()) if high is None else high
    across = np.arange(2 * columns) / (2 * columns - 1) * (len(values) - 1)
    heights = np.interp(across, np.arange(len(values)), values)
    shares = np.clip((heights - bottom) / max(top - bottom, 1e-12), 0.0, 1.0)
    levels = np.rint((1.0 - shares) * (4 * rows - 1)).astype(int)
    cells = np.zeros((rows, columns), dtype=int)
    first_column = int(np.searchsorted(across, FIRST_BIN))
    before = int(levels[first_column])
    for x in range(first_column, 2 * columns):
        level = int(levels[x])
        first, last = sorted((before, level))
        for y in range(first + (first != last and first == before), last + 1 - (first != last and last == before)):
            cells[y // 4, x // 2] |= _DOTS[y % 4][x % 2]
        before = level
    labels = [""] * rows
    labels[0], labels[-1] = f"{top:.1f}", f"{bottom:.1f}"
    lines = [
        f"{label:>6} │{''.join(chr(_EMPTY + cell) for cell in row)}" for label, row in zip(labels, cells, strict=True)
    ]
    return [*lines, f"{'':>6} └{'─' * columns}", _frequencies(columns)]


def _frequencies(columns: int) -> str:
    line = [" "] * (columns + 12)
    for share, told in ((0.0, "0"), (0.5, "0.25"), (1.0, "0.5 cycles a pixel")):
        at = (
            8 + round(share * (columns - 1)) - (len(told) // 2 if 0.0 < share < 1.0 else 0) - (2 if share == 1.0 else 0)
        )
        for offset, character in enumerate(told):
            if at + offset < len(line):
                line[at + offset] = character
            else:
                line.append(character)
    return "".join(line).rstrip()
