"""Rows that are told to be real are those of the whole file, bit for bit; where that can not be told there are none."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from forensic.data.decode import DecodeLimits, decode
from forensic.data.exif import turn
from forensic.data.salvage import Part, salvage
from forensic.errors import Unreadable

LIMITS = DecodeLimits()


def picture(height: int = 200, width: int = 240) -> np.ndarray:
    """Smooth and noisy, so that a JPEG's bytes are spread over its rows."""
    noise = np.random.default_rng(3).integers(0, 60, (height, width, 3))
    slope = np.arange(height)[:, None, None] // 2 + np.arange(width)[None, :, None] // 3
    return (noise + slope % 190).clip(1, 255).astype(np.uint8)


def written(form: str, pixels: np.ndarray | None = None, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture() if pixels is None else pixels).convert(mode).save(file, form, **options)
    return file.getvalue()


def rows_of(part: Part, whole: bytes) -> None:
    """The part is the top of the whole picture."""
    np.testing.assert_array_equal(part.pixels, decode(whole, name="x").pixels[: part.rows])


JPEGS: dict[str, dict[str, Any]] = {
    "420": {"quality": 90},
    "422": {"quality": 90, "subsampling": "4:2:2"},
    "444": {"quality": 60, "subsampling": "4:4:4"},
    "grey": {"mode": "L", "quality": 90},
    "restarts": {"quality": 90, "restart_marker_blocks": 7},
}


def jpeg(name: str = "420") -> bytes:
    return written("JPEG", **JPEGS[name])


@pytest.mark.parametrize("name", JPEGS)
def test_rows_of_a_jpeg_are_those_of_the_whole_one(name: str) -> None:
    whole, before = jpeg(name), 0
    for share in (0.3, 0.55, 0.8, 0.97):
        cut = int(len(whole) * share)
        part = salvage(whole[:cut], LIMITS)
        rows_of(part, whole)
        assert part.of_rows == 200
        assert before < part.rows
        before = part.rows
        # as many as there may be: what is lost is the row of blocks that was cut, and the one that touches it
        assert part.rows > 200 * share - 40
    assert not salvage(whole[:cut], LIMITS).flags or name == "grey"


@pytest.mark.parametrize("back", range(1, 9))
def test_every_end_of_the_bytes_is_a_row_of_the_whole_jpeg(back: int) -> None:
    """Also one between FF and its stuffed zero, and behind the last bits of a block."""
    whole = jpeg()
    at = next(place for place in range(len(whole) // 2, len(whole) - 2) if whole[place : place + 2] == b"\xff\x00")
    rows_of(salvage(whole[: at + 5 - back], LIMITS), whole)


def test_hostile_file(hostile: Path) -> None:
    part = salvage((hostile / "jpeg-truncated-half.jpg").read_bytes(), LIMITS)
    rows_of(part, (hostile / "jpeg-ok-control.jpg").read_bytes())
    assert (part.rows, part.of_rows, part.flags) == (62, 144, ())


@pytest.mark.parametrize("mode", ["RGB", "P", "1", "LA"], ids=["rgb", "palette", "1-bit", "grey-alpha"])
def test_rows_of_a_png_are_those_of_the_whole_one(mode: str) -> None:
    whole = written("PNG", mode=mode)
    part = salvage(whole[: len(whole) * 6 // 10], LIMITS)
    assert 0 < part.rows < part.of_rows == 200
    rows_of(part, whole)


def in_chunks(size: int) -> bytes:
    """A PNG of stored rows whose image data is cut into chunks of that size."""
    rows = b"".join(b"\0" + row.tobytes() for row in picture(40, 20))
    packed = zlib.compress(rows, 0)
    parts = [packed[at : at + size] for at in range(0, len(packed), size)]
    header = struct.pack(">IIBBBBB", 20, 40, 8, 2, 0, 0, 0)
    listed = [(b"IHDR", header), *((b"IDAT", part) for part in parts), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in listed]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_rows_without_a_checksum_are_told() -> None:
    """Rows of 61 bytes, behind a head of 7; chunks of 500."""
    whole = in_chunks(500)
    start = 33 + 12 + 500  # the second chunk
    part = salvage(whole[: start + 8 + 300], LIMITS)
    rows_of(part, whole)
    assert (part.rows, part.flags) == (13, ("checksum-missing=5",))  # 793 bytes; 493 of them, 8 rows, are checked
    part = salvage(whole[: start + 12 + 500 + 4], LIMITS)
    rows_of(part, whole)
    assert (part.rows, part.flags) == (16, ())


def test_all_rows_where_something_behind_them_is_cut() -> None:
    whole = written("PNG")
    part = salvage(whole[:-12] + b"\0\0\0\x09tEXtTit", LIMITS)
    rows_of(part, whole)
    assert (part.rows, part.of_rows, part.flags) == (200, 200, ())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_part_lies_on_the_grid_of_the_upright_picture(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    whole = written("JPEG", quality=90, exif=exif)
    part = salvage(whole[: len(whole) * 7 // 10], LIMITS)
    upright = decode(whole, name="x.jpg").pixels
    there = turn(np.repeat(np.arange(200)[:, None, None] < part.rows, 240, 1).astype(np.uint8), orientation)[:, :, 0]
    top, left = (int(axis.min()) for axis in np.nonzero(there))
    top, left = -(-top // 16) * 16, -(-left // 16) * 16
    height, width = part.pixels.shape[:2]
    np.testing.assert_array_equal(part.pixels, upright[top : top + height, left : left + width])
    assert there[top:, left:].sum() == height * width
    assert ("exif-rotated" in part.flags) == (orientation > 1)


def cut(data: bytes, share: float = 0.6) -> bytes:
    return data[: int(len(data) * share)]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: cut(written("JPEG", progressive=True)), "only a sequential JPEG"),
        (lambda: cut(written("JPEG", mode="CMYK")), "only grey and three-colour"),
        (lambda: jpeg()[:9000] + jpeg()[-2:], "the scan has an end"),
        (lambda: jpeg()[:150], "truncated in header"),
        (lambda: jpeg()[:700], "no row of blocks is whole"),
        (lambda: written("PNG")[:120], "no row is whole"),
        (lambda: written("PNG")[:37], "the file ends before its image data"),
        (lambda: cut(written("WEBP", lossless=True)), "of a cut WebP no row"),
        (lambda: cut(written("GIF")), "of a cut GIF no row"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_is_salvaged_where_it_can_not_be_told(made: Callable[[], bytes], why: str) -> None:
    with pytest.raises(Unreadable, match=r"^nothing to salvage: ") as refused:
        salvage(made(), LIMITS)
    assert why in refused.value.reason


def test_an_interlaced_png_is_refused() -> None:
    whole = bytearray(written("PNG"))
    whole[28] = 1
    whole[29:33] = struct.pack(">I", zlib.crc32(whole[12:29]))
    with pytest.raises(Unreadable, match="interlaced"):
        salvage(cut(bytes(whole)), LIMITS)


def test_no_prefix_of_a_file_raises_anything_else(hostile: Path) -> None:
    for name in ("jpeg-ok-control.jpg", "png-16bit-rgb.png"):
        whole = (hostile / name).read_bytes()
        for end in range(20, len(whole), len(whole) // 60):
            try:
                part = salvage(whole[:end], LIMITS)
            except Unreadable:
                continue
            rows_of(part, whole)
