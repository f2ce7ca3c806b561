from __future__ import annotations

import hashlib
import json
import struct

import pytest

from forensic.case.chain import chain_next, chain_start, spectrum_bytes, spectrum_values


def test_start_is_the_stated_hash(header) -> None:
    said = {"configuration": {"tiles": 25, "threshold": 0.5}, "preprocessing": "p", "weights": "w"}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    expected = hashlib.sha256(b"forensic case 1\n" + text.encode()).digest()
    assert chain_start(header(weights="w", preprocessing="p", configuration=said["configuration"])) == expected


@pytest.mark.parametrize("change", [{"weights": "x"}, {"preprocessing": "x"}, {"configuration": {"threshold": 0.1}}])
def test_start_depends_on_what_can_change_a_finding(header, change) -> None:
    assert chain_start(header(**change)) != chain_start(header())


@pytest.mark.parametrize("change", [{"examiner": "x"}, {"question": "x"}, {"tool_version": "9"}, {"weights_name": "x"}])
def test_start_depends_on_nothing_else(header, change) -> None:
    assert chain_start(header(**change)) == chain_start(header())


def test_next_is_the_stated_hash() -> None:
    parts = (b'{"path": "a"}', b"webp", b"")
    expected = hashlib.sha256(bytes(32) + b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    assert chain_next(bytes(32), '{"path": "a"}', b"webp", None) == expected


def test_bytes_can_not_move_from_one_part_to_another() -> None:
    assert chain_next(bytes(32), "ab", b"c", None) != chain_next(bytes(32), "a", b"bc", None)
    assert chain_next(bytes(32), "a", b"x", None) != chain_next(bytes(32), "a", None, b"x")


def test_spectrum_is_little_endian_32_bit() -> None:
    assert spectrum_bytes([1.5, -2.0]) == struct.pack("<2f", 1.5, -2.0)
    assert spectrum_values(struct.pack("<2f", 1.5, -2.0)) == (1.5, -2.0)


def test_spectrum_of_a_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        spectrum_values(b"12345")
