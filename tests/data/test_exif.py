"""EXIF and ICC: what is sound, what is damaged, and which way is up."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from forensic.data.exif import Exif, icc_is_sound, read_exif, turn


def block(*entries: tuple[int, int, int, bytes], order: str = "<", count: int | None = None) -> bytes:
    body = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3].ljust(4, b"\0") for entry in entries)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    number = len(entries) if count is None else count
    return mark + struct.pack(order + "IH", 8, number) + body + bytes(4)


def orientation(value: int, order: str = "<") -> tuple[int, int, int, bytes]:
    return (0x0112, 3, 1, struct.pack(order + "H", value))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_read_in_both_byte_orders(value: int, order: str) -> None:
    stored = block(orientation(value, order), order=order)
    assert read_exif(stored) == Exif(value, valid=True, block=stored)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II*\0",
        b"XX*\0\x08\0\0\0\0\0",
        block(orientation(0)),
        block(orientation(9)),
        block((0x0112, 4, 1, b"\6\0\0\0")),
        block((0x0112, 3, 2, b"\6\0\6\0")),
        block(orientation(6), count=200),
        block((0x010F, 2, 500, struct.pack("<I", 9999)), orientation(6)),
        b"II*\0" + struct.pack("<I", 9999),
    ],
)
def test_a_damaged_block_turns_nothing(data: bytes) -> None:
    assert read_exif(data) == Exif(1, valid=False)


@given(st.binary(max_size=120))
def test_any_bytes_give_an_orientation(data: bytes) -> None:
    for mark in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        assert 1 <= read_exif(mark + data).orientation <= 8


def test_agrees_with_pillow() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 5, "a maker whose name is longer than four bytes"
    stored = exif.tobytes().removeprefix(b"Exif\0\0")
    assert read_exif(stored) == Exif(5, valid=True, block=stored)


@pytest.mark.parametrize(
    ("tag", "method"),
    [
        (1, None),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_270),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_90),
    ],
)
def test_turn_is_pillows_transposition(tag: int, method: Image.Transpose | None, noise) -> None:
    pixels = noise(5, 7, 3)
    image = Image.fromarray(pixels)
    expected = np.asarray(image if method is None else image.transpose(method))
    turned = turn(pixels, tag)
    np.testing.assert_array_equal(turned, expected)
    assert turned.flags.c_contiguous


def test_profiles() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert icc_is_sound(profile)
    assert not icc_is_sound(profile[:-1])
    assert not icc_is_sound(profile.replace(b"acsp", b"xxxx"))
    assert not icc_is_sound(profile[:128] + b"\xff\xff\xff\xff" + profile[132:])
    assert not icc_is_sound(b"")
