"""BMP: sizes in 64 bits, rows in both orders, alpha only where a mask says so, pixels that are all there."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from forensic.data.decode import decode
from forensic.data.inspect_bmp import inspect_bmp
from forensic.data.inspection import DecodeLimits
from forensic.errors import Unreadable

LIMITS = DecodeLimits()


def bmp(samples: np.ndarray, *, upward: bool = True, mask: int = 0, size: tuple[int, int] | None = None) -> bytes:
    """A 24- or 32-bit BMP by hand; with a mask its header is version 4."""
    height, width, channels = samples.shape
    if size:
        width, height = size
    rows = samples[::-1] if upward else samples
    stored = rows[..., [2, 1, 0, 3][:channels]].reshape(samples.shape[0], -1)
    body = b"".join(row.tobytes() + b"\0" * (-len(row) % 4) for row in stored)
    head = struct.pack(
        "<iiHHIIiiII", width, height if upward else -height, 1, 8 * channels, 3 if mask else 0, 0, 0, 0, 0, 0
    )
    if mask:
        head += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, mask) + b"BGRs" + bytes(48)
    header = struct.pack("<I", 4 + len(head)) + head
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(body), 0, 0, 14 + len(header)) + header + body


@pytest.mark.parametrize("upward", [True, False])
def test_rows_run_both_ways(upward: bool, noise) -> None:
    samples = noise(17, 21, 3)
    decoded = decode(bmp(samples, upward=upward), name="x")
    np.testing.assert_array_equal(decoded.pixels, samples)
    assert decoded.flags == ()


@pytest.mark.parametrize("mask", [0, 0xFF000000])
def test_a_fourth_byte_is_alpha_only_with_a_mask(mask: int, noise) -> None:
    samples = noise(16, 20, 4)
    samples[..., 3] |= 1
    samples[:4, :, 3] = 0
    decoded = decode(bmp(samples, mask=mask), name="x")
    np.testing.assert_array_equal(decoded.pixels, samples[..., :3])
    assert decoded.flags == (("alpha-dropped=0.25",) if mask else ())


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (65536, 65536), (250_000_001, 1)])
def test_size_is_multiplied_without_overflow(size: tuple[int, int], noise) -> None:
    with pytest.raises(Unreadable, match=f"^{size[0] * size[1]:,} pixels exceed the limit of 250,000,000$"):
        inspect_bmp(bmp(noise(4, 4, 3), size=size), LIMITS)


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (-4, 4)])
def test_a_side_that_is_not_positive_is_damaged(size: tuple[int, int], noise) -> None:
    with pytest.raises(Unreadable, match="damaged header: size"):
        inspect_bmp(bmp(noise(4, 4, 3), size=size), LIMITS)


def test_pixels_that_are_not_all_there_are_truncated(noise) -> None:
    data = bmp(noise(16, 20, 3))
    with pytest.raises(Unreadable, match=rf"^truncated: pixels end at byte {len(data)} of {len(data) - 1}$"):
        inspect_bmp(data[:-1], LIMITS)
    with pytest.raises(Unreadable, match="truncated in header"):
        inspect_bmp(data[:30], LIMITS)


def test_what_stands_behind_the_pixels_is_flagged_and_padding_is_not(noise) -> None:
    data = bmp(noise(16, 20, 3))
    assert inspect_bmp(data + b"\0\0", LIMITS).flags == ()
    assert inspect_bmp(data + b"PK\x03\x04", LIMITS).flags == (f"trailing-data={len(data)}+4:zip",)


def test_a_profile_behind_the_pixels_belongs_to_the_picture(noise) -> None:
    pixels = noise(16, 20, 3).tobytes()
    header = struct.pack("<IiiHHI", 124, 20, 16, 1, 24, 0) + bytes(36) + b"DEBM" + bytes(52)
    header += struct.pack("<III", 124 + len(pixels), 40, 0)
    data = struct.pack("<2sIII", b"BM", 0, 0, 14 + len(header)) + header + pixels + 40 * b"p"
    assert len(header) == 124
    assert inspect_bmp(data, LIMITS).flags == ()
    assert inspect_bmp(data + b"PK\x03\x04", LIMITS).flags == (f"trailing-data={len(data)}+4:zip",)
    none = data.replace(b"DEBM", b"BGRs")
    assert inspect_bmp(none, LIMITS).flags == (f"trailing-data={len(data) - 40}+40:text",)


def run_length(codes: bytes) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 4, 2, 1, 8, 1, len(codes), 0, 0, 2, 0) + bytes([0, 0, 0, 0, 9, 8, 7, 0])
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(codes), 0, 0, 14 + len(header)) + header + codes


def test_run_lengths_end_at_their_code() -> None:
    codes = b"\x04\x01\x00\x00\x00\x04\x01\x00\x01\x00\x00\x01"
    decoded = decode(run_length(codes), name="x")
    np.testing.assert_array_equal(decoded.pixels[..., 0], [[7, 0, 7, 0], [7, 7, 7, 7]])
    for cut in range(1, len(codes)):
        with pytest.raises(Unreadable, match="truncated: run-length data without an end"):
            inspect_bmp(run_length(codes[:cut]), LIMITS)


@pytest.mark.parametrize("compression", [4, 5, 7])
def test_other_compressions_are_named(compression: int, noise) -> None:
    data = bytearray(bmp(noise(4, 4, 3)))
    struct.pack_into("<I", data, 30, compression)
    with pytest.raises(Unreadable, match=f"BMP with compression {compression} is not read"):
        inspect_bmp(bytes(data), LIMITS)


def bitmap(bits: int, body: bytes, width: int, height: int, *, compression: int = 0, behind: bytes = b"") -> bytes:
    """A BMP with the shortest usual header; palette or masks stand behind it."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + len(behind)) + head + behind + body


