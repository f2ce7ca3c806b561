"""Blocks to claims, each with the place of its own value; what no table knows is named and not claimed."""

from __future__ import annotations

import pytest
from PIL import Image

from forensic.provenance.blocks import Block
from forensic.provenance.claims import Claim
from forensic.provenance.texts import claim_in_text, claims_in


def test_text() -> None:
    (claim,) = claims_in(Block("text", "here", b"w\xf6rds", 5, "Title"))
    assert isinstance(claim, Claim)
    assert (claim.kind, claim.place, claim.value, claim.value_bytes) == ("text", "here", "wörds", 5)
    assert list(claims_in(Block("text", "here", b"x", 5, "no such key"))) == ["here"]


def test_exif_names_tag_and_byte() -> None:
    exif = Image.Exif()
    exif[0x131], exif[0x10E] = "Midjourney", "a picture"
    data = exif.tobytes().removeprefix(b"Exif\0\0")
    claims = {claim.place.partition(" at byte ")[0]: claim for claim in claims_in(Block("exif", "X", data, 1000))}
    assert set(claims) == {"X, tag Software", "X, tag ImageDescription"}
    software = claims["X, tag Software"]
    assert (software.kind, software.value) == ("tool", "Midjourney")
    assert software.place.endswith(f"at byte {1000 + data.index(b'Midjourney')}")


def test_xmp_names_property_and_byte(xmp) -> None:
    packet = xmp(
        "<i:DigitalSourceType>digitalCapture</i:DigitalSourceType><p:Credit>A credit</p:Credit><p:City>x</p:City>",
        'xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:p="http://ns.adobe.com/photoshop/1.0/"',
    )
    first, second = claims_in(Block("xmp", "X", packet, 1000))
    assert (first.kind, first.says) == (
        "iptc:DigitalSourceType",
        "of the image: captured from real life by a digital device",
    )
    at = 1000 + packet.index(b"<i:Digital")
    assert first.place == f"X, Iptc4xmpExt:DigitalSourceType at byte {at}"
    assert (second.kind, second.value) == ("credit", "A credit")


def test_without_a_place_in_the_file_no_byte_is_told(xmp) -> None:
    packet = xmp("", 'xmlns:p="http://ns.adobe.com/photoshop/1.0/" p:Credit="x"')
    (claim,) = claims_in(Block("xmp", "X", packet))
    assert claim.place == "X, photoshop:Credit"


def test_iim() -> None:
    (claim,) = claims_in(Block("iim", "X", b"\x1c\2n\0\6credit", 10))
    assert (claim.kind, claim.value, claim.place) == ("credit", "credit", "X, Credit at byte 15")


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("exif", b"no EXIF", "damaged EXIF: no byte order mark"),
        ("xmp", b"<a>", "damaged XML: no element found at byte 3"),
        ("iim", b"\x1c\2n\0\6cred", "damaged IPTC-IIM: a data set reaches beyond the block"),
    ],
)
def test_damage_is_a_record(kind, data: bytes, reason: str) -> None:
    (record,) = claims_in(Block(kind, "X", data))
    assert (record.state, record.place, record.says) == ("unreadable", "X", reason)


def test_a_label_comes_before_what_the_key_says() -> None:
    claim = claim_in_text("Description", 'AIGC{"Label":"3"}', b"x", "here")
    assert claim is not None
    assert claim.kind == "gb45438:AIGC"
