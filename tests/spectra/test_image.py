"""Numbers to colours to PNG; the PNG is read back by another program."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from forensic.spectra.image import colours, png


def lightness(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(float) @ [0.299, 0.587, 0.114]


def test_png_is_read_back_by_pillow() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(png(pixels))) as image:
        assert image.mode == "RGB"
        assert image.info == {}
        np.testing.assert_array_equal(np.array(image), pixels)


@pytest.mark.parametrize(
    "pixels", [np.zeros((3, 3), np.uint8), np.zeros((3, 3, 3), np.float32), np.zeros((0, 3, 3), np.uint8)]
)
def test_png_refuses_other_arrays(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\)"):
        png(pixels)


def test_colours_rise_in_lightness() -> None:
    ramp = colours(np.linspace(0.0, 1.0, 256)[None], 0.0, 1.0)
    assert ramp.shape == (1, 256, 3)
    assert (np.diff(lightness(ramp[0])) >= -0.5).all()
    assert lightness(ramp[0, -1:])[0] - lightness(ramp[0, :1])[0] > 200


def test_signed_colours_are_light_in_the_middle() -> None:
    ramp = lightness(colours(np.linspace(-1.0, 1.0, 257)[None], -1.0, 1.0, signed=True)[0])
    assert ramp.argmax() == 128
    assert abs(ramp[0] - ramp[-1]) < 25


def test_values_outside_take_the_colour_of_their_end() -> None:
    ends = colours(np.array([[-5.0, 0.0, 1.0, 5.0]]), 0.0, 1.0)[0]
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[2], ends[3])


def test_even_values_have_a_colour() -> None:
    assert len({tuple(pixel) for pixel in colours(np.ones((4, 4))).reshape(-1, 3).tolist()}) == 1
