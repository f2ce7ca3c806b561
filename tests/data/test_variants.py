"""Mild changes of a picture: their names, sizes, and that they are mild."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from forensic.data.variants import VARIANTS, variants


@pytest.fixture
def picture() -> np.ndarray:
    """Smooth with some grain, 96 x 150."""
    draws = np.random.default_rng(0)
    smooth = cv2.resize(draws.integers(0, 256, (12, 19, 3)).astype(np.uint8), (150, 96), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + draws.normal(0, 3, smooth.shape), 0, 255).astype(np.uint8)


def test_all_of_them(picture: np.ndarray) -> None:
    found = dict(variants(picture, 5))
    assert list(found) == ["jpeg-95", "jpeg-90", "jpeg-80", "resize-0.9", "crop-8"]
    assert found["resize-0.9"].shape == (86, 135, 3)
    assert np.array_equal(found["crop-8"], picture[8:, 8:])
    errors = [np.abs(found[f"jpeg-{quality}"].astype(int) - picture).mean() for quality in (95, 90, 80)]
    assert 0 < errors[0] < errors[1] < errors[2] < 8
    for pixels in found.values():
        assert pixels.dtype == np.uint8
        assert pixels.flags.c_contiguous


def test_colours_stay_where_they_are() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    for name, pixels in variants(red, 5):
        assert np.abs(pixels.astype(int).mean(axis=(0, 1)) - [200, 0, 0]).max() < 3, name


@pytest.mark.parametrize("count", range(len(VARIANTS) + 1))
def test_as_many_as_asked_for(picture: np.ndarray, count: int) -> None:
    assert [name for name, _ in variants(picture, count)] == list(VARIANTS)[:count]


def test_what_is_too_wide_for_a_jpeg_has_no_jpeg_form() -> None:
    assert [name for name, _ in variants(np.zeros((16, 65_501, 3), np.uint8), 5)] == ["resize-0.9", "crop-8"]
