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


def icon(bitmap: bytes, *, bits: int) -> bytes:
    """One frame of 64 x 64 of which the directory says that it has so many bits a pixel."""
    return struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 64, 64, 0, 0, 1, bits, len(bitmap), 22) + bitmap


@pytest.mark.parametrize("stated", [0, 4, 24, 32])
@pytest.mark.parametrize("bits", [24, 32])
def test_a_frames_own_bits_count_not_the_directorys(bits: int, stated: int, picture) -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 64, 128, 1, bits, 0, 0, 0, 0, 0, 0)
    rows = np.ascontiguousarray(picture[::-1, :, [2, 1, 0, 3][: bits // 8]]).tobytes()
    mask = np.repeat(np.uint8([0, 255]), [48 * 8, 16 * 8]).tobytes()  # from below: the first 16 rows are transparent
    decoded = decode(icon(header + rows + mask, bits=stated), name="x.ico")
    assert decoded.flags == ("ico-largest=1", "alpha-dropped=0.25")
    np.testing.assert_array_equal(decoded.pixels, picture[..., :3])


def test_a_frame_that_is_no_bitmap_is_told(saved, picture) -> None:
    with pytest.raises(Unreadable, match=r"^damaged ICO: a frame that is neither a bitmap nor a PNG$"):
        inspect_ico(icon(saved(picture[..., :3], "JPEG"), bits=24), LIMITS)


@pytest.mark.parametrize("bitmap", ["png", "bmp"])
def test_what_stands_behind_the_last_frame_is_told(bitmap: str, saved, picture) -> None:
    data = saved(Image.fromarray(picture), "ICO", sizes=[(16, 16), (64, 64)], bitmap_format=bitmap)
    flags = inspect_ico(data + b"PK\x03\x04rest", LIMITS).flags
    assert flags == ("ico-largest=2", f"trailing-data={len(data)}+8:zip")


def test_frames_beyond_the_file_are_truncated(saved, picture) -> None:
    data = saved(Image.fromarray(picture), "ICO", sizes=[(64, 64)])
    with pytest.raises(Unreadable, match=r"^truncated: a frame ends at byte"):
        inspect_ico(data[:-1], LIMITS)
    many = struct.pack("<HHH", 0, 1, 2) + data[6:22]
    with pytest.raises(Unreadable, match=r"^truncated in header$"):
        inspect_ico(many, LIMITS)
