"""A file's claims: what the given samples hold, whose word each is, and no damage that raises."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic.errors import Unreadable
from forensic.provenance import read
from forensic.provenance.claims import Claim, FileClaims
from forensic.provenance.read import MOST_BLOCKS, MOST_CLAIMS, read_claims
from forensic.provenance.verification import Verification, read_trust_list

HOSTILE = Path(__file__).resolve().parents[1] / "hostile"
FILES = sorted(path for path in HOSTILE.iterdir() if path.suffix != ".md")
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the library is not installed."""
    monkeypatch.setattr(read, "verify", lambda *_: Verification("present-not-checked", "not checked: no library"))


def unsigned(found: FileClaims) -> list[Claim]:
    assert (found.claims[0].kind, found.claims[0].state) == ("c2pa", "absent")
    return list(found.claims[1:])


@pytest.mark.parametrize(
    ("name", "kinds", "says"),
    [
        ("jpeg-xmp-digitalsourcetype.jpg", ["iptc:DigitalSourceType"], "made by a model"),
        ("png-xmp-digitalsourcetype.png", ["iptc:DigitalSourceType"], "made by a model"),
        ("png-tc260-aigc.png", ["gb45438:AIGC"], "made by artificial intelligence"),
        ("png-sd-a1111.png", ["generator"], "AUTOMATIC1111"),
        ("png-sd-comfyui.png", ["generator", "generator"], "ComfyUI"),
        ("png-sd-invokeai.png", ["generator"], "InvokeAI"),
        ("png-sd-novelai.png", ["generator", "text", "generator", "generator", "generator"], "NovelAI"),
        ("png-html-in-text.png", ["generator", "text"], "AUTOMATIC1111"),
    ],
)
def test_given_samples(name: str, kinds: list[str], says: str) -> None:
    found = read_claims((HOSTILE / name).read_bytes())
    claims = unsigned(found)
    assert [claim.kind for claim in claims] == kinds
    assert all(claim.state == "unsigned" for claim in claims)
    assert says in claims[0].says
    assert found.broken is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("png-ztxt-bomb-32mb.png", "inflates to more than"),
        ("png-bad-crc-text.png", "checksum is wrong"),
        ("jpeg-exif-garbage.jpg", "damaged EXIF"),
    ],
)
def test_damaged_places_are_records_and_the_file_is_read_to_its_end(name: str, reason: str) -> None:
    found = read_claims((HOSTILE / name).read_bytes())
    (record,) = unsigned(found)
    assert record.state == "unreadable"
    assert reason in record.says
    assert found.broken is None


def test_a_container_that_breaks_off_says_that_there_may_be_more() -> None:
    found = read_claims((HOSTILE / "png-truncated.png").read_bytes())
    assert found.broken is not None
    assert found.claims[0].says == "no C2PA manifest store before the damage"
    assert found.claims[-1].state == "unreadable"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_given_file_is_read_or_refused_with_a_reason(path: Path) -> None:
    with suppress(Unreadable):
        assert read_claims(path.read_bytes()).claims


@pytest.mark.parametrize("name", ["zip-renamed.jpg", "text-renamed.png", "empty.jpg"])
def test_what_is_no_picture_is_refused(name: str) -> None:
    with pytest.raises(Unreadable, match=r"^(content is|empty file)"):
        read_claims((HOSTILE / name).read_bytes())


def test_formats_without_places_say_so() -> None:
    (claim,) = read_claims((HOSTILE / "bmp-rle8.bmp").read_bytes()).claims
    assert claim.says == "no place for a C2PA manifest store is known in BMP"


def test_other_texts_are_named(png) -> None:
    found = read_claims(png((b"tEXt", b"date:create\0x"), (b"tEXt", b"Title\0x")))
    assert found.other_texts == ("PNG tEXt 'date:create' at byte 33",)
    assert [claim.kind for claim in unsigned(found)] == ["text"]


def test_claims_and_places_are_counted(png) -> None:
    many = read_claims(png(*[(b"tEXt", b"Title\0x")] * (MOST_CLAIMS + 1)))
    assert len(unsigned(many)) == MOST_CLAIMS
    assert many.broken == "more than 500 claims: the others are not told"
    assert read_claims(png(*[(b"tEXt", b"Title\0x")] * MOST_CLAIMS)).broken is None
    places = read_claims(png(*[(b"tEXt", b"key\0x")] * (MOST_BLOCKS + 1)))
    assert places.broken == "more than 2,000 places with metadata: the others are not read"


