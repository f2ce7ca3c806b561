"""Every container's places, with the byte at which each begins; damage is told where it is."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from forensic.data.signatures import image_format
from forensic.provenance.blocks import Block, Damage
from forensic.provenance.containers import has_metadata_places, metadata_blocks

PICTURE = Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 16, 3))
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"
STORE = b"\0\0\0\x0cjumbABCD"


def blocks_of(data: bytes) -> list[Block | Damage]:
    format_name = image_format(data[:64])
    assert format_name is not None
    return list(metadata_blocks(data, format_name))


def saved(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    PICTURE.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (b"tEXt", b"Title\0words", ("text", "Title", b"words")),
        (b"zTXt", b"Title\0\0" + zlib.compress(b"words"), ("text", "Title", b"words")),
        (b"iTXt", b"Title\0\0\0\0\0words", ("text", "Title", b"words")),
        (b"iTXt", b"Title\0\1\0\0\0" + zlib.compress(b"words"), ("text", "Title", b"words")),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>", ("xmp", "", b"<x/>")),
        (b"tEXt", b"Raw profile type xmp\0\nxmp\n4\n3c782f3e\n", ("xmp", "", b"<x/>")),
        (b"eXIf", b"II*\0", ("exif", "", b"II*\0")),
        (b"caBX", STORE, ("jumbf", "", STORE)),
    ],
)
def test_png(kind: bytes, body: bytes, expected: tuple[str, str, bytes], png) -> None:
    data = png((kind, body))
    (found,) = blocks_of(data)
    assert (found.kind, found.key, found.data) == expected
    assert found.place.startswith(f"PNG {kind.decode()}")
    assert found.place.endswith("at byte 33")
    if found.at is not None:
        assert data[found.at :].startswith(found.data)


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        (b"tEXt", b"no end", "its fields do not end inside it"),
        (b"zTXt", b"Title\0\0no zlib", "it does not inflate"),
        (b"zTXt", b"Title\0\0" + zlib.compress(bytes(9 << 20)), "inflates to more than 8,388,608 bytes"),
    ],
)
def test_damaged_png_texts_are_told_and_what_follows_is_read(kind: bytes, body: bytes, reason: str, png) -> None:
    damage, after = blocks_of(png((kind, body), (b"tEXt", b"Title\0words")))
    assert isinstance(damage, Damage)
    assert reason in damage.reason
    assert not damage.ends
    assert isinstance(after, Block)


def test_wrong_checksum_is_told(hostile) -> None:
    assert blocks_of((hostile / "png-bad-crc-text.png").read_bytes()) == [
        Damage("PNG tEXt at byte 33", "its checksum is wrong: not read")
    ]


def test_truncation_is_the_last_thing_told(png) -> None:
    data = png((b"tEXt", b"Title\0words"))
    first, last = blocks_of(data[:-20])
    assert isinstance(first, Block)
    assert isinstance(last, Damage)
    assert last.ends


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(inner)) + inner + b"\0" * (len(inner) & 1) for kind, inner in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_webp() -> None:
    data = riff(
        (b"VP8X", bytes(10)), (b"EXIF", b"Exif\0\0II*\0"), (b"XMP ", b"<x/>"), (b"C2PA", STORE), (b"ABCD", b"x")
    )
    found = blocks_of(data)
    assert [(each.kind, each.data) for each in found] == [("exif", b"II*\0"), ("xmp", b"<x/>"), ("jumbf", STORE)]
    assert all(data[each.at :].startswith(each.data) for each in found)
    cut = blocks_of(riff((b"XMP ", b"<x/>"))[:-2])
    assert [each.reason for each in cut] == ["truncated", "truncated: the container ends at byte 24 of 22"]


def test_gif() -> None:
    plain = saved("GIF", comment=b"words")
    head = plain.index(b"!\xfe")
    trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    packet = b"!\xff\x0bXMP DataXMP" + XMP + trailer
    manifest = b"!\xff\x0bC2PA_GIF\1\0\0" + bytes([len(STORE)]) + STORE + b"\0"
    found = blocks_of(plain[:head] + packet + manifest + plain[head:])
    assert [(each.kind, each.key, each.data) for each in found] == [
        ("xmp", "", XMP),
        ("jumbf", "", STORE),
        ("text", "Comment", b"words"),
    ]


def test_extension_at_the_end_of_a_gif_without_trailer_is_read() -> None:
    plain = saved("GIF")
    found = blocks_of(plain[:-1] + b"!\xfe\5words\0")
    assert [each.data for each in found] == [b"words"]


def tiff(tags: dict[int, bytes], order: str = "<", following: int = 0) -> bytes:
    """A directory of UNDEFINED fields and nothing else."""
    at = 8 + 2 + 12 * len(tags) + 4
    entries, bodies = b"", b""
    for tag, body in sorted(tags.items()):
        inline = body.ljust(4, b"\0") if len(body) <= 4 else struct.pack(order + "I", at + len(bodies))
        entries += struct.pack(order + "HHI", tag, 7, len(body)) + inline
        bodies += body if len(body) > 4 else b""
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "HIH", 42, 8, len(tags))
    return head + entries + struct.pack(order + "I", following) + bodies


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff(order: str) -> None:
    resources = b"8BIM\4\4\0\0\0\0\0\3abc\0"
    data = tiff({700: b"<x/>+", 33723: b"\x1c\2n\0\0", 34377: resources, 52545: STORE}, order)
    whole, *found = blocks_of(data)
    assert (whole.kind, whole.data) == ("exif", data)
    assert [(each.kind, each.data) for each in found] == [
        ("xmp", b"<x/>+"),
        ("iim", b"\x1c\2n\0\0"),
        ("iim", b"abc"),
        ("jumbf", STORE),
    ]
    assert all(data[each.at :].startswith(each.data) for each in found)


def test_pages_of_a_tiff_that_lead_in_a_circle_end() -> None:
    found = blocks_of(tiff({700: b"<x/>+"}, following=8))
    assert len(found) == 102
    assert found[-1] == Damage("TIFF", "more than 100 pages: the others were not looked into", ends=True)


def test_a_field_beyond_the_file_is_told() -> None:
    data = tiff({700: b"<xmp/>", 52545: STORE})[:-3]
    assert [type(each) for each in blocks_of(data)] == [Block, Block, Damage]


def test_avif(box) -> None:
    plain = saved("AVIF", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0", xmp=XMP)
    uuid = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + bytes(4) + b"manifest\0" + bytes(8) + STORE
    other = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP
    found = blocks_of(plain + box(b"uuid", uuid) + box(b"uuid", other) + box(b"uuid", bytes(20)))
    assert [each.kind for each in found] == ["exif", "xmp", "jumbf", "xmp"]
    assert found[0].data.startswith(b"II*\0")
    assert [each.data for each in found[1:]] == [XMP, STORE, XMP]


@pytest.mark.parametrize("purpose", [b"no end", b"manifest\0short"])
def test_a_damaged_c2pa_box_is_told(purpose: bytes, box) -> None:
    uuid = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + bytes(4) + purpose
    (found,) = blocks_of(box(b"ftyp", b"avif\0\0\0\0avif") + box(b"uuid", uuid))
    assert isinstance(found, Damage)


def test_damaged_items_do_not_hide_what_follows(box) -> None:
    meta = box(b"meta", bytes(4) + box(b"iloc", b"\1"))
    other = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP
    damage, after = blocks_of(box(b"ftyp", b"avif\0\0\0\0avif") + meta + box(b"uuid", other))
    assert isinstance(damage, Damage)
    assert isinstance(after, Block)


@pytest.mark.parametrize("name", ["BMP", "ICO"])
def test_formats_without_places(name: str) -> None:
    assert not has_metadata_places(name)
    assert list(metadata_blocks(b"", name)) == []


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP", "GIF", "TIFF", "AVIF", "HEIC"])
@pytest.mark.parametrize("data", [b"", b"\0", bytes(11), b"\xff" * 64, bytes(64)])
def test_no_bytes_raise(name: str, data: bytes) -> None:
    assert has_metadata_places(name)
    assert all(isinstance(each, Damage | Block) for each in metadata_blocks(data, name))
