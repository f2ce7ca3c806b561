"""ICO: the largest frame by its own header, as PNG or as a bitmap."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from forensic.data.decode import decode
from forensic.data.inspect_ico import inspect_ico
from forensic.data.inspection import DecodeLimits
from forensic.errors import Unreadable

LIMITS = DecodeLimits()


@pytest.fixture(scope="module")
def picture(noise) -> np.ndarray:
    samples = noise(64, 64, 4)
    samples[..., 3] |= 1
    samples[:16, :, 3] = 0
    return samples


@pytest.mark.parametrize("bitmap", ["png", "bmp"])
def test_the_largest_frame_is_read(bitmap: str, saved, picture) -> None:
    image = Image.fromarray(picture)
    data = saved(image, "ICO", sizes=[(16, 16), (64, 64), (32, 32)], bitmap_format=bitmap)
    decoded = decode(data, name="x.ico")
    assert decoded.format == "ICO"
    assert decoded.flags == ("ico-largest=3", "alpha-dropped=0.25")
    np.testing.assert_array_equal(decoded.pixels, picture[..., :3])


def test_the_frames_own_header_counts_not_the_directory(png, noise) -> None:
    large = png(noise(300, 300, 3), colour=2)
    directory = struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(large), 22)
    inspection = inspect_ico(directory + large, LIMITS)
    assert (inspection.width, inspection.height) == (300, 300)
    with pytest.raises(Unreadable, match=r"^90,000 pixels exceed the limit"):
        inspect_ico(directory + large, DecodeLimits(max_pixels=89_999))


def test_frames_beyond_the_file_are_truncated(saved, picture) -> None:
    data = saved(Image.fromarray(picture), "ICO", sizes=[(64, 64)])
    with pytest.raises(Unreadable, match=r"^truncated: a frame ends at byte"):
        inspect_ico(data[:-1], LIMITS)
    many = struct.pack("<HHH", 0, 1, 2) + data[6:22]
    with pytest.raises(Unreadable, match=r"^truncated in header$"):
        inspect_ico(many, LIMITS)
