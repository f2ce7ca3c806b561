"""What is packed comes out again; what is no frame is refused."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensic.case.beside import CarriedClaim
from forensic.errors import Skipped, Unreadable
from forensic.scan.frames import Read, Rows, pack, pack_job, pack_read, unpack, unpack_read


def taker(data: bytes):
    stream = io.BytesIO(data)

    def take(size: int) -> bytes:
        got = stream.read(size)
        if len(got) < size:
            raise EOFError
        return got

    return take


@given(st.integers(0, 2**62), st.binary(max_size=300))
def test_any_path_survives(index: int, path: bytes) -> None:
    assert unpack(taker(pack_job(index, path))) == ({"index": index}, path)


@pytest.mark.parametrize("thumbnail", [None, b"RIFF"])
@pytest.mark.parametrize("outcome", [None, Unreadable("damaged \ud800 \n"), Skipped("too small")], ids=repr)
def test_a_read_survives(outcome: Unreadable | Skipped | None, thumbnail: bytes | None) -> None:
    tiles = np.arange(2 * 3 * 128 * 128, dtype=np.uint8).reshape(2, 3, 128, 128) if outcome is None else None
    forms = {} if tiles is None else {"jpeg-95": tiles[:1] + 1, "crop-8": tiles[::-1]}
    told = (5, "ab" * 32, 9, "PNG", 300, 200, ("small", "alpha-dropped=0.5"), "opencv 5")
    read = Read(*told, tiles, thumbnail, outcome, forms, 2**64 - 1, jpeg_quality=80)
    again = unpack_read(*unpack(taker(pack_read(read))))
    assert repr(again) == repr(read)
    assert again.thumbnail == thumbnail
    assert type(again.outcome) is type(outcome)
    if tiles is not None:
        np.testing.assert_array_equal(again.tiles, tiles)
    assert list(again.variants) == list(forms)
    for name, form in forms.items():
        np.testing.assert_array_equal(again.variants[name], form)


@pytest.mark.parametrize("left", [None, 2])
def test_what_stands_beside_survives(left: int | None) -> None:
    tiles = None if left is None else np.arange(left * 3 * 128 * 128, dtype=np.uint8).reshape(left, 3, 128, 128)
    rows = Rows(94, 144, 192, 94, ("grey",), "opencv 5", None if left else "part not scored", tiles)
    claim = CarriedClaim(kind="tool", place="p", reader="r", state="unsigned", says="s", value="\ud800\n")
    read = Read(5, outcome=Unreadable("truncated"), thumbnail=b"RIFF", salvage=rows, claims=(claim, claim))
    header, blob = unpack(taker(pack_read(read, "unreadable")))
    assert header["kind"] == "unreadable"
    again = unpack_read(header, blob)
    assert repr(again) == repr(read)
    assert again.thumbnail == b"RIFF"
    assert [len(images) for images in again.images] == ([left] if left else [])
    if tiles is not None:
        assert again.salvage is not None
        np.testing.assert_array_equal(again.salvage.tiles, tiles)


@pytest.mark.parametrize("cut", range(0, 30, 3))
def test_a_frame_that_ends_early_is_an_end(cut: int) -> None:
    with pytest.raises(EOFError):
        unpack(taker(pack({"kind": "ready"})[:cut]))


@pytest.mark.parametrize("data", [b"\xff" * 40, struct.pack(">IQ", 2, 0) + b"[]", struct.pack(">IQ", 2, 0) + b"x}"])
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own message or ours
        unpack(taker(data))
