from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from forensic.data.jpeg_quality import jpeg_quality


@pytest.fixture
def pixels(seeded) -> np.ndarray:
    return seeded(1).integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 51, 75, 90, 99, 100])
def test_quality_comes_back_from_two_encoders(pixels, quality) -> None:
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        assert jpeg_quality(file.getvalue()) == quality
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    assert jpeg_quality(encoded) == quality


def test_a_table_of_another_program_has_the_nearest_quality(pixels) -> None:
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "JPEG", qtables=[[8] * 64, [8] * 64])
        found = jpeg_quality(file.getvalue())
    assert 90 <= found <= 97  # steps of 8 everywhere: between those of 90 (mean 12) and of 97 (mean 4)


def test_what_is_no_jpeg_has_none(hostile) -> None:
    assert jpeg_quality((hostile / "png-apng-two-frames.png").read_bytes()) is None
    assert jpeg_quality(b"") is None


@pytest.mark.parametrize("length", [2, 3, 20, 40, 100])
def test_a_file_that_ends_early_has_none_and_raises_nothing(pixels, length) -> None:
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    assert jpeg_quality(encoded[:length]) in (None, 80)
