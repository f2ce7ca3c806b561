"""WebP: the container's own length decides; the first frame of an animation is read."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from forensic.data.decode import decode
from forensic.data.inspect_webp import chunks, container_end, inspect_webp
from forensic.data.inspection import DecodeLimits
from forensic.errors import Unreadable

LIMITS = DecodeLimits()


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_lossless_samples_come_out_exactly(saved, noise) -> None:
    samples = noise(20, 30, 3)
    decoded = decode(saved(samples, "WEBP", lossless=True), name="x")
    np.testing.assert_array_equal(decoded.pixels, samples)
    assert decoded.flags == ()


def test_frames_are_counted_and_the_first_is_read(saved, noise) -> None:
    frames = [Image.fromarray(noise(20, 30, 3, seed=n)) for n in range(3)]
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    decoded = decode(data, name="x")
    assert decoded.flags == ("animated-first-frame=3",)
    np.testing.assert_array_equal(decoded.pixels, noise(20, 30, 3))


@pytest.mark.parametrize("size", [(1, 1), (16383, 16383)])
def test_sizes_are_read_from_each_kind_of_header(size: tuple[int, int]) -> None:
    width, height = size
    kinds = {
        "VP8 ": chunk(b"VP8 ", bytes(6) + struct.pack("<HH", width, height)),
        "VP8L": chunk(b"VP8L", b"\x2f" + struct.pack("<I", width - 1 | height - 1 << 14)),
        "VP8X": chunk(b"VP8X", bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))
        + chunk(b"VP8 ", bytes(6) + struct.pack("<HH", width, height)),
    }
    for data in kinds.values():
        if width * height > LIMITS.max_pixels:
            with pytest.raises(Unreadable, match=r"^268,402,689 pixels exceed the limit"):
                inspect_webp(riff(data), LIMITS)
        else:
            inspection = inspect_webp(riff(data), LIMITS)
            assert (inspection.width, inspection.height) == size


def test_length_of_the_container_decides(saved, smooth) -> None:
    data = saved(smooth(40, 50), "WEBP")
    assert inspect_webp(data + b"PK\x03\x04", LIMITS).flags == (f"trailing-data={len(data)}+4:zip",)
    with pytest.raises(Unreadable, match=r"^truncated"):
        inspect_webp(data[:-3], LIMITS)
    for end in range(12, 30):
        with pytest.raises(Unreadable, match=r"^truncated"):
            inspect_webp(data[:end], LIMITS)


def test_a_container_without_a_picture_is_damaged() -> None:
    with pytest.raises(Unreadable, match="damaged WebP: no image in it"):
        inspect_webp(riff(chunk(b"XMP ", b"<x/>")), LIMITS)


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_exif_with_and_without_prefix_turns(prefix: bytes, saved, smooth) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = saved(smooth(20, 30), "WEBP")
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    picture = plain[plain.index(b"VP8 ") :]
    header = chunk(b"VP8X", b"\x08\0\0\0" + (29).to_bytes(3, "little") + (19).to_bytes(3, "little"))
    decoded = decode(riff(header, picture, chunk(b"EXIF", prefix + block)), name="x")
    assert decoded.flags == ("exif-rotated",)
    np.testing.assert_array_equal(decoded.pixels, np.rot90(decode(plain, name="x").pixels, -1))


def test_a_broken_profile_is_a_flag(saved, smooth) -> None:
    assert decode(saved(smooth(20, 30), "WEBP", icc_profile=b"junk" * 60), name="x").flags == ("icc-invalid",)


def test_chunks_are_told_even_where_they_reach_beyond_the_file() -> None:
    data = riff(chunk(b"ABCD", b"one"), chunk(b"EFGH", b"longer"))[:-2]
    assert [(kind, data[begin : begin + size]) for kind, begin, size in chunks(data)] == [
        (b"ABCD", b"one"),
        (b"EFGH", b"long"),
    ]
    assert [size for _, _, size in chunks(data)] == [3, 6]
    assert container_end(data) == len(data) + 2


def canvas(width: int, height: int, flags: int = 0) -> bytes:
    return chunk(b"VP8X", bytes([flags, 0, 0, 0]) + three(width - 1) + three(height - 1))


def three(number: int) -> bytes:
    return number.to_bytes(3, "little")


def frame(lossless: bytes, left: int, top: int, width: int, height: int) -> bytes:
    place = three(left // 2) + three(top // 2) + three(width - 1) + three(height - 1)
    return chunk(b"ANMF", place + b"\x64\0\0\0" + chunk(b"VP8L", lossless))


def test_only_the_frame_is_scored_where_it_covers_a_part_of_the_canvas(saved, noise) -> None:
    whole = saved(noise(20, 30, 3), "WEBP", lossless=True)
    stream = whole[20 : 20 + struct.unpack_from("<I", whole, 16)[0]]
    animation = chunk(b"ANIM", bytes(6))
    decoded = decode(riff(canvas(90, 80, 2), animation, frame(stream, 10, 6, 30, 20)), name="x")
    assert decoded.flags == ("animated-first-frame=1", "part-of-canvas=90x80")
    np.testing.assert_array_equal(decoded.pixels, noise(20, 30, 3))
    with pytest.raises(Unreadable, match=r"^damaged WebP: the first frame reaches beyond the canvas$"):
        inspect_webp(riff(canvas(30, 20, 2), animation, frame(stream, 10, 6, 30, 20)), LIMITS)


def test_a_second_picture_is_told_and_a_canvas_of_another_size_is_damaged(saved, noise) -> None:
    whole = saved(noise(20, 30, 3), "WEBP", lossless=True)
    picture = whole[12:]
    assert decode(riff(picture, picture), name="x").flags == ("multi-frame-first=2",)
    with pytest.raises(Unreadable, match=r"^damaged WebP: an image of 30x20 on a canvas of 31x20$"):
        inspect_webp(riff(canvas(31, 20), picture), LIMITS)


def test_the_first_of_two_orientations_counts(saved, noise) -> None:
    whole = saved(noise(20, 30, 3), "WEBP", lossless=True)
    turns = [chunk(b"EXIF", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0" + bytes([turn, 0, 0, 0])) for turn in (6, 3)]
    assert inspect_webp(riff(canvas(30, 20, 8), whole[12:], *turns), LIMITS).orientation == 6
