"""The limit of pixels, and what stands behind a picture's end."""

from __future__ import annotations

import pytest

from forensic.data.inspection import DecodeLimits, check_pixels, trailing_flag
from forensic.errors import Unreadable


def test_defaults_are_those_of_the_design() -> None:
    limits = DecodeLimits()
    assert (limits.max_pixels, limits.max_bytes, limits.seconds, limits.address_space) == (
        250_000_000, 1 << 30, 30.0, 2 << 30,
    )  # fmt: skip


def test_the_limit_itself_is_allowed() -> None:
    check_pixels(25_000, 10_000, DecodeLimits())
    with pytest.raises(Unreadable, match=r"^250,010,000 pixels exceed the limit of 250,000,000$"):
        check_pixels(25_001, 10_000, DecodeLimits())


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (-5, -5)])
def test_sides_are_positive(size: tuple[int, int]) -> None:
    with pytest.raises(Unreadable, match="damaged header"):
        check_pixels(*size, DecodeLimits())


def test_trailing_data_are_told_by_place_length_and_kind() -> None:
    assert trailing_flag(b"abcdef", 6) == ()
    assert trailing_flag(b"abcdef", 4) == ("trailing-data=4+2:text",)
    assert trailing_flag(b"ab%PDF-1.4", 2) == ("trailing-data=2+8:pdf",)