@pytest.mark.parametrize(
    "masks", [(0xFF, 0xFF00, 0xFF0000), (0xFF000000, 0xFF0000, 0xFF00), (0x3FF00000, 0xFFC00, 0x3FF)]
)
def test_masks_that_the_decoder_passes_over_are_not_read(masks: tuple[int, int, int], noise) -> None:
    body = noise(16, 16, 4).tobytes()
    with pytest.raises(Unreadable, match=f"colour masks {masks[0]:08x}, .* not read"):
        decode(bitmap(32, body, 16, 16, compression=3, behind=struct.pack("<III", *masks)), name="x")
    usual = bitmap(32, body, 16, 16, compression=3, behind=struct.pack("<III", 0xFF0000, 0xFF00, 0xFF))
    stored = np.frombuffer(body, np.uint8).reshape(16, 16, 4)[::-1]
    np.testing.assert_array_equal(decode(usual, name="x").pixels, stored[..., 2::-1])


def test_white_of_five_bits_is_white() -> None:
    pixels = decode(bitmap(16, b"\xff\x7f" * 256, 16, 16), name="x").pixels
    assert pixels.min() == 255


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_pixels_are_not_taken_for_a_palette(bits: int) -> None:
    body, palette = bytes(range(128)) * 16, bytes(4 << bits)
    assert decode(bitmap(bits, body, 16, 16, behind=palette), name="x").pixels.max() == 0
    with pytest.raises(Unreadable, match="palette reaches into its pixels"):
        decode(bitmap(bits, body, 16, 16), name="x")


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("upside_down", [False, True])
def test_index_beyond_the_palette_is_unreadable(bits: int, upside_down: bool, noise) -> None:
    last = (1 << bits) - 1
    palette = noise(1 << bits, 4, seed=1)

    def picture(samples: np.ndarray, used: int) -> bytes:
        spread = np.unpackbits(samples[..., None], axis=2)[..., 8 - bits :].reshape(24, -1)
        rows = np.pad(np.packbits(spread, axis=1), ((0, 0), (0, -(40 * bits // 8) % 4)))
        stored = rows if upside_down else rows[::-1]
        begin = 54 + 4 * used
        head = struct.pack("<2sIII", b"BM", begin + rows.size, 0, begin)
        info = struct.pack("<IiiHHIIiiII", 40, 40, -24 if upside_down else 24, 1, bits, 0, 0, 0, 0, used, 0)
        return head + info + palette[:used].tobytes() + stored.tobytes()

    samples = noise(24, 40) & last
    within = np.minimum(samples, last - 1)
    for some, used in ((samples, last + 1), (within, last)):
        np.testing.assert_array_equal(decode(picture(some, used), name="x").pixels, palette[some][..., 2::-1])
    beyond = np.count_nonzero(samples == last)
    with pytest.raises(Unreadable, match=rf"^damaged BMP: {beyond} pixels have no colour in the palette$"):
        decode(picture(samples, last), name="x")


@pytest.mark.parametrize(
    ("codes", "missing"),
    [
        (b"\0\1", 16 * 20),
        (b"\0\2\5\5" + b"\x0a\7\0\1", 16 * 20 - 10),
        (b"\x14\7\0\0" * 15 + b"\x13\7\0\0\0\1", 1),
        (b"\x14\7\0\0" * 15 + b"\0\x13" + b"\7" * 20 + b"\0\0\0\1", 1),
        (b"\x14\7\0\0" * 15 + b"\0\x14" + b"\7" * 20 + b"\0\0\0\1", 0),
    ],
)
def test_pixels_that_no_run_sets_are_unreadable(codes: bytes, missing: int) -> None:
    """Of those the decoders make black, the palette's first colour or transparent, as each likes."""
    data = bitmap(8, codes, 20, 16, compression=1, behind=bytes(range(256)) * 4)
    if not missing:
        assert decode(data, name="x").flags == ()
        return
    with pytest.raises(Unreadable, match=f"^damaged BMP: run-length data leave {missing} pixels without a colour$"):
        inspect_bmp(data, LIMITS)


@pytest.mark.parametrize("bits", [2, 64])
def test_rare_depths_are_not_read(bits: int) -> None:
    with pytest.raises(Unreadable, match=f"^BMP with {bits} bits a pixel is not read$"):
        inspect_bmp(bitmap(bits, bytes(20 * 16 * 8), 20, 16), LIMITS)


def test_compressions_of_os2_have_other_meanings() -> None:
    head = struct.pack("<IiiHHI", 64, 20, 16, 1, 1, 3) + bytes(44)
    data = b"BM" + struct.pack("<IHHI", 3000, 0, 0, 14 + 64 + 8) + head + bytes(3000)
    with pytest.raises(Unreadable, match=r"^BMP with OS/2's Huffman compression is not read$"):
        inspect_bmp(data, LIMITS)


@pytest.mark.parametrize(
    ("masks", "read"), [((0xF800, 0x7E0, 0x1F), True), ((0x7C00, 0x3E0, 0x1F), True), ((0x1F, 0x3E0, 0x7C00), False)]
)
def test_masks_of_16_bits(masks: tuple[int, int, int], read: bool) -> None:
    body = struct.pack("<H", masks[0]) * 320
    data = bitmap(16, body, 20, 16, compression=3, behind=struct.pack("<III", *masks))
    if read:
        assert (decode(data, name="x").pixels == (255, 0, 0)).all()
        return
    with pytest.raises(Unreadable, match=r"^BMP with colour masks 0000001f, 000003e0, 00007c00 is not read$"):
        inspect_bmp(data, LIMITS)
