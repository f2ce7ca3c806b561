"""Profiles: against the golden double sum, a plain loop, and numpy's own statistics."""

from __future__ import annotations

import json
from pathlib import Path

import formulas
import numpy as np
import pytest

from forensic.spectra.profile import LEAST_POWER, RunningSpread, channel_planes, frequencies, log_profiles, log_radial

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "spectrum.json").read_text())
LUMINANCE = (0.299, 0.587, 0.114)


def as_tiles(plane: np.ndarray) -> np.ndarray:
    return np.repeat(plane[None, None], 3, axis=1)


@pytest.mark.parametrize("side", [16, 32])
def test_profile_of_the_formula_image_is_the_golden_one(side: int) -> None:
    golden = GOLDEN["profiles"][f"A{side}"]
    planes = channel_planes(as_tiles(formulas.image_u8(2, 1, side, side)[0]), "red")
    power = 10.0 ** log_profiles(planes)[0]
    np.testing.assert_allclose(power, golden["floor"]["power_mean"], rtol=1e-11)


@pytest.mark.parametrize("side", [16, 32])
def test_profile_of_two_cosines_has_power_where_they_are(side: int) -> None:
    golden = GOLDEN["profiles"][f"B{side}"]["floor"]["power_mean"]
    y, x = np.mgrid[:side, :side] / side
    plane = 0.5 + 0.25 * np.cos(2 * np.pi * (3 * x + 2 * y)) + 0.125 * np.sin(2 * np.pi * 5 * y)
    found = log_profiles(plane[None])[0]
    np.testing.assert_allclose(found, np.log10(np.maximum(golden, LEAST_POWER)), atol=1e-10)


def test_log_radial_is_the_mean_over_tiles_of_the_logarithm() -> None:
    tiles = np.random.default_rng(7).integers(0, 256, (3, 3, 128, 128), dtype=np.uint8)
    yy, xx = np.mgrid[:128, :128]
    radius = np.floor(np.hypot((yy + 64) % 128 - 64, (xx + 64) % 128 - 64)).astype(int)
    logs = []
    for tile in tiles:
        plane = sum(w * tile[i].astype(np.float64) / 255 for i, w in enumerate(LUMINANCE))
        power = np.abs(np.fft.fft2(plane)) ** 2
        logs.append([np.log10(power[radius == r].mean()) for r in range(64)])
    profile = log_radial(tiles)
    assert profile.dtype == np.float32
    np.testing.assert_allclose(profile, np.mean(logs, axis=0), atol=1e-6)


def test_even_tile_ends_at_the_least_power_everywhere_but_in_the_mean() -> None:
    profile = log_radial(np.full((2, 3, 128, 128), 77, np.uint8))
    assert profile[0] == pytest.approx(2 * np.log10(77 / 255 * 128 * 128), abs=1e-5)
    assert set(profile[1:].tolist()) == {-8.0}


def test_one_level_in_one_blue_pixel_is_above_the_least_power() -> None:
    tiles = np.full((1, 3, 128, 128), 77, np.uint8)
    tiles[0, 2, 5, 9] += 1
    assert log_radial(tiles)[1:].min() == pytest.approx(2 * np.log10(0.114 / 255), abs=1e-4)


def test_tiles_are_not_written_to_and_any_strides_give_the_same() -> None:
    wide = np.random.default_rng(3).integers(0, 256, (2, 3, 128, 256), dtype=np.uint8)
    view = wide[..., ::2]
    before = wide.copy()
    np.testing.assert_array_equal(log_radial(view), log_radial(np.ascontiguousarray(view)))
    np.testing.assert_array_equal(wide, before)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_channel_is_read_alone(channel: int) -> None:
    tiles = np.random.default_rng(1).integers(0, 256, (1, 3, 8, 8), dtype=np.uint8)
    plane = channel_planes(tiles, ("red", "green", "blue")[channel])
    np.testing.assert_allclose(plane[0], tiles[0, channel] / 255.0, rtol=1e-15)


@pytest.mark.parametrize(
    ("tiles", "channel", "error", "message"),
    [
        (np.zeros((1, 3, 8, 8), np.float32), "red", TypeError, "tiles: expected uint8, got float32"),
        (np.zeros((3, 8, 8), np.uint8), "red", ValueError, r"tiles: expected \(T, 3, H, W\), got \(3, 8, 8\)"),
        (np.zeros((1, 3, 8, 8), np.uint8), "grey", ValueError, "channel: expected one of luminance"),
    ],
)
def test_wrong_arguments_are_named(tiles: np.ndarray, channel: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        channel_planes(tiles, channel)


def test_no_tile_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one tile"):
        log_radial(np.zeros((0, 3, 128, 128), np.uint8))


def test_frequencies_are_cycles_a_pixel() -> None:
    found = frequencies(64)
    assert found[0] == 0.0
    assert found[32] == 0.25
    assert found[63] == 63 / 128


@pytest.mark.parametrize("count", [1, 2, 9])
def test_running_spread_is_numpy_s(count: int) -> None:
    profiles = np.random.default_rng(count).normal(3.0, 2.0, (count, 64))
    running = RunningSpread(64)
    for profile in profiles:
        running.add(profile)
    np.testing.assert_allclose(running.mean, profiles.mean(axis=0), rtol=1e-12)
    expected = profiles.std(axis=0, ddof=1) if count > 1 else np.zeros(64)
    np.testing.assert_allclose(running.spread, expected, rtol=1e-12)


def test_running_spread_refuses_another_length_and_nothing() -> None:
    running = RunningSpread(4)
    with pytest.raises(ValueError, match=r"expected shape \(4,\), got \(5,\)"):
        running.add(np.zeros(5))
    with pytest.raises(ValueError, match="nothing was added"):
        _ = running.mean
