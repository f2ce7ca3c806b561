"""The perceptual hash: recorded bits, what it stands, what it tells apart."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dctn

from forensic import kernels
from forensic.data.look import BITS, LEVEL, LOOK, _plan, coefficients, look


def picture(seed: int, height: int = 96, width: int = 128) -> np.ndarray:
    """Smooth patches, as photographs have."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def differing(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def test_version_and_recorded_bits() -> None:
    rows, columns = np.mgrid[:40, :64]
    wave = 127 + 100 * np.cos(rows / 5) * np.sin(columns / 7)
    pixels = np.stack([wave, wave / 2, 255 - wave], axis=2).astype(np.uint8)
    assert (LOOK, f"{look(pixels):016x}") == ("dct64-v1", "e17c4e639c31f381")


def test_a_tall_picture_has_the_recorded_bits() -> None:
    """imagehash 32, pillow_heif 489: the same file had another hash after an update of a library."""
    pixels = np.random.default_rng(3).integers(0, 256, (600, 150, 3), dtype=np.uint8)
    assert f"{look(pixels):016x}" == "b7553bdc90161645"


def test_bits_are_the_signs_of_scipys_transform() -> None:
    pixels = picture(1)
    small = kernels.resize_square(pixels, 32).astype(np.float64)
    found = dctn(0.299 * small[0] + 0.587 * small[1] + 0.114 * small[2])
    _, rows, columns = _plan()
    assert len(set(zip(rows, columns, strict=True))) == BITS
    assert (0, 0) not in zip(rows, columns, strict=True)
    bits = [(look(pixels) >> (BITS - 1 - place)) & 1 for place in range(BITS)]
    assert bits == [int(found[row, column] > 0) for row, column in zip(rows, columns, strict=True)]


@pytest.mark.parametrize(("down", "across", "levels"), [(3, 2, 1), (1, 0, 2), (0, 4, 2)])
def test_coefficients_are_told_in_grey_levels(down: int, across: int, levels: int) -> None:
    row, column = np.cos(np.pi * (2 * np.arange(32)[None] + 1) * np.array([[down], [across]]) / 64)
    pixels = np.rint(120 + 50 * row[:, None] * column).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    found = coefficients(pixels)
    assert np.count_nonzero(np.abs(found) > LEVEL) == 1
    assert np.abs(found).max() == pytest.approx(50 * levels * LEVEL, rel=0.01)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_an_even_picture_has_no_bit(height: int, width: int, value: int) -> None:
    assert look(np.full((height, width, 3), value, dtype=np.uint8)) == 0


@given(st.integers(0, 2**32), st.integers(1, 70), st.integers(1, 70))
def test_any_picture_has_one_hash_of_64_bits(seed: int, height: int, width: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    before = pixels.copy()
    found = look(pixels)
    assert 0 <= found < 1 << BITS
    assert found == look(np.asfortranarray(pixels)) == look(pixels[::-1][::-1])
    np.testing.assert_array_equal(pixels, before)


@given(st.integers(0, 2**32))
def test_the_negative_has_the_other_bits(seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert differing(look(pixels), look(255 - pixels)) >= BITS - 2  # a coefficient may be 0


@pytest.mark.parametrize("seed", range(5))
def test_copies_are_alike_and_others_are_not(seed: int) -> None:
    pixels = picture(seed, 192, 256)
    saved = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_COLOR)
    assert differing(look(pixels), look(saved)) <= 4
    assert differing(look(pixels), look(cv2.resize(pixels, (128, 96), interpolation=cv2.INTER_AREA))) <= 4
    assert differing(look(pixels), look(picture(seed + 100))) > 12


def test_the_table_sums_to_nothing_behind_its_first_row() -> None:
    table = _plan()[0]
    assert table[0].tolist() == [1 << 14] * 32
    assert (table[1:].sum(axis=1) == 0).all()
    assert table[1, 0] == round((1 << 14) * math.cos(math.pi / 64))
