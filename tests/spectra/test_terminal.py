"""The plot of characters, read back dot by dot."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from forensic.spectra.terminal import braille_plot, levelled


def dots(lines: list[str], rows: int, columns: int) -> np.ndarray:
    """True where a dot is set: (4 rows, 2 columns)."""
    found = np.zeros((4 * rows, 2 * columns), dtype=bool)
    bits = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
    for row, line in enumerate(lines[:rows]):
        for column, character in enumerate(line[8:]):
            for y in range(4):
                for x in range(2):
                    found[4 * row + y, 2 * column + x] = bool((ord(character) - 0x2800) & bits[y][x])
    return found


@pytest.mark.parametrize(("columns", "rows"), [(64, 10), (16, 4), (8, 2)])
def test_straight_line_goes_from_corner_to_corner(columns: int, rows: int) -> None:
    found = dots(braille_plot(-np.arange(64.0), columns=columns, rows=rows), rows, columns)
    heights = [np.flatnonzero(found[:, x]) for x in range(found.shape[1])]
    drawn = [height for height in heights if len(height)]
    assert drawn[0].min() == 0
    assert drawn[-1].max() == 4 * rows - 1
    assert all(b.min() >= a.min() for a, b in itertools.pairwise(drawn))


def test_every_column_behind_the_first_bins_is_drawn() -> None:
    profile = np.random.default_rng(0).normal(size=64)
    found = dots(braille_plot(profile, columns=32, rows=6), 6, 32)
    assert found[:, 3:].any(axis=0).all()
    assert not found[:, :2].any()


def test_scale_is_told() -> None:
    lines = braille_plot(np.linspace(5.0, 1.0, 64), columns=32, rows=6, low=0.0, high=6.0)
    assert lines[0].startswith("   6.0 │")
    assert lines[5].startswith("   0.0 │")
    assert lines[-1].split() == ["0", "0.25", "0.5", "cycles", "a", "pixel"]
    assert all(line.isprintable() for line in lines)


def test_even_profile_is_drawn() -> None:
    assert dots(braille_plot(np.ones(64)), 10, 64).any()


def test_levelled_takes_the_common_fall_out() -> None:
    fall = 5.0 - 2.0 * np.log10(np.maximum(np.arange(64), 1))
    np.testing.assert_allclose(levelled(fall), np.full(64, 5.0), atol=1e-12)