def test_xmp_has_one_budget(png, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MOST_BYTES", 10)
    chunk = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>")
    found = read_claims(png(chunk, chunk, chunk))
    assert [claim.state for claim in unsigned(found)] == ["unreadable"]


def states(found: FileClaims) -> list[tuple[str, str, str | None]]:
    return [(claim.kind, claim.state, claim.value) for claim in found.claims]


@pytest.mark.usefixtures("unchecked")
def test_without_the_library_a_store_is_read_and_not_checked(png, store: bytes) -> None:
    found = read_claims(png((b"caBX", store)))
    assert states(found) == [
        ("c2pa", "present-not-checked", None),
        ("c2pa:claim_generator", "present-not-checked", "generator 2"),
        (
            "c2pa:digitalSourceType",
            "present-not-checked",
            SOURCE_TYPE + "compositeWithTrainedAlgorithmicMedia",
        ),
        ("c2pa:softwareAgent", "present-not-checked", "agent"),
        ("c2pa:claim_generator", "present-not-checked", "older program/1"),
        ("c2pa:digitalSourceType", "present-not-checked", SOURCE_TYPE + "digitalCapture"),
    ]
    assert found.claims[0].says == "not checked: no library"
    assert found.claims[2].place == "PNG caBX at byte 33, manifest urn:c2pa:two, action c2pa.edited"


@pytest.mark.usefixtures("unchecked")
def test_a_damaged_store_is_a_record(png, jumbf) -> None:
    found = read_claims(png((b"caBX", jumbf(b"c2pa", "c2pa"))))
    assert [(claim.kind, claim.state) for claim in found.claims] == [
        ("c2pa", "present-not-checked"),
        ("c2pa", "unreadable"),
    ]
    assert states(read_claims(png((b"caBX", b"no box")))) == [("c2pa", "absent", None)]


def test_trusted_claims_are_the_library_s_words(png, signer) -> None:
    found = read_claims(signer.sign(png((b"tEXt", b"Title\0x")), "image/png"), read_trust_list("x", signer.root))
    store, generator, source, title = found.claims
    assert (store.state, generator.state, source.state, title.state) == ("trusted", "trusted", "trusted", "unsigned")
    assert (generator.value, source.value) == ("test generator 1.0", SOURCE_TYPE + "trainedAlgorithmicMedia")
    assert all(claim.reader.startswith("c2pa-python ") for claim in (store, generator, source))
    assert title.reader == "forensic"


def test_a_second_store_borrows_no_trust(png, signer, store: bytes) -> None:
    """Two stores, of which the library looks at one: nothing of our own reading may pass as checked."""
    data = signer.sign(png(), "image/png")
    double = png((b"caBX", store))
    extra = double[33 : double.index(b"IDAT") - 4]
    found = read_claims(data[:33] + extra + data[33:], read_trust_list("x", signer.root))
    ours = [claim for claim in found.claims if claim.reader == "forensic"]
    assert {claim.value for claim in ours} >= {"generator 2", "older program/1"}
    assert {claim.state for claim in ours} == {"present-not-checked"}


def test_a_changed_store_is_no_longer_trusted(png, signer) -> None:
    data = bytearray(signer.sign(png(), "image/png"))
    data[data.index(b"trainedAlgorithmicMedia")] ^= 1
    found = read_claims(bytes(data), read_trust_list("x", signer.root))
    assert not {"trusted", "valid"} & {claim.state for claim in found.claims}


@pytest.fixture(scope="module")
def seeds(png, jpeg, xmp, store: bytes) -> list[bytes]:
    packet = xmp('<p:Credit>x</p:Credit><T:AIGC>{"Label":"1"}</T:AIGC>', 'xmlns:p="http://ns.adobe.com/photoshop/1.0/"')
    profile = b"\nexif\n8\n" + b"II*\0\x08\0\0\0".hex().encode()
    dressed = [
        png((b"caBX", store), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet), (b"eXIf", b"II*\0\x08\0\0\0\0\0")),
        png((b"tEXt", b"Raw profile type exif\0" + profile), (b"tEXt", b'AIGC\0{"Label":"1"}')),
        jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet), (0xEB, b"JP\0\1\0\0\0\1" + store)),
        jpeg((0xED, b"Photoshop 3.0\x008BIM\4\4\0\0\0\0\0\x0b\x1c\2n\0\6credit"), (0xFE, b"Steps: 1, Seed: 1")),
    ]
    return dressed + [path.read_bytes() for path in FILES if 0 < path.stat().st_size < 20_000]


@pytest.mark.usefixtures("unchecked")
@given(drawn=st.randoms(use_true_random=True))
@settings(max_examples=500, deadline=None)
def test_no_damage_raises(drawn: Random, seeds: list[bytes]) -> None:
    """A few bytes of a whole file changed, taken out or put in, near its head more often than not."""
    data = bytearray(drawn.choice(seeds))
    for _ in range(drawn.choice((1, 1, 2, 8))):
        at = drawn.randrange(min(len(data), drawn.choice((64, 600, 1 << 20))))
        data[at : at + drawn.randrange(4)] = drawn.randbytes(drawn.randrange(4))
        data = data or bytearray(1)
    try:
        found = read_claims(bytes(data[: drawn.choice((len(data), drawn.randrange(len(data) + 1)))]))
    except Unreadable:
        return
    assert found.claims
    assert all(claim.says for claim in found.claims)
