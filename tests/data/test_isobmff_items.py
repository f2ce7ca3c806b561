"""Items of a `meta` box: found where the tables say, refused where they can not be right."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from forensic.data.isobmff_boxes import boxes
from forensic.data.isobmff_items import Item, beginnings, metadata_items
from forensic.errors import Unreadable

EXIF = b"II*\0\x08\0\0\0" + struct.pack("<HHHI4sI", 1, 0x131, 2, 4, b"abc\0", 0)
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def items_of(data: bytes) -> list[Item]:
    for kind, begin, end in boxes(data, 0, len(data)):
        if kind == b"meta":
            return list(metadata_items(data, begin + 4, end))
    return []


def meta(extents: list[tuple[int, int]], *, construction: int = 0, idat: bytes = b"", size: int = 4) -> bytes:
    """A `meta` box with one XMP item of these pieces."""
    entry = box(b"infe", b"\2\0\0\0" + struct.pack(">HH4s", 7, 0, b"mime") + b"\0application/rdf+xml\0")
    iinf = box(b"iinf", bytes(4) + struct.pack(">H", 1) + entry)
    pieces = b"".join(offset.to_bytes(size, "big") + length.to_bytes(size, "big") for offset, length in extents)
    location = struct.pack(">HHHH", 7, construction, 0, len(extents)) + pieces
    iloc = box(b"iloc", b"\1\0\0\0" + bytes([size << 4 | size, 0]) + struct.pack(">H", 1) + location)
    return box(b"meta", bytes(4) + iinf + iloc + (box(b"idat", idat) if idat else b""))


def test_items_that_another_program_wrote_are_found() -> None:
    out = io.BytesIO()
    picture = Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 16, 3))
    picture.save(out, "AVIF", exif=b"Exif\0\0" + EXIF, xmp=XMP)
    found = items_of(out.getvalue())
    assert {(item.kind, item.content_type) for item in found} == {(b"Exif", b""), (b"mime", b"application/rdf+xml")}
    assert any(item.data == XMP for item in found)
    assert any(EXIF in item.data for item in found)
    for item in found:
        assert out.getvalue()[item.at :].startswith(item.data)


@pytest.mark.parametrize("size", [4, 8])
def test_pieces_are_joined(size: int) -> None:
    head = b"abcdefgh"
    data = box(b"free", head) + meta([(8, 3), (13, 2)], size=size)
    assert [item.data for item in items_of(data)] == [b"abcfg"]


def test_an_item_may_stand_in_the_idat_box() -> None:
    data = meta([(2, 3)], construction=1, idat=b"xxABCyy")
    (item,) = items_of(data)
    assert (item.data, data[item.at : item.at + 3]) == (b"ABC", b"ABC")


def test_other_items_are_left_alone(hostile) -> None:
    assert items_of((hostile / "avif-ok.avif").read_bytes()) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (meta([(0, 10_000)]), "reaches beyond the file"),
        (meta([(10_000, 0)]), "reaches beyond the file"),
        (meta([(0, 1)], construction=2), "put together from other items"),
        (meta([(0, 8)] * 5000), "more than 4,096 pieces"),
        (meta([(0, 150)])[:-3] + b"\xff\xff\xff", "beyond the file"),
        (box(b"meta", bytes(4) + box(b"iloc", b"\1")), "damaged item tables"),
        (box(b"meta", bytes(4) + box(b"iloc", b"\1\0\0\0\x44\0\xff\xff")), "iloc ends early"),
        (box(b"meta", bytes(4) + box(b"iloc", b"\1\0\0\0\x33\0\0\0")), "damaged item tables: iloc"),
        (box(b"meta", bytes(4) + box(b"iinf", bytes(6) + box(b"infe", b"\2\0\0\0") * 5000)), "more than 4,096 items"),
    ],
)
def test_tables_that_can_not_be_right_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        items_of(data)


def test_pieces_that_overlap_can_not_make_a_large_item() -> None:
    data = box(b"free", bytes(8192)) + meta([(0, 8192)] * 4000)
    with pytest.raises(Unreadable, match="more than 8,388,608 bytes"):
        items_of(data)


def test_beginnings_of_items_in_the_file() -> None:
    data = box(b"free", b"abcdefgh" * 99) + meta([(8, 500), (13, 2)])
    begin = data.index(b"meta") + 8
    assert list(beginnings(data, begin, len(data), {7})) == [(7, data[8:264])]
    assert list(beginnings(data, begin, len(data), {8})) == []
    elsewhere = box(b"free", b"abc") + meta([(0, 3)], construction=1, idat=b"xyz")
    assert list(beginnings(elsewhere, elsewhere.index(b"meta") + 8, len(elsewhere), {7})) == []
