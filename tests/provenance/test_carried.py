"""Claims as findings hold them: short, bounded, and without an error whatever the bytes are."""

from __future__ import annotations

import hashlib
import random
import struct
import sys
import zlib
from pathlib import Path
from subprocess import run

import pytest

from forensic.data.signatures import HEAD, image_format
from forensic.provenance.carried import MOST_CARRIED, MOST_VALUE, carried_claims
from forensic.provenance.claims import Claim

HOSTILE = Path(__file__).parents[1] / "hostile"
PARAMETERS = b"a boat\nSteps: 20, Sampler: Euler a, Seed: 1, "


def claims_of(name: str) -> tuple[Claim, ...]:
    return carried_claims((HOSTILE / name).read_bytes(), "JPEG" if name.endswith("jpg") else "PNG")


def png(*texts: bytes) -> bytes:
    """A PNG of one pixel with tEXt chunks of the key `parameters`."""
    listed = [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))]
    listed += [(b"tEXt", b"parameters\0" + text) for text in texts]
    listed += [(b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in listed]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("name", "kind", "word"),
    [
        ("jpeg-xmp-digitalsourcetype.jpg", "iptc:DigitalSourceType", "trainedAlgorithmicMedia"),
        ("png-xmp-digitalsourcetype.png", "iptc:DigitalSourceType", "trainedAlgorithmicMedia"),
        ("png-sd-a1111.png", "generator", "Steps: 20"),
        ("png-sd-invokeai.png", "generator", "txt2img"),
        ("png-tc260-aigc.png", "gb45438:AIGC", '"Label":"1"'),
    ],
)
def test_what_a_file_claims(name: str, kind: str, word: str) -> None:
    claim = claims_of(name)[0]
    assert (claim.kind, claim.state, claim.reader) == (kind, "unsigned", "forensic")
    assert claim.value is not None
    assert word in claim.value
    assert (claim.value_bytes, claim.value_sha256, claim.details) == (None, None, ())


@pytest.mark.parametrize("name", ["jpeg-ok-control.jpg", "png-truncated.png", "jpeg-truncated-half.jpg"])
def test_neither_an_absence_nor_the_files_own_end_is_a_claim(name: str) -> None:
    assert claims_of(name) == ()


def test_a_place_that_could_not_be_read_is_told() -> None:
    (claim,) = claims_of("png-ztxt-bomb-32mb.png")
    assert (claim.kind, claim.state, claim.value) == ("metadata", "unreadable", None)
    assert "inflates to more than" in claim.says


def test_long_values_are_cut_and_their_hash_is_of_all() -> None:
    text = PARAMETERS + b"x" * 10_000
    (claim,) = carried_claims(png(text), "PNG")
    assert claim.value == text[:MOST_VALUE].decode()
    assert (claim.value_bytes, claim.value_sha256) == (len(text), hashlib.sha256(text).hexdigest())


def test_many_claims_are_counted() -> None:
    found = carried_claims(png(*[PARAMETERS] * (MOST_CARRIED + 7)), "PNG")
    assert len(found) == MOST_CARRIED + 1
    assert (found[-1].state, found[-1].says[:17]) == ("not-kept", "7 further claims ")
    assert len(carried_claims(png(*[PARAMETERS] * MOST_CARRIED), "PNG")) == MOST_CARRIED


def test_a_manifest_store_is_told_and_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    described = b"c2pa" + bytes.fromhex("00110010800000aa00389b71") + b"\x03c2pa\0"
    described = struct.pack(">I4s", 8 + len(described), b"jumd") + described
    store = struct.pack(">I4s", 8 + len(described), b"jumb") + described
    chunk = struct.pack(">I", len(store)) + b"caBX" + store + struct.pack(">I", zlib.crc32(b"caBX" + store))
    whole = png()
    monkeypatch.setattr("subprocess.run", None)
    found = carried_claims(whole[:33] + chunk + whole[33:], "PNG")
    assert (found[0].kind, found[0].state) == ("c2pa", "present-not-checked")
    assert "`forensic provenance` checks it" in found[0].says


class Broken(bytes):
    """A file on whose bytes a reader fails."""

    def __getitem__(self, _: object) -> bytes:  # type: ignore[override] - one that never returns
        raise MemoryError


def test_a_fault_of_a_reader_is_a_record() -> None:
    (claim,) = carried_claims(Broken(png(PARAMETERS)), "PNG")
    assert (claim.state, claim.says) == ("unreadable", "could not be read (MemoryError)")


def test_no_bytes_raise_or_grow() -> None:
    drawn = random.Random(5)  # noqa: S311 - draws damage
    for path in sorted(HOSTILE.iterdir()):
        whole = path.read_bytes()
        known = image_format(whole[:HEAD])
        for _ in range(4 if known else 0):
            data = bytearray(whole)
            for _ in range(drawn.randrange(1, 6)):
                data[drawn.randrange(len(data))] = drawn.randrange(256)
            found = carried_claims(bytes(data[: drawn.randrange(len(data) + 1)]), known or "")
            assert len(found) <= MOST_CARRIED + 1
            assert all(len(claim.value or "") <= MOST_VALUE for claim in found)


def test_it_needs_no_picture_library() -> None:
    code = "import sys, forensic.provenance.carried; print(sorted({'torch', 'PIL', 'c2pa'} & set(sys.modules)))"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
