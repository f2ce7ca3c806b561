"""EXIF: texts as Pillow writes them, and as generators write comments."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from forensic.errors import Unreadable
from forensic.provenance.exif_tags import TAGS, read_exif_texts, text_of
from forensic.provenance.jpeg import jpeg_blocks


def block(first: dict[int, object], inner: dict[int, object] | None = None) -> bytes:
    exif = Image.Exif()
    for tag, value in first.items():
        exif[tag] = value
    for tag, value in (inner or {}).items():
        exif.get_ifd(0x8769)[tag] = value
    return exif.tobytes().removeprefix(b"Exif\0\0")


def texts(data: bytes) -> dict[str, str]:
    found = {}
    for each in read_exif_texts(data):
        assert not isinstance(each, Unreadable)
        assert data[each.at :].startswith(each.raw)
        found[each.name] = each.text
    return found


def test_both_directories_are_read() -> None:
    data = block({0x131: "a program", 0x10F: "a maker", 0x100: 7}, {0xA434: "a lens"})
    assert texts(data) == {"Software": "a program", "Make": "a maker", "LensModel": "a lens"}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"UNICODE\0" + "wörds\nSteps: 1".encode("utf-16-le"), "wörds\nSteps: 1"),
        (b"UNICODE\0" + "wörds\nSteps: 1".encode("utf-16-be"), "wörds\nSteps: 1"),
        (b"UNICODE\0\xff\xfe" + "words".encode("utf-16-le"), "words"),
        (b"ASCII\0\0\0words\0\0", "words"),
        (bytes(8) + "wörds".encode(), "wörds"),
        (b"words without a code", "words without a code"),
    ],
)
def test_forms_of_a_user_comment(raw: bytes, text: str) -> None:
    assert texts(block({}, {0x9286: raw})) == {"UserComment": text}


def test_windows_tags_are_utf_16() -> None:
    assert texts(block({0x9C9C: "wörds\0".encode("utf-16-le")})) == {"XPComment": "wörds"}


def test_blank_fields_are_left_out() -> None:
    assert texts(block({0x131: " ", 0x10F: "a maker"}, {0x9286: b"UNICODE\0\0\0\0\0"})) == {"Make": "a maker"}


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_field_beyond_the_block_is_told_and_the_others_are_read(order: str) -> None:
    mark = b"II" if order == "<" else b"MM"
    fields = struct.pack(order + "HHII", 0x131, 2, 100, 9999) + struct.pack(order + "HHI", 0x10F, 2, 3) + b"abc\0"
    found = list(read_exif_texts(mark + struct.pack(order + "HIH", 42, 8, 2) + fields + bytes(4)))
    assert [type(each).__name__ for each in found] == ["ExifText", "Unreadable"]
    assert found[0].text == "abc"
    assert found[1].reason == "Software: a field of type 2 with 100 values does not fit the file"


@pytest.mark.parametrize(
    "data", [b"", b"II*", b"GIF89a", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"]
)
def test_damaged_blocks_are_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        list(read_exif_texts(data))


def test_garbage_is_refused_by_its_own_name(hostile) -> None:
    (garbage,) = jpeg_blocks((hostile / "jpeg-exif-garbage.jpg").read_bytes())
    with pytest.raises(Unreadable, match="damaged EXIF: the directory reaches beyond the file"):
        list(read_exif_texts(garbage.data))


def test_text_is_utf_8_or_latin_1() -> None:
    assert [text_of(raw) for raw in ("wörds\0\0".encode(), b"w\xf6rds ", b"")] == ["wörds", "wörds", ""]
    assert len(set(TAGS.values())) == len(TAGS)
