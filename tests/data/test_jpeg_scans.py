"""Scans of a JPEG: order, restart intervals, and headers that would keep the decoder from telling of harm."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from forensic.data.decode import decode
from forensic.data.inspect_jpeg import inspect_jpeg, segments
from forensic.data.inspection import DecodeLimits
from forensic.data.jpeg_scans import Scans, quiet_segment
from forensic.errors import Unreadable

LIMITS = DecodeLimits()
CONTROL = (Path(__file__).parents[1] / "hostile" / "jpeg-ok-control.jpg").read_bytes()
ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"


def odd_version(data: bytes) -> bytes:
    at = data.index(b"JFIF\0")
    return data[: at + 5] + b"\3" + data[at + 6 :]


def odd_adobe(data: bytes) -> bytes:
    end = data.index(b"JFIF\0") + 14  # instead of the JFIF segment, which has the last word about colours
    return b"\xff\xd8" + ADOBE + b"\7" + data[end:]


def odd_scan_header(data: bytes) -> bytes:
    scan = next(segment for segment in segments(data) if segment.marker == 0xDA)
    return data[: scan.end - 3] + b"\0\0\0" + data[scan.end :]


ODD = pytest.mark.parametrize("odd", [odd_version, odd_adobe, odd_scan_header])


@ODD
def test_a_harmless_oddity_hides_no_scan_that_ends_early(odd) -> None:
    cut = CONTROL[: len(CONTROL) // 2] + b"\xff\xd9"
    with pytest.raises(Unreadable, match=r"^truncated: the decoder reports a premature end of data$"):
        decode(odd(cut), name="x.jpg")


@ODD
def test_a_harmless_oddity_changes_no_pixel(odd) -> None:
    decoded = decode(odd(CONTROL), name="x.jpg")
    assert decoded.flags == ()
    np.testing.assert_array_equal(decoded.pixels, decode(CONTROL, name="x.jpg").pixels)


def test_segments_keep_their_length_and_all_else() -> None:
    jfif = CONTROL[2 : CONTROL.index(b"JFIF\0") + 14]
    assert quiet_segment(jfif, 3) == jfif
    assert quiet_segment(odd_version(CONTROL)[2 : len(jfif) + 2], 3) == jfif
    for components, stored, expected in ((3, 2, 1), (3, 0, 0), (4, 1, 2), (4, 0, 0), (1, 9, 9)):
        assert quiet_segment(ADOBE + bytes((stored,)), components) == ADOBE + bytes((expected,))
    assert quiet_segment(b"\xff\xe0\0\6JFIF\0"[:8], 3) == b"\xff\xe0\0\6JFIF"


def test_a_warning_that_hides_others_is_damage_in_other_containers(saved, noise) -> None:
    data = saved(noise(64, 64, 3), "TIFF", compression="jpeg")
    assert decode(data, name="x.tif").format == "TIFF"
    at = data.rindex(b"\xff\xda")
    end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
    quiet = data[: end - 3] + b"\0\0\0" + data[end:]
    cut = quiet[: end + 2000] + b"\xff\xd9" + quiet[end + 2002 :]
    with pytest.raises(Unreadable, match=r"^damaged TIFF: Invalid SOS parameters$"):
        decode(cut, name="x.tif")


def scans_of(data: bytes) -> list[bytes]:
    return [data[each.at - 2 : each.stop] for each in segments(data) if each.marker == 0xDA]


@pytest.mark.parametrize("index", range(6))
def test_a_progressive_scan_left_out_is_told(index: int, saved, smooth) -> None:
    data = saved(smooth(48, 64), "JPEG", progressive=True)
    scans = scans_of(data)
    assert len(scans) == 10  # the last four refine: without them bits are missing
    with pytest.raises(Unreadable, match=r"^damaged JPEG: a scan does not go on from those before it \(coefficient "):
        inspect_jpeg(data.replace(scans[index], b"", 1), LIMITS)
    with pytest.raises(Unreadable, match=r"^damaged JPEG: a scan does not go on from those before it \(coefficient "):
        inspect_jpeg(data.replace(scans[index], 2 * scans[index], 1), LIMITS)


def test_a_component_in_two_sequential_scans_is_damaged() -> None:
    scan = scans_of(CONTROL)[0]
    with pytest.raises(Unreadable, match=r"^damaged JPEG: two scans of component 1$"):
        inspect_jpeg(CONTROL.replace(scan, 2 * scan, 1), LIMITS)


@pytest.mark.parametrize("body", [b"", b"\0\0\x3f\0", b"\3\1\0\2\x11\3"])
def test_a_scan_header_of_a_wrong_length_is_damaged(body: bytes) -> None:
    frame = struct.pack(">BHHB", 8, 16, 16, 1) + b"\1\x11\0"
    with pytest.raises(Unreadable, match=r"^damaged JPEG: scan header$"):
        Scans(frame, progressive=False).add(body, b"", (0, 0), 0)


def test_grey_behind_restart_markers_that_are_not_there_is_not_scored() -> None:
    start = CONTROL.index(b"\xff\xda")
    stated = CONTROL[:start] + b"\xff\xdd\0\4\0\5" + CONTROL[start:]  # 12 x 9 units in intervals of 5
    with pytest.raises(Unreadable, match=r"^damaged JPEG: 21 restart intervals are missing$"):
        decode(stated, name="x.jpg")


@pytest.mark.parametrize(
    "options",
    [
        {"restart_marker_blocks": 1},
        {"restart_marker_blocks": 7, "subsampling": 2},
        {"restart_marker_rows": 1, "subsampling": 1, "progressive": True},
        {"restart_marker_blocks": 3, "progressive": True},
    ],
)
def test_intervals_are_counted_as_an_encoder_counts_them(options: dict[str, object], saved, noise) -> None:
    data = saved(noise(75, 91, 3), "JPEG", **options)
    assert inspect_jpeg(data, LIMITS).intervals_missing == 0
    at = data.rindex(b"\xff", 0, data.rindex(b"\xff\xd9"))
    while not 0xD0 <= data[at + 1] <= 0xD7:
        at = data.rindex(b"\xff", 0, at)
    assert inspect_jpeg(data[:at] + data[at + 2 :], LIMITS).intervals_missing == 1
    surplus = decode(data[:-2] + 8 * b"surplus" + b"\xff\xd9", name="x.jpg")
    assert surplus.flags == ("decoder-warning",)
