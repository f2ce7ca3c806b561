"""JPEG: every rule of the marker walk, on files that Pillow wrote and hands then broke."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from forensic.data.decode import decode
from forensic.data.inspect_jpeg import inspect_jpeg, segments
from forensic.data.inspection import DecodeLimits
from forensic.errors import Unreadable

LIMITS = DecodeLimits()
CONTROL = (Path(__file__).parents[1] / "hostile" / "jpeg-ok-control.jpg").read_bytes()


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def test_decoder_gets_no_metadata(saved, smooth) -> None:
    plain = saved(smooth(32, 48), "JPEG")
    extra = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>") + segment(0xFE, b"comment") + segment(0xED, b"8BIM")
    dressed = plain[:2] + extra + plain[2:] + b"behind"
    assert inspect_jpeg(dressed, LIMITS).payload == inspect_jpeg(plain, LIMITS).payload == plain


@pytest.mark.parametrize("cut", range(2, 60, 3))
def test_a_scan_that_ends_early_is_truncated_with_and_without_end_marker(cut: int) -> None:
    for data in (CONTROL[: -2 - cut], CONTROL[: -2 - cut] + b"\xff\xd9"):
        with pytest.raises(Unreadable, match=r"^truncated: the decoder reports a premature end of data$"):
            decode(data, name="x.jpg")


@pytest.mark.parametrize("ending", [b"", b"\xff", b"\xff\xff\xff"])
def test_a_whole_scan_without_end_marker_is_a_flag(ending: bytes) -> None:
    decoded = decode(CONTROL[:-2] + ending, name="x.jpg")
    assert decoded.flags == ("missing-end-marker",)
    np.testing.assert_array_equal(decoded.pixels, decode(CONTROL, name="x.jpg").pixels)


def scans_of(data: bytes) -> list[int]:
    return [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]


@pytest.mark.parametrize("kept", range(1, 10))
@pytest.mark.parametrize("ending", [b"", b"\xff\xd9"])
def test_progressive_with_scans_missing_is_truncated(kept: int, ending: bytes, saved, noise) -> None:
    data = saved(noise(64, 64, 3), "JPEG", progressive=True)
    starts = scans_of(data)
    assert len(starts) == 10
    with pytest.raises(Unreadable, match=r"^truncated"):
        decode(data[: starts[kept]] + ending, name="x.jpg")


def test_every_cut_of_the_header_says_so() -> None:
    reasons = set()
    for end in range(3, CONTROL.index(b"\xff\xda") + 2):
        with pytest.raises(Unreadable) as refused:
            inspect_jpeg(CONTROL[:end], LIMITS)
        reasons.add(refused.value.reason)
    assert reasons == {"truncated in header"}


@pytest.mark.parametrize(
    ("marker", "body", "reason"),
    [
        (0xC3, bytes(20), "lossless JPEG is not read"),
        (0xC5, bytes(20), "hierarchical JPEG is not read"),
        (0xC9, bytes(20), "arithmetic-coded JPEG is not read"),
        (0xCA, bytes(20), "arithmetic-coded JPEG is not read"),
        (0xDE, bytes(20), "hierarchical JPEG is not read"),
        (0xF7, bytes(20), r"lossless \(LS\) JPEG is not read"),
        (0xC1, struct.pack(">BHHB", 12, 8, 8, 1) + b"\1\x11\0", "JPEG with 12-bit samples is not read"),
        (0xC0, struct.pack(">BHHB", 8, 0, 8, 1) + b"\1\x11\0", r"\(DNL\) is not read"),
        (0xC0, struct.pack(">BHHB", 8, 8, 8, 2) + bytes(6), "JPEG with 2 components is not read"),
        (0xC0, b"\x08\0", "damaged JPEG: frame header"),
        (0xDA, b"\1\1\0\0\x3f\0", "damaged JPEG: scan before its frame"),
        (0xD8, b"", "damaged JPEG: marker FFD8"),
    ],
)
def test_what_is_not_read_is_named(marker: int, body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        inspect_jpeg(b"\xff\xd8" + segment(marker, body) + b"\xff\xd9", LIMITS)


def test_two_frames_and_no_picture_are_damaged() -> None:
    frame = segment(0xC0, struct.pack(">BHHB", 8, 8, 8, 1) + b"\1\x11\0")
    with pytest.raises(Unreadable, match="two frames"):
        inspect_jpeg(b"\xff\xd8" + frame + frame, LIMITS)
    with pytest.raises(Unreadable, match="no image before the end marker"):
        inspect_jpeg(b"\xff\xd8" + frame + b"\xff\xd9", LIMITS)


def test_garbage_before_the_end_marker_is_a_flag() -> None:
    decoded = decode(CONTROL[:-2] + b"abcdefgh" + b"\xff\xd9", name="x.jpg")
    assert decoded.flags == ("decoder-warning",)


def test_intervals_lost_between_restart_markers_are_not_scored_as_grey(saved, smooth) -> None:
    whole = saved(smooth(96, 96), "JPEG", restart_marker_blocks=2)
    first = whole.index(b"\xff\xd1")
    lost = whole[:first] + whole[whole.index(b"\xff\xd1", first + 2) :]  # eight intervals
    surplus_then_cut = whole[:first] + b"\x11\x22\x33" + whole[first : (first + len(whole)) // 2] + b"\xff\xd9"
    swapped = whole[: first + 1] + b"\xd5" + whole[first + 2 :]
    frame = whole.index(b"\xff\xc0") + 5
    taller = whole[:frame] + struct.pack(">H", 300) + whole[frame + 2 :]
    assert decode(whole, name="x.jpg").flags == ()
    for data in (lost, surplus_then_cut, swapped, taller):
        with pytest.raises(Unreadable, match=r"damaged JPEG|truncated"):
            decode(data, name="x.jpg")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}, {"subsampling": 0}])
def test_fill_bytes_and_restarts_do_not_end_a_scan(options: dict[str, object], saved, smooth) -> None:
    data = saved(smooth(40, 56), "JPEG", **options)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image.convert("RGB"))
    filled = data[:-2] + b"\xff\xff" + data[-2:]
    assert decode(filled, name="x.jpg").flags == ()
    np.testing.assert_array_equal(decode(filled, name="x.jpg").pixels, expected)


@pytest.mark.parametrize(
    ("tail", "word"),
    [
        (b"PK\x03\x04rest", "zip"),
        (CONTROL, "jpeg"),
        (bytes(40), "zeros"),
        (b"some text", "text"),
        (b"\x89PNG\r\n\x1a\nmore", "png"),
        (b"\x01\x92\xf3\x04", "data"),
    ],
)
def test_what_stands_behind_the_end_is_told(tail: bytes, word: str) -> None:
    assert decode(CONTROL + tail, name="x.jpg").flags == (f"trailing-data=7215+{len(tail)}:{word}",)


def test_icc_profile_in_pieces_is_sound_and_a_piece_alone_is_not(saved, smooth) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    half = len(profile) // 2
    pieces = [b"ICC_PROFILE\0" + bytes([i + 1, 2]) + part for i, part in enumerate((profile[:half], profile[half:]))]
    plain = saved(smooth(32, 48), "JPEG")
    whole = plain[:2] + segment(0xE2, pieces[1]) + segment(0xE2, pieces[0]) + plain[2:]
    assert inspect_jpeg(whole, LIMITS).flags == ()
    assert inspect_jpeg(plain[:2] + segment(0xE2, pieces[0]) + plain[2:], LIMITS).flags == ("icc-invalid",)


def test_adobe_colours_are_kept(saved, smooth) -> None:
    stored = smooth(32, 48)
    decoded = decode(saved(stored, "JPEG", quality=100, keep_rgb=True), name="x.jpg")
    assert np.abs(decoded.pixels.astype(int) - stored).max() <= 3


def test_mpo_with_data_behind_its_last_picture(saved, smooth) -> None:
    second = Image.fromarray(smooth(24, 24))
    mpo = saved(smooth(32, 48), "MPO", save_all=True, append_images=[second, second])
    decoded = decode(mpo, name="x.mpo")
    assert (decoded.format, decoded.flags) == ("JPEG (MPO)", ("multi-frame-first=3",))
    assert decode(mpo + b"PK\x03\x04", name="x.mpo").flags[1] == f"trailing-data={len(mpo)}+4:zip"


def test_segments_are_told_with_their_places_until_the_damage(saved, smooth) -> None:
    plain = saved(smooth(32, 48), "JPEG")
    data = plain[:2] + segment(0xFE, b"one") + segment(0xE5, b"two") + plain[2:]
    found = list(segments(data))
    assert [(each.marker, data[each.at + 2 : each.end]) for each in found[:2]] == [(0xFE, b"one"), (0xE5, b"two")]
    assert found[-1].marker == 0xD9
    assert all(data[each.stop] == 0xFF for each in found[:-1])
    walk = segments(data[:2] + segment(0xFE, b"one") + b"no marker")
    assert next(walk).marker == 0xFE
    with pytest.raises(Unreadable, match="no marker at byte 9"):
        next(walk)
