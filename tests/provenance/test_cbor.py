"""CBOR: values of RFC 8949's appendix A, and what can not be right."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensic.errors import Unreadable
from forensic.provenance.cbor import read_cbor


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        ("00", 0),
        ("17", 23),
        ("1818", 24),
        ("1903e8", 1000),
        ("1a000f4240", 1000000),
        ("1bffffffffffffffff", 18446744073709551615),
        ("20", -1),
        ("3903e7", -1000),
        ("f90000", 0.0),
        ("f93c00", 1.0),
        ("fa47c35000", 100000.0),
        ("fb3ff199999999999a", 1.1),
        ("f97c00", None),
        ("f4", False),
        ("f5", True),
        ("f6", None),
        ("f7", None),
        ("f8ff", None),
        ("c11a514b67b0", 1363896240),
        ("d818456449455446", b"dIETF"),
        ("40", b""),
        ("4401020304", b"\1\2\3\4"),
        ("60", ""),
        ("62c3bc", "ü"),
        ("80", []),
        ("8301820203820405", [1, [2, 3], [4, 5]]),
        ("a201020304", {1: 2, 3: 4}),
        ("a26161016162820203", {"a": 1, "b": [2, 3]}),
        ("5f42010243030405ff", b"\1\2\3\4\5"),
        ("7f657374726561646d696e67ff", "streaming"),
        ("9fff", []),
        ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
        ("a2616101616102", {"a": 1}),
    ],
)
def test_values_of_the_standard(encoded: str, value: object) -> None:
    found = read_cbor(bytes.fromhex(encoded))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "18",
        "1c",
        "1f",
        "3f",
        "df00",
        "ff",
        "62c3",
        "8201",
        "a101",
        "9f01",
        "5f6161ff",
        "7f4161ff",
        "a180",
        "a18001",
        "9affffffff00",
        "bb7fffffffffffffff",
        "5bffffffffffffffff00",
    ],
)
def test_what_can_not_be_right_is_refused(encoded: str) -> None:
    with pytest.raises(Unreadable):
        read_cbor(bytes.fromhex(encoded))


@pytest.mark.parametrize("encoded", [b"\x81" * 70 + b"\0", b"\x9f" * 70, b"\xc1" * 70 + b"\0", b"\xa1\0" * 70 + b"\0"])
def test_levels_are_counted(encoded: bytes) -> None:
    with pytest.raises(Unreadable, match="more than 64 levels"):
        read_cbor(encoded)


def test_items_are_counted() -> None:
    with pytest.raises(Unreadable, match="more than 100,000 items"):
        read_cbor(b"\x9f" + bytes(100_001) + b"\xff")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    with suppress(Unreadable):
        read_cbor(data)
