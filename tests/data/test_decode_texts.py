"""A large but honest text beside a picture leaves its pixels, in every format that holds texts (Pillow 8363)."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from forensic.data.decode import decode

TEXT = b"a workflow, step by step; " * 100_000
"""2.6 MB: more than Pillow lets a PNG's text be."""


def with_exif() -> bytes:
    block = Image.Exif()
    block[0x010E] = TEXT[:60_000].decode()
    return block.tobytes()


def jpeg_with_comments(plain: bytes) -> bytes:
    segments = (TEXT[at : at + 65_000] for at in range(0, len(TEXT), 65_000))
    return plain[:2] + b"".join(b"\xff\xfe" + (len(one) + 2).to_bytes(2, "big") + one for one in segments) + plain[2:]


@pytest.fixture
def pairs(saved, smooth, png, chunk) -> Callable[[str], tuple[bytes, bytes]]:
    """`pairs("WebP: XMP")`: the same picture without and with the text."""
    picture = smooth(40, 64)

    def make(name: str) -> tuple[bytes, bytes]:
        kind, _, place = name.partition(": ")
        if kind == "PNG":
            body = {
                "tEXt": b"workflow\0" + TEXT,
                "zTXt": b"workflow\0\0" + zlib.compress(TEXT),
                "iTXt": b"workflow\0\1\0en\0workflow\0" + zlib.compress(TEXT),
                "eXIf": with_exif()[6:],
            }[place]
            text = chunk(place.encode(), body)
            return png(picture, colour=2), png(picture, colour=2, before=text)
        if name == "JPEG: comments":
            plain = saved(picture, "JPEG", quality=90)
            return plain, jpeg_with_comments(plain)
        options = {"GIF": {}, "TIFF": {}}.get(kind, {"quality": 90})
        more: dict[str, object] = {"XMP": {"xmp": TEXT}, "EXIF": {"exif": with_exif()}}.get(place, {"comment": TEXT})
        if name == "TIFF: description":
            fields = TiffImagePlugin.ImageFileDirectory_v2()
            fields[270] = TEXT.decode()
            more = {"tiffinfo": fields}
        return saved(picture, kind.upper(), **options), saved(picture, kind.upper(), **options, **more)

    return make


PLACES = (
    "PNG: tEXt", "PNG: zTXt", "PNG: iTXt", "PNG: eXIf", "JPEG: comments", "JPEG: EXIF", "WebP: XMP", "WebP: EXIF",
    "GIF: comment", "TIFF: description", "AVIF: XMP", "AVIF: EXIF",
)  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_a_large_honest_text_leaves_the_pixels(name: str, pairs) -> None:
    plain, told = pairs(name)
    assert len(told) > len(plain)
    without, decoded = (decode(data, name="x") for data in (plain, told))
    np.testing.assert_array_equal(decoded.pixels, without.pixels)
    assert [flag for flag in decoded.flags if flag not in without.flags] == []


def test_a_text_beyond_the_limit_is_a_flag_and_leaves_the_pixels(hostile) -> None:
    data = (hostile / "png-ztxt-bomb-32mb.png").read_bytes()
    at = data.index(b"zTXt") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    without, decoded = (decode(one, name="x.png") for one in (data[:at] + data[at + 12 + length :], data))
    np.testing.assert_array_equal(decoded.pixels, without.pixels)
    assert (without.flags, decoded.flags) == ((), ("metadata-limit",))
