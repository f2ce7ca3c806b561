"""Boxes one after the other; the top of a file may end in something else."""

from __future__ import annotations

import struct

import pytest

from forensic.data.isobmff_boxes import boxes
from forensic.errors import Unreadable


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def test_short_long_and_open_boxes() -> None:
    data = (
        box(b"ftyp", b"avif") + struct.pack(">I4sQ", 1, b"free", 19) + b"abc" + struct.pack(">I4s", 0, b"mdat") + b"xy"
    )
    found = [(kind, data[begin:end]) for kind, begin, end in boxes(data, 0, len(data))]
    assert found == [(b"ftyp", b"avif"), (b"free", b"abc"), (b"mdat", b"xy")]


def test_what_is_no_box_ends_the_top_alone() -> None:
    data = box(b"ftyp", b"avif") + b"\xff\xd8\xff\xe0 something else"
    assert [kind for kind, _, _ in boxes(data, 0, len(data))] == [b"ftyp"]
    text = box(b"ftyp", b"avif") + b"hiddenmessage"  # four letters where a kind would stand, as a size too
    assert [kind for kind, _, _ in boxes(text, 0, len(text))] == [b"ftyp"]
    with pytest.raises(Unreadable, match=r"^truncated: a box ends at byte"):
        list(boxes(b"x" + data, 1, len(data) + 1))


def test_a_box_beyond_what_is_around_it_is_truncated() -> None:
    with pytest.raises(Unreadable, match=r"^truncated: meta ends at byte 24 of 20$"):
        list(boxes(box(b"meta", bytes(16)), 0, 20))
    with pytest.raises(Unreadable, match=r"^truncated in header$"):
        list(boxes(b"\0\0\0", 0, 3))
