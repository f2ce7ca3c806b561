"""JPEG: segments by themselves, and packets and boxes that lie in several of them."""

from __future__ import annotations

import struct

import pytest

from forensic.errors import Unreadable
from forensic.provenance.blocks import Block, Damage
from forensic.provenance.jpeg import jpeg_blocks

EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"


def extended(packet: bytes, at: int, part: bytes, guid: bytes = b"G" * 32) -> tuple[int, bytes]:
    return 0xE1, EXTENDED + guid + struct.pack(">II", len(packet), at) + part


def jumbf_part(order: int, part: bytes, number: int = 1) -> tuple[int, bytes]:
    return 0xEB, b"JP" + struct.pack(">HI", number, order) + part


@pytest.mark.parametrize(
    ("segment", "kind", "key", "data"),
    [
        ((0xE1, b"Exif\0\0II*\0"), "exif", "", b"II*\0"),
        ((0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), "xmp", "", b"<x/>"),
        ((0xFE, b"words"), "text", "Comment", b"words"),
        ((0xEB, b'AIGC{"Label":"1"}'), "text", "APP11", b'AIGC{"Label":"1"}'),
        ((0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\3abc"), "iim", "", b"abc"),
        ((0xED, b"Photoshop 3.0\0" + b"8BIM\4\1\3abc\0\0\0\1x\0" + b"8BIM\4\4\0\0\0\0\0\3abc"), "iim", "", b"abc"),
    ],
)
def test_one_segment(segment: tuple[int, bytes], kind: str, key: str, data: bytes, jpeg) -> None:
    whole = jpeg(segment)
    (found,) = jpeg_blocks(whole)
    assert isinstance(found, Block)
    assert (found.kind, found.key, found.data) == (kind, key, data)
    assert found.at is not None
    assert whole[found.at :].startswith(data)


@pytest.mark.parametrize("segment", [(0xE1, b"other"), (0xEB, b"other"), (0xED, b"other"), (0xE2, b"ICC_PROFILE\0")])
def test_other_segments_give_nothing(segment: tuple[int, bytes], jpeg) -> None:
    assert list(jpeg_blocks(jpeg(segment))) == []


def test_extended_xmp_is_put_together_in_its_own_order(jpeg) -> None:
    (found,) = jpeg_blocks(jpeg(extended(b"abcdef", 3, b"def"), extended(b"abcdef", 0, b"abc")))
    assert (found.kind, found.data, found.at) == ("xmp", b"abcdef", None)
    (hole,) = jpeg_blocks(jpeg(extended(b"abcdef", 4, b"ef"), extended(b"abcdef", 0, b"abc")))
    assert isinstance(hole, Damage)
    assert hole.reason == "damaged: a part begins at 4 instead of 3"


def test_boxes_are_put_together_without_their_repeated_heads(jpeg) -> None:
    head = struct.pack(">I4s", 20, b"jumb")
    parts = [jumbf_part(2, head + b"ghijkl"), jumbf_part(1, head + b"abcdef"), jumbf_part(1, head + b"other", 2)]
    found = list(jpeg_blocks(jpeg(*parts)))
    assert [each.data for each in found] == [head + b"abcdefghijkl", head + b"other"]
    long = b"\0\0\0\1jumb" + struct.pack(">Q", 20)
    (found,) = jpeg_blocks(jpeg(jumbf_part(1, long + b"ab"), jumbf_part(2, long + b"cd")))
    assert found.data == long + b"abcd"


@pytest.mark.parametrize("orders", [(1, 3), (1, 1)])
def test_a_missing_or_doubled_part_is_damage(orders: tuple[int, int], jpeg) -> None:
    head = struct.pack(">I4s", 20, b"jumb")
    (found,) = jpeg_blocks(jpeg(*(jumbf_part(order, head + b"abc") for order in orders)))
    assert isinstance(found, Damage)


def test_what_stands_before_damage_is_given_first(jpeg) -> None:
    head = struct.pack(">I4s", 12, b"jumb")
    whole = jpeg((0xFE, b"one"), jumbf_part(1, head + b"abcd"))
    walk = jpeg_blocks(whole[: whole.index(b"\xff\xdb") + 3])
    assert [next(walk).data, next(walk).data] == [b"one", head + b"abcd"]
    with pytest.raises(Unreadable, match="truncated in header"):
        next(walk)
