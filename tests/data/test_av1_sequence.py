"""The coded size of AV1 streams of two encoders, and of headers put together bit by bit."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from forensic.data.av1_sequence import coded_size

DELIMITER = b"\x12\x00"


def stream_of(avif: bytes) -> bytes:
    return avif[avif.index(b"mdat") + 4 :]


@pytest.mark.parametrize("size", [(16, 16), (200, 160), (161, 33), (1030, 16)])
def test_streams_of_encoders(size: tuple[int, int]) -> None:
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    opencv = cv2.imencode(".avif", picture)[1].tobytes()
    assert coded_size(stream_of(opencv)) == size
    out = io.BytesIO()
    frames = [Image.fromarray(picture), Image.fromarray(picture + 9)]
    frames[0].save(out, "AVIF", save_all=True, append_images=frames[1:])  # a header that is not reduced
    assert coded_size(stream_of(out.getvalue())) == size


def unit(*fields: tuple[int, int]) -> bytes:
    """A sequence header from (value, bits)."""
    bits = "".join(f"{value:0{count}b}" for value, count in fields)
    body = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    return b"\x0a" + bytes([len(body)]) + body


SIZE = ((7, 4), (8, 4), (199, 8), (300, 9))
TIMING = ((1, 1), (1, 32), (25, 32), (1, 1), (0b00101, 5))
MODEL = ((1, 1), (9, 5), (1, 32), (4, 5), (4, 5))
POINT = ((0, 12), (9, 5), (1, 1))


@pytest.mark.parametrize(
    "fields",
    [
        ((0, 3), (1, 1), (1, 1), (4, 5), *SIZE),
        ((0, 3), (0, 1), (0, 1), (0, 1), (0, 1), (0, 5), (0, 12), (4, 5), *SIZE),
        ((0, 3), (0, 1), (0, 1), (0, 1), (1, 1), (1, 5), *POINT, (1, 1), (3, 4), *POINT, (0, 1), *SIZE),
        ((0, 3), (0, 1), (0, 1), *TIMING, *MODEL, (0, 1), (0, 5), *POINT, (1, 1), (5, 10), (6, 10), (0, 1), *SIZE),
        ((0, 3), (0, 1), (0, 1), *TIMING, (0, 1), (0, 1), (0, 5), *POINT, *SIZE),
    ],
)
def test_optional_fields_are_passed_over(fields: tuple[tuple[int, int], ...]) -> None:
    assert coded_size(DELIMITER + unit(*fields)) == (200, 301)
    assert coded_size(DELIMITER + unit(*fields)[:-2]) is None


@given(st.binary(max_size=60))
def test_any_bytes_end(stream: bytes) -> None:
    found = coded_size(stream)
    assert found is None or min(found) >= 1
