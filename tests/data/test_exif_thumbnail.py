"""Thumbnails in EXIF: which are taken, what they may hold of their picture, and what makes a flag."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from forensic.data.decode import decode
from forensic.data.exif_thumbnail import SAME_UP_TO, stored_thumbnail, thumbnail_flags
from forensic.data.look import look

FLAG = re.compile(r"thumbnail-differs=(\d+)/64")
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
"""How an upright picture is stored under a tag: the inverse of what the tag asks for."""


def exif_block(thumbnail: bytes, *, orientation: int = 1, order: str = "<", **tags: int) -> bytes:
    """Two directories and a JPEG, as a camera writes them; `tags` replace what the second says."""
    said = {"compression": 6, "at": 68, "size": len(thumbnail), "second": 26} | tags
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    first = struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, said["second"])
    second = struct.pack(order + "HHHIHH", 3, 0x0103, 3, 1, said["compression"], 0)
    second += struct.pack(order + "HHIIHHIII", 0x0201, 4, 1, said["at"], 0x0202, 4, 1, said["size"], 0)
    return head + first + second + thumbnail


@pytest.fixture(scope="module")
def photo(samples: Path):
    """`photo(0)`, `photo(1)`: two photographs of 480 x 320, made larger: the hash sees no detail."""
    files = ("real-00006.png", "real-00044.png")
    large = [Image.open(samples / name).convert("RGB").resize((480, 480)) for name in files]
    return [each.crop((0, 80, 480, 400)) for each in large].__getitem__


def small(picture: Image.Image, size: tuple[int, int] = (160, 120), fill: int | None = 0) -> Image.Image:
    """A thumbnail between bars, or without them where `fill` is None."""
    scale = min(size[0] / picture.width, size[1] / picture.height)
    inner = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    if fill is None:
        return inner
    whole = Image.new("RGB", size, (fill,) * 3)
    whole.paste(inner, ((size[0] - inner.width) // 2, (size[1] - inner.height) // 2))
    return whole


def flags(data: bytes) -> tuple[str, ...]:
    return thumbnail_flags(decode(data, name="x"))


@pytest.fixture
def taken(saved):
    """`taken(picture, thumbnail, 6)`: the flags of a JPEG of both, as stored."""

    def flags_of(picture: Image.Image, thumbnail: Image.Image, orientation: int = 1, kind: str = "JPEG"):
        block = exif_block(saved(thumbnail, "JPEG", quality=70), orientation=orientation)
        return flags(saved(picture, kind, exif=b"Exif\0\0" + block))

    return flags_of


@pytest.mark.parametrize("order", ["<", ">"])
def test_it_is_found_in_both_byte_orders(order: str) -> None:
    jpeg = b"\xff\xd8\xff\xd9"
    assert stored_thumbnail(exif_block(jpeg, order=order)) == jpeg


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II*\0\x08\0\0\0\0\0\0\0\0\0",
        exif_block(b"\xff\xd8\xff\xd9", second=0),
        exif_block(b"\xff\xd8\xff\xd9", second=9999),
        exif_block(b"\xff\xd8\xff\xd9", compression=1),
        exif_block(b"\xff\xd8\xff\xd9", at=0),
        exif_block(b"\xff\xd8\xff\xd9", at=69),
        exif_block(b"\xff\xd8\xff\xd9", size=5),
        exif_block(b"\xff\xd8\xff\xd9", size=0),
        exif_block(b"\x89PNG" * 9),
        exif_block(b"\xff\xd8\xff" + bytes(65533)),
    ],
    ids=[
        "nothing",
        "one directory",
        "end",
        "beyond",
        "uncompressed",
        "0",
        "not a JPEG",
        "cut",
        "empty",
        "PNG",
        "large",
    ],
)
def test_what_is_no_thumbnail(block: bytes) -> None:
    assert stored_thumbnail(block) is None


@given(st.binary(max_size=150))
def test_any_bytes_are_a_block(data: bytes) -> None:
    for mark in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", exif_block(b"\xff\xd8\xff")[:34]):
        stored_thumbnail(mark + data)


@pytest.mark.parametrize("fill", [None, 0, 255])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_its_own_thumbnail_gives_no_flag_and_anothers_does(kind: str, fill: int | None, photo, taken) -> None:
    assert taken(photo(0), small(photo(0), fill=fill), kind=kind) == ()
    (flag,) = taken(photo(1), small(photo(0), fill=fill), kind=kind)
    found = FLAG.fullmatch(flag)
    assert found is not None
    assert SAME_UP_TO < int(found[1]) <= 64


def test_a_picture_with_another_middle_is_flagged(photo, taken) -> None:
    edited = photo(0).copy()
    edited.paste(photo(1).resize((300, 240)), (90, 40))
    assert taken(edited, small(photo(0)))
    assert taken(edited, small(edited)) == ()


@pytest.mark.parametrize("tag", [3, 6, 8])
@pytest.mark.parametrize("fill", [None, 0])
def test_both_turned_or_one_of_them(tag: int, fill: int | None, photo, taken) -> None:
    upright, stored = photo(0), photo(0).transpose(TURNS[tag])
    assert taken(stored, small(stored, fill=fill), tag) == ()
    assert taken(stored, small(upright, fill=fill), tag) == ()
    assert taken(upright, small(stored, fill=fill)) == ()  # turned without loss, the tag put back to 1
    assert taken(photo(1).transpose(TURNS[tag]), small(stored, fill=fill), tag)


def test_a_mirrored_picture_is_the_same_only_where_the_tag_says_so(photo, taken) -> None:
    stored = photo(0).transpose(TURNS[2])
    assert taken(stored, small(stored), 2) == ()
    assert taken(stored, small(photo(0)), 2) == ()
    assert taken(stored, small(photo(0)))


@pytest.mark.parametrize("box", [(24, 16, 480, 320), (0, 0, 456, 304), (12, 8, 468, 312), (0, 0, 456, 320)])
def test_a_crop_of_a_twentieth_is_the_same(box: tuple[int, int, int, int], photo, taken) -> None:
    assert taken(photo(0).crop(box), small(photo(0))) == ()


def test_a_large_crop_is_flagged(photo, taken) -> None:
    assert taken(photo(0).crop((240, 0, 480, 160)), small(photo(0)))


@pytest.mark.parametrize("flat", ["picture", "thumbnail", "both"])
def test_what_has_no_information_gives_no_flag(flat: str, photo, taken) -> None:
    """Signs of coefficients that JPEG made up: half of the bits differ, though both are as good as even."""
    generator = np.random.default_rng(5)
    even = [Image.fromarray(generator.normal(120, 2, (320, 480, 3)).round().astype(np.uint8)) for _ in range(2)]
    picture = even[0] if flat != "thumbnail" else photo(0)
    thumbnail = even[1] if flat != "picture" else photo(0)
    assert (look(np.asarray(picture)) ^ look(np.asarray(thumbnail))).bit_count() > SAME_UP_TO
    assert taken(picture, small(thumbnail, fill=None)) == ()


def test_a_gradient_has_few_bits(photo, taken) -> None:
    """A clear evening sky: one coefficient is large, the signs of the others are noise."""
    generator = np.random.default_rng(6)
    down = np.linspace(200, 60, 320)[:, None, None]
    one, other = (
        Image.fromarray((down + generator.normal(0, 3, (320, 480, 3))).round().astype(np.uint8)) for _ in "12"
    )
    assert (look(np.asarray(one)) ^ look(np.asarray(small(other, fill=None)))).bit_count() > SAME_UP_TO
    assert taken(one, small(other)) == ()
    assert taken(photo(0), small(other)) == ()


def test_a_damaged_thumbnail_gives_no_flag(photo, saved) -> None:
    picture, jpeg = photo(1), saved(small(photo(0)), "JPEG", quality=70)
    size = len(jpeg)
    whole = exif_block(jpeg)
    assert flags(saved(picture, "JPEG", exif=b"Exif\0\0" + whole))
    for damaged in (jpeg[: size // 2], jpeg[:20], jpeg[:-300] + bytes(300), b"\xff\xd8\xff\xc0" + jpeg[4:]):
        assert flags(saved(picture, "JPEG", exif=b"Exif\0\0" + exif_block(damaged))) == ()


@pytest.mark.parametrize(("size", "flagged"), [((512, 341), True), ((513, 342), False), ((30000, 30000), False)])
def test_a_thumbnail_beyond_the_limit_is_not_decoded(size: tuple[int, int], flagged: bool, photo, saved) -> None:
    jpeg = bytearray(saved(small(photo(0)).resize((min(size[0], 600), min(size[1], 400))), "JPEG", quality=50))
    frame = jpeg.index(b"\xff\xc0")
    struct.pack_into(">HH", jpeg, frame + 5, size[1], size[0])
    data = saved(photo(1), "JPEG", exif=b"Exif\0\0" + exif_block(bytes(jpeg)))
    assert bool(flags(data)) == flagged


def test_a_picture_without_one_costs_no_hash(photo, saved, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = decode(saved(photo(0), "JPEG", exif=b"Exif\0\0" + exif_block(b"", second=0, orientation=6)), name="x")
    monkeypatch.setattr("forensic.data.exif_thumbnail.coefficients", None)
    assert decoded.flags == ("exif-rotated",)
    assert thumbnail_flags(decoded) == ()
