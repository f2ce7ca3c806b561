"""Fields of a TIFF as stored, and where the file ends."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from forensic.data.inspect_tiff import inspect_tiff
from forensic.data.inspection import DecodeLimits
from forensic.data.tiff_file import TiffFile
from forensic.errors import Unreadable

LIMITS = DecodeLimits()
ORDERS = pytest.mark.parametrize("order", ["<", ">"])


@ORDERS
@pytest.mark.parametrize("big", [False, True])
def test_fields_are_told_as_stored(order: str, big: bool, tiff, noise) -> None:
    file = TiffFile(tiff(noise(16, 20, 3), {700: (1, 2, 3, 4, 5)}, order=order, big=big))
    entry = file.first().entries[700]
    assert file.stored(entry) == struct.pack(order + "5H", 1, 2, 3, 4, 5)
    with pytest.raises(Unreadable, match="does not fit the file"):
        file.stored(entry._replace(length=1 << 40))
    with pytest.raises(Unreadable, match="type 99"):
        file.stored(entry._replace(kind=99))


@ORDERS
@pytest.mark.parametrize("big", [False, True])
def test_the_end_lies_behind_all_that_is_spoken_of(order: str, big: bool, tiff, noise) -> None:
    data = tiff(noise(16, 20, 3), {700: (1, 2, 3, 4, 5)}, order=order, big=big)
    assert TiffFile(data).end() in (len(data), len(data) - 1)  # a byte of padding
    assert inspect_tiff(data + bytes(14), LIMITS).flags == ()
    assert inspect_tiff(data + b"PK\x03\x04 hidden", LIMITS).flags[0].startswith("trailing-data=")


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg", "group4"])
def test_what_stands_behind_pages_and_metadata_is_told(compression: str, saved, noise) -> None:
    picture = Image.fromarray(noise(40, 56, 3)).convert("1" if compression == "group4" else "RGB")
    exif = Image.Exif()
    exif[270] = "a description that does not fit its field"
    exif.get_ifd(34665)[37510] = b"a comment in a directory of its own"
    data = saved(picture, "TIFF", compression=compression, save_all=True, append_images=[picture] * 2, exif=exif)
    pages = [flag for flag in inspect_tiff(data, LIMITS).flags if flag.startswith("multi")]
    assert pages == ["multi-page-first=3"]
    assert not [flag for flag in inspect_tiff(data, LIMITS).flags if flag.startswith("trailing")]
    flags = inspect_tiff(data + b"Rar!\x1a\x07 and more", LIMITS).flags
    assert flags[-1] == f"trailing-data={len(data)}+15:rar"


def test_directories_that_can_not_be_read_have_no_end(tiff, noise) -> None:
    beyond = tiff(noise(16, 20, 3), {330: (60_000,)})
    assert TiffFile(beyond).end() is None
    assert inspect_tiff(beyond + b"PK\x03\x04 hidden", LIMITS).flags == ()
    data = bytearray(tiff(noise(16, 20, 3), {330: (8,)}))
    start = struct.unpack_from("<I", data, 4)[0]
    place = data.index(struct.pack("<HHI", 330, 3, 1)) + 8
    data[place : place + 2] = struct.pack("<H", start)  # a directory in itself
    assert TiffFile(bytes(data)).end() == len(data)
