"""IPTC-IIM: data sets of record 2 that speak of origin."""

from __future__ import annotations

import struct

import pytest

from forensic.errors import Unreadable
from forensic.provenance.iim import read_iim


def dataset(record: int, number: int, body: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(body)) + body


def test_data_sets_are_found_among_others() -> None:
    block = (
        dataset(1, 90, b"\x1b%G") + dataset(2, 5, b"title") + dataset(2, 110, b"credit") + dataset(2, 65, b"program")
    )
    block += b"\0\0"
    found = list(read_iim(block))
    assert [(each.name, each.raw) for each in found] == [("Credit", b"credit"), ("OriginatingProgram", b"program")]
    assert all(block[each.at :].startswith(each.raw) for each in found)


def test_record_1_has_other_numbers() -> None:
    assert list(read_iim(dataset(1, 110, b"x"))) == []
    assert list(read_iim(b"no marker")) == []


@pytest.mark.parametrize("block", [dataset(2, 110, b"credit")[:-1], b"\x1c\2n\x80\4\0\0\0\1x"])
def test_damage_comes_after_what_is_whole(block: bytes) -> None:
    walk = read_iim(dataset(2, 110, b"whole") + block)
    assert next(walk).raw == b"whole"
    with pytest.raises(Unreadable):
        next(walk)
