"""One image to its spectra: any size, any channel, named failures, nothing written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

import forensic
from forensic.errors import Skipped, Unreadable
from forensic.spectra.reading import group_spectrum, read_spectrum


def test_whole_picture_is_read_in_tiles(samples: Path) -> None:
    spectrum = read_spectrum(samples / "full" / "real-1.png")
    assert (spectrum.width, spectrum.height, spectrum.format) == (640, 448, "PNG")
    assert 1 < spectrum.tiles <= 25
    assert spectrum.profile.shape == (64,)
    assert {spectrum.fourier.shape, spectrum.dct.shape, spectrum.autocorrelation.shape} == {(128, 128)}
    assert max(spectrum.preview.shape) <= 512
    assert spectrum.done.startswith(f"tiles-128-v1: {spectrum.tiles} tiles of 128 px at native resolution, luminance")


def test_single_tile_is_the_image_itself(samples: Path) -> None:
    path = samples / "real-00006.png"
    pixels = cv2.imread(str(path))[:, :, ::-1] / 255.0
    power = np.abs(np.fft.fft2(pixels @ [0.299, 0.587, 0.114])) ** 2
    fy, fx = np.meshgrid(np.fft.fftfreq(128) * 128, np.fft.fftfreq(128) * 128, indexing="ij")
    radius = np.floor(np.hypot(fx, fy))
    expected = [np.log10(power[radius == r].mean()) for r in range(64)]
    spectrum = read_spectrum(path)
    assert spectrum.tiles == 1
    np.testing.assert_allclose(spectrum.profile, expected, atol=1e-5)
    np.testing.assert_allclose(10 ** spectrum.fourier[64, 64], np.sqrt(power[0, 0]), rtol=1e-6)


def test_channel_changes_what_is_read(samples: Path) -> None:
    path = samples / "real-00006.png"
    profiles = [read_spectrum(path, channel=channel).profile for channel in ("luminance", "red", "green", "blue")]
    assert len({profile.tobytes() for profile in profiles}) == 4


def test_small_image_is_flagged(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    assert "small" in read_spectrum(path).flags


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("png-truncated.png", Unreadable),
        ("empty.jpg", Unreadable),
        ("none.png", Unreadable),
        ("png-1x5000.png", Skipped),
    ],
)
def test_what_can_not_be_used_says_why(hostile: Path, name: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        read_spectrum(hostile / name)
    assert str(caught.value)


def test_public_name_is_this_function() -> None:
    assert forensic.read_spectrum is read_spectrum


def test_image_is_left_as_it_is(samples: Path) -> None:
    path = samples / "real-00044.png"
    before = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns
    read_spectrum(path)
    assert (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) == before


def test_group_is_mean_and_spread(samples: Path) -> None:
    spectra = [read_spectrum(path) for path in sorted(samples.glob("real-*.png"))]
    assert len(spectra) == 2
    group = group_spectrum(spectra)
    profiles = np.array([spectrum.profile for spectrum in spectra], dtype=np.float64)
    np.testing.assert_allclose(group.mean, profiles.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(group.spread, profiles.std(axis=0, ddof=1), rtol=1e-9)
    np.testing.assert_allclose(group.dct, (spectra[0].dct + spectra[1].dct) / 2, rtol=1e-12)
