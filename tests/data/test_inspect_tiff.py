"""TIFF: both byte orders, both sizes of offset, every sample type; damaged counts are refused before allocation."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from forensic.data.decode import decode
from forensic.data.inspect_tiff import inspect_tiff
from forensic.data.inspection import DecodeLimits
from forensic.errors import Unreadable

LIMITS = DecodeLimits()
ORDERS = pytest.mark.parametrize("order", ["<", ">"])


@ORDERS
@pytest.mark.parametrize("big", [False, True])
def test_byte_order_and_offset_size_do_not_matter(order: str, big: bool, tiff, noise) -> None:
    samples = noise(16, 20, 3)
    np.testing.assert_array_equal(decode(tiff(samples, {}, order=order, big=big), name="x").pixels, samples)


@ORDERS
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_colours_are_never_multiplied_by_alpha(order: str, extra: int, tiff, noise) -> None:
    samples = noise(16, 20, 4)
    decoded = decode(tiff(samples, {338: (extra,)}, order=order), name="x")
    np.testing.assert_array_equal(decoded.pixels, samples[..., :3])
    assert any(flag.startswith("alpha-dropped=") for flag in decoded.flags) == (extra != 0)


@ORDERS
def test_tiles_of_grey_with_alpha_are_grey(order: str, tiff, noise) -> None:
    samples = noise(16, 32, 2)
    stored = np.concatenate([samples[:, :16], samples[:, 16:]])  # one tile behind the other
    tags = {256: (32,), 257: (16,), 273: (), 278: (), 279: (), 338: (2,)}
    tags |= {322: (16,), 323: (16,), 324: (8, 8 + 512), 325: (512, 512)}
    decoded = decode(tiff(stored, tags, order=order), name="x")
    np.testing.assert_array_equal(decoded.pixels[..., 0], samples[..., 0])
    assert decoded.flags == ("grey", "alpha-dropped")


@ORDERS
def test_separate_planes_are_read_in_8_bits_and_refused_in_16(order: str, tiff, noise) -> None:
    for dtype in (np.uint8, np.uint16):
        planes = noise(3, 16, 20, dtype=dtype)
        size = planes[0].nbytes
        tags = {258: (8 * planes.itemsize,) * 3, 273: (8, 8 + size, 8 + 2 * size), 279: (size,) * 3}
        data = tiff(
            planes.reshape(48, 20), tags | {257: (16,), 262: (2,), 277: (3,), 278: (16,), 284: (2,)}, order=order
        )
        if dtype is np.uint8:
            np.testing.assert_array_equal(decode(data, name="x").pixels, planes.transpose(1, 2, 0))
        else:
            with pytest.raises(Unreadable, match="16-bit TIFF with separate planes is not read"):
                decode(data, name="x")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("photometric", [0, 1])
def test_white_may_be_zero(photometric: int, dtype: type, tiff, noise) -> None:
    samples = noise(16, 20, dtype=dtype)
    most = np.iinfo(dtype).max
    upright = (samples if photometric else most - samples).astype(np.int64)
    expected = upright if dtype is np.uint8 else (upright + 128) // 257
    np.testing.assert_array_equal(decode(tiff(samples, {262: (photometric,)}), name="x").pixels[..., 0], expected)


@pytest.mark.parametrize(("kind", "word"), [(2, "signed"), (3, "floating-point"), (5, "complex"), (6, "complex")])
def test_samples_without_an_8_bit_reading_are_unreadable(kind: int, word: str, tiff, noise) -> None:
    with pytest.raises(Unreadable, match=f"^{word} samples have no defined 8-bit reading$"):
        inspect_tiff(tiff(noise(16, 20, dtype=np.uint32), {339: (kind,)}), LIMITS)


@pytest.mark.parametrize("bits", [12, 24, 32, 64])
def test_other_depths_are_unreadable(bits: int, tiff, noise) -> None:
    with pytest.raises(Unreadable, match=f"samples of {bits} bits"):
        inspect_tiff(tiff(noise(16, 20), {258: (bits,)}), LIMITS)


@pytest.mark.parametrize("photometric", [4, 8, 9, 32844])
def test_other_colour_spaces_are_unreadable(photometric: int, tiff, noise) -> None:
    with pytest.raises(Unreadable, match=f"photometric interpretation {photometric} is not read"):
        inspect_tiff(tiff(noise(16, 20, 3), {262: (photometric,)}), LIMITS)


@pytest.mark.parametrize("tags", [{50706: (1, 4, 0, 0)}, {262: (32803,)}, {254: (1,), 330: (8,)}])
def test_camera_raw_is_not_taken_for_its_preview(tags: dict[int, tuple[int, ...]], tiff, noise) -> None:
    with pytest.raises(Unreadable, match="camera raw"):
        inspect_tiff(tiff(noise(16, 20), tags), LIMITS)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_strips_cut_short_are_unreadable(compression: str, saved, noise) -> None:
    data = bytearray(saved(noise(40, 50, 3), "TIFF", compression=compression))
    at = data.index(struct.pack("<HHI", 279, 4, 1)) + 8
    size = struct.unpack_from("<I", data, at)[0]
    if compression == "raw":
        struct.pack_into("<I", data, at, size + len(data))
    else:
        struct.pack_into("<I", data, at, size // 2)
    with pytest.raises(Unreadable, match=r"^(truncated|damaged TIFF)"):
        decode(bytes(data), name="x")


@pytest.mark.parametrize("tag", [256, 257, 258, 273, 277, 279])
@pytest.mark.parametrize("count", [0, 2, 2**31 - 1, 2**32 - 1])
def test_counts_that_can_not_be_are_a_damaged_header(tag: int, count: int, tiff, noise) -> None:
    data = bytearray(tiff(noise(16, 20, 3), {}))
    start = struct.unpack_from("<I", data, 4)[0]
    for at in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12):
        if struct.unpack_from("<H", data, at)[0] == tag:
            struct.pack_into("<I", data, at + 4, count)
    with pytest.raises(Unreadable, match=r"^(damaged TIFF|truncated|TIFF with samples)"):
        inspect_tiff(bytes(data), LIMITS)


@pytest.mark.parametrize("tag", range(1, 10))
def test_orientation_tag_counts_once_and_nine_is_invalid(tag: int, tiff, noise) -> None:
    samples = noise(16, 20, 3)
    decoded = decode(tiff(samples, {274: (tag,)}), name="x")
    assert decoded.pixels.shape[:2] == ((20, 16) if 5 <= tag <= 8 else (16, 20))
    assert decoded.flags == {1: (), 9: ("exif-invalid",)}.get(tag, ("exif-rotated",))
    if tag == 6:  # row 0 is the right side, column 0 the top
        np.testing.assert_array_equal(decoded.pixels, np.rot90(samples, -1))


def test_a_circle_of_pages_ends(saved, smooth) -> None:
    pages = [Image.fromarray(smooth(20 + n, 24)) for n in range(3)]
    data = bytearray(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert inspect_tiff(bytes(data), LIMITS).flags == ("multi-page-first=3",)
    first = struct.unpack_from("<I", data, 4)[0]
    links = []
    at = first
    while at:
        link = at + 2 + 12 * struct.unpack_from("<H", data, at)[0]
        links.append(link)
        at = struct.unpack_from("<I", data, link)[0]
    struct.pack_into("<I", data, links[-1], struct.unpack_from("<I", data, links[0])[0])
    inspection = inspect_tiff(bytes(data), LIMITS)
    assert inspection.flags == ("multi-page-first=3",)
    assert decode(bytes(data), name="x").pixels.shape == (20, 24, 3)


def test_directory_beyond_the_file_is_truncated(tiff, noise) -> None:
    data = tiff(noise(16, 20, 3), {})
    start = struct.unpack_from("<I", data, 4)[0]
    with pytest.raises(Unreadable, match="truncated"):
        inspect_tiff(data[:start], LIMITS)
    with pytest.raises(Unreadable, match="directory reaches beyond the file"):
        inspect_tiff(data[: start + 20], LIMITS)


def test_cmyk_is_converted_once(tiff) -> None:
    samples = np.zeros((16, 20, 4), np.uint8)
    samples[..., 0] = 255
    decoded = decode(tiff(samples, {262: (5,)}), name="x")
    assert decoded.flags == ("cmyk-converted",)
    np.testing.assert_allclose(decoded.pixels.mean((0, 1)), (0, 255, 255), atol=1)
