"""TIFF: both byte orders, both sizes of offset, every sample type; damaged counts are refused before allocation."""

from __future__ import annotations

import struct
import zlib

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


@pytest.mark.parametrize(
    ("kind", "word"), [(2, "signed"), (3, "floating-point"), (4, "undefined"), (5, "complex"), (6, "complex")]
)
def test_samples_without_an_8_bit_reading_are_unreadable(kind: int, word: str, tiff, noise) -> None:
    with pytest.raises(Unreadable, match=f"^{word} samples have no defined 8-bit reading$"):
        inspect_tiff(tiff(noise(16, 20, dtype=np.uint32), {339: (kind,)}), LIMITS)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("photometric", [0, 1, 3])
def test_few_bits_are_spread_over_the_range(bits: int, photometric: int, tiff, noise) -> None:
    values = noise(16, 24) >> (8 - bits)
    packed = np.packbits(np.unpackbits(values[..., None], axis=2)[..., 8 - bits :].reshape(16, -1), axis=1)
    colours = noise(3, 1 << bits, dtype=np.uint16)
    tags = {256: (24,), 258: (bits,), 262: (photometric,), 320: tuple(colours.ravel().tolist())}
    if photometric != 3:
        del tags[320]
    decoded = decode(tiff(packed, tags), name="x.tif")
    scaled = values * (255 // ((1 << bits) - 1))
    expected = {0: 255 - scaled, 1: scaled}.get(photometric)
    expected = (colours >> 8)[0][values] if expected is None else expected
    np.testing.assert_array_equal(decoded.pixels[..., 0], expected)
    assert decoded.flags == (() if photometric == 3 else ("grey",))


def with_kind(data: bytes, tag: int, kind: int) -> bytes:
    """The same little-endian file with one field's value in another type."""
    at = data.index(struct.pack("<HHI", tag, 3, 1))
    return data[: at + 2] + struct.pack("<H", kind) + data[at + 4 :]


@pytest.mark.parametrize("kind", [1, 4])
def test_turn_and_alpha_are_ours_whatever_type_their_fields_have(kind: int, tiff, noise) -> None:
    samples = noise(20, 20, 4)
    data = tiff(samples, {274: (3,), 338: (2,)})
    for tag in (274, 338):
        decoded = decode(with_kind(data, tag, kind), name="x.tif")
        np.testing.assert_array_equal(decoded.pixels, samples[::-1, ::-1, :3])
    tall = decode(with_kind(tiff(noise(16, 24), {274: (6,)}), 274, kind), name="x.tif")
    np.testing.assert_array_equal(tall.pixels[..., 0], np.rot90(noise(16, 24), -1))


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


def test_a_page_that_follows_itself_is_one_page(tiff, noise) -> None:
    data = bytearray(tiff(noise(16, 20, 3), {}))
    at = struct.unpack_from("<I", data, 4)[0]
    struct.pack_into("<I", data, at + 2 + 12 * struct.unpack_from("<H", data, at)[0], at)
    assert inspect_tiff(bytes(data), LIMITS).flags == ()


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


def strips(samples: np.ndarray, rows: int, start: int = 8) -> dict[int, tuple[int, ...]]:
    """Tags of so many rows a strip, in the place where the builder puts the samples."""
    height = samples.shape[0]
    row = samples.nbytes // height
    counts = [min(rows, height - at) * row for at in range(0, height, rows)]
    offsets = [start + at * row for at in range(0, height, rows)]
    return {278: (rows,), 273: tuple(offsets), 279: tuple(counts)}


@pytest.mark.parametrize("rows", [1, 5, 8, 16, 1000])
def test_uncompressed_strips_of_any_height_are_read(rows: int, tiff, noise) -> None:
    samples = noise(16, 20, 3)
    decoded = decode(tiff(samples, strips(samples, rows)), name="x")
    np.testing.assert_array_equal(decoded.pixels, samples)


@pytest.mark.parametrize(("rows", "place", "less"), [(16, 0, 1), (16, 0, 960), (5, 0, 1), (5, 2, 1), (5, 3, 1)])
def test_uncompressed_strips_that_hold_less_than_their_pixels_are_unreadable(
    rows: int, place: int, less: int, tiff, noise
) -> None:
    samples = noise(16, 20, 3)
    tags = strips(samples, rows)
    sizes = list(tags[279])
    sizes[place] -= less
    with pytest.raises(Unreadable, match=rf"^truncated: a part of the image holds {sizes[place]} of "):
        decode(tiff(samples, {**tags, 279: tuple(sizes)}), name="x")


def test_missing_strips_are_unreadable(tiff, noise) -> None:
    samples = noise(16, 20, 3)
    tags = {tag: values if tag == 278 else values[:2] for tag, values in strips(samples, 5).items()}
    with pytest.raises(Unreadable, match=r"^truncated: 2 of 4 parts of the image are there$"):
        inspect_tiff(tiff(samples, tags), LIMITS)


@pytest.mark.parametrize("short", [False, True])
def test_separate_planes_have_strips_of_their_own(short: bool, tiff, noise) -> None:
    samples = noise(3, 16, 20)
    sizes = (320, 320, 319 if short else 320)
    planar = {256: (20,), 257: (16,), 258: (8, 8, 8), 262: (2,), 277: (3,), 278: (16,), 284: (2,)}
    data = tiff(samples.reshape(48, 20), {**planar, 273: (8, 328, 648), 279: sizes})
    if short:
        with pytest.raises(Unreadable, match="holds 319 of 320 bytes"):
            decode(data, name="x")
    else:
        np.testing.assert_array_equal(decode(data, name="x").pixels, samples.transpose(1, 2, 0))


@pytest.mark.parametrize("less", [0, 1])
def test_tiles_are_whole_also_at_the_edge(less: int, tiff, noise) -> None:
    samples = noise(32, 64, 3)  # two tiles of 32 x 32, one beside the other; the picture ends within the second
    stored = np.stack([samples[:, :32], samples[:, 32:]]).reshape(32, 64, 3)
    tags = {256: (40,), 273: (), 278: (), 279: (), 322: (32,), 323: (32,), 324: (8, 3080), 325: (3072, 3072 - less)}
    data = tiff(stored, tags)
    if less:
        with pytest.raises(Unreadable, match="holds 3,071 of 3,072 bytes"):
            decode(data, name="x")
    else:
        np.testing.assert_array_equal(decode(data, name="x").pixels, samples[:, :40])


@pytest.mark.parametrize("tag", [278, 322, 323])
def test_parts_without_pixels_are_a_damaged_header(tag: int, tiff, noise) -> None:
    tiles = {} if tag == 278 else {273: (), 279: (), 322: (16,), 323: (16,), 324: (8,), 325: (320,)}
    with pytest.raises(Unreadable, match="parts of the image without pixels"):
        inspect_tiff(tiff(noise(16, 20), {**tiles, tag: (0,)}), LIMITS)


@pytest.mark.parametrize("colours", [0, 1, 3, 767, 769])
def test_palette_that_is_not_whole_is_unreadable(colours: int, tiff, noise) -> None:
    with pytest.raises(Unreadable, match="the palette is absent or not whole"):
        decode(tiff(noise(16, 20), {262: (3,), 320: tuple(range(colours))}), name="x")


def test_whole_palette_is_applied(tiff, noise) -> None:
    samples, colours = noise(16, 20), noise(768, seed=1).astype(int) * 257
    decoded = decode(tiff(samples, {262: (3,), 320: tuple(colours.tolist())}), name="x")
    np.testing.assert_array_equal(decoded.pixels, (colours // 257).reshape(3, 256).T[samples])


@pytest.mark.parametrize(
    ("compression", "said"), [(50000, "Zstandard compression"), (6, "old-style JPEG compression"), (9, "compression 9")]
)
def test_compressions_that_no_decoder_has_are_not_called_damage(compression: int, said: str, tiff, noise) -> None:
    with pytest.raises(Unreadable, match=f"^TIFF with {said} is not read$"):
        inspect_tiff(tiff(noise(16, 20, 3), {259: (compression,)}), LIMITS)


def test_inks_that_are_not_cmyk_are_not_read(tiff, noise) -> None:
    with pytest.raises(Unreadable, match=r"^TIFF with inks other than CMYK is not read$"):
        inspect_tiff(tiff(noise(16, 20, 4), {262: (5,), 332: (2,)}), LIMITS)


def deflated(tiff, samples: np.ndarray, packed: bytes, order: str = "<") -> bytes:
    """A TIFF whose one strip is that stream; it takes the place of the samples, which must be longer."""
    data = tiff(samples, {259: (8,), 279: (len(packed),)}, order=order)
    assert len(packed) <= samples.nbytes
    return data[:8] + packed + data[8 + len(packed) :]


@ORDERS
def test_deflated_strips_must_keep_their_checksum(order: str, tiff) -> None:
    """The decoder stops where the strip is full, before the checksum, and gives other pixels without a word."""
    samples = np.arange(60 * 80 * 3, dtype=np.uint32).reshape(60, 80, 3).astype(np.uint8)
    packed = zlib.compress(samples.tobytes(), 9)
    np.testing.assert_array_equal(decode(deflated(tiff, samples, packed, order), name="x").pixels, samples)
    other = zlib.compress((samples ^ 1).tobytes(), 9)
    assert len(other) <= samples.nbytes
    with pytest.raises(Unreadable, match=r"^damaged TIFF: deflated data at byte 8 do not hold together$"):
        decode(deflated(tiff, samples, other[:-4] + packed[-4:], order), name="x")


def test_parts_in_jpeg_that_are_too_small_are_unreadable(saved, smooth) -> None:
    """The decoder warns and leaves the rest as it finds it."""
    data = bytearray(saved(smooth(64, 48), "TIFF", compression="jpeg"))
    decode(bytes(data), name="x")
    frame = data.index(b"\xff\xc0")
    assert struct.unpack_from(">H", data, frame + 5) == (64,)
    struct.pack_into(">H", data, frame + 5, 32)
    with pytest.raises(Unreadable, match=r"^damaged TIFF: Improper JPEG strip/tile size, expected 48x64, got 48x32$"):
        decode(bytes(data), name="x")


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_damaged_fax_data_is_not_made_up(compression: str, saved, noise) -> None:
    picture = Image.fromarray(np.kron(noise(10, 12) > 127, np.ones((8, 8), bool)))
    data = bytearray(saved(picture, "TIFF", compression=compression))
    whole = decode(bytes(data), name="x").pixels
    np.testing.assert_array_equal(whole[..., 0] > 0, np.asarray(picture))
    data[8:40] = bytes(32)
    with pytest.raises(Unreadable, match=r"^damaged TIFF: (Fax|.*Bad code word)"):
        decode(bytes(data), name="x")
