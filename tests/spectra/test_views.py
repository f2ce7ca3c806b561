"""Views against plain formulas."""

from __future__ import annotations

import numpy as np
import scipy.fft

from forensic.spectra.views import LEAST_MAGNITUDE, autocorrelation_view, dct_view, fourier_view


def planes(seed: int = 0, count: int = 3, height: int = 16, width: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).random((count, height, width))


def test_fourier_is_centred_and_the_mean_of_logarithms() -> None:
    tiles = planes()
    expected = np.zeros((16, 24))
    for tile in tiles:
        expected += np.log10(np.abs(np.fft.fftshift(np.fft.fft2(tile)))) / len(tiles)
    found = fourier_view(tiles)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found[8, 12] == found.max()


def test_fourier_of_one_wave_peaks_where_it_is() -> None:
    y, x = np.mgrid[:32, :32] / 32
    view = fourier_view((0.5 + 0.25 * np.cos(2 * np.pi * (5 * x + 3 * y)))[None])
    assert set(zip(*np.where(view > 0), strict=True)) == {(16, 16), (19, 21), (13, 11)}
    assert view[19, 21] == np.log10(0.125 * 32 * 32)
    assert view[0, 0] == np.log10(LEAST_MAGNITUDE)


def test_dct_is_scipy_s_of_the_network_s_input() -> None:
    tiles = planes(1, height=32, width=32)
    expected = np.log10(np.abs(scipy.fft.dctn(tiles * 2 - 1, axes=(1, 2), norm="ortho"))).mean(axis=0)
    np.testing.assert_allclose(dct_view(tiles), expected, atol=1e-9)


def test_autocorrelation_is_one_in_the_middle_and_symmetric() -> None:
    view = autocorrelation_view(planes(2, height=16, width=16))
    assert view[8, 8] == 1.0
    assert np.abs(view).max() <= 1.0 + 1e-12
    np.testing.assert_allclose(view[1:, 1:], view[:0:-1, :0:-1], atol=1e-12)


def test_what_repeats_every_four_pixels_shows_as_a_lattice() -> None:
    rng = np.random.default_rng(3)
    tile = np.tile(rng.random((4, 4)), (8, 8)) + 0.1 * rng.random((32, 32))
    view = autocorrelation_view(tile[None])
    lattice = view[::4, ::4]  # the middle is at (16, 16)
    others = np.delete(view.ravel(), [r * 32 + c for r in range(0, 32, 4) for c in range(0, 32, 4)])
    assert lattice.min() > 0.5
    assert lattice.min() > others.max()


def test_even_tile_has_nothing_to_correlate() -> None:
    view = autocorrelation_view(np.full((2, 16, 16), 0.3))
    assert view[8, 8] == 1.0
    assert np.count_nonzero(view) == 1
