"""Inflating has one budget a file; ImageMagick's profiles are what their keys name, or damaged."""

from __future__ import annotations

import zlib

import pytest

from forensic.provenance.blocks import XMP_PREFIX, Block, Budget, Damage, exif_block, raw_profile


def test_what_is_beyond_the_budget_spends_all_of_it() -> None:
    budget = Budget(100)
    assert budget.inflated(zlib.compress(b"a" * 60), "one") == b"a" * 60
    beyond = budget.inflated(zlib.compress(b"a" * 41), "two")
    assert isinstance(beyond, Damage)
    assert beyond.reason.startswith("it inflates to more than")
    after = budget.inflated(zlib.compress(b"a"), "three")
    assert isinstance(after, Damage)
    assert after.reason.startswith("not inflated")


def test_what_does_not_inflate_costs_its_own_length() -> None:
    budget = Budget(100)
    assert budget.inflated(b"no zlib", "one") == Damage("one", "damaged: it does not inflate")
    assert budget.inflated(zlib.compress(b"a" * 93), "two") == b"a" * 93
    assert isinstance(budget.inflated(zlib.compress(b"a"), "three"), Damage)


def test_prefix_of_exif_moves_its_place() -> None:
    assert exif_block("x", b"Exif\0\0II*\0", 10) == Block("exif", "x", b"II*\0", 16)
    assert exif_block("x", b"II*\0", 10) == Block("exif", "x", b"II*\0", 10)


def profile(name: str, body: bytes) -> bytes:
    return f"\n{name}\n{len(body):8}\n".encode() + body.hex().encode() + b"\n"


@pytest.mark.parametrize(
    ("key", "body", "kind", "data"),
    [
        ("exif", b"Exif\0\0II*\0", "exif", b"II*\0"),
        ("APP1", b"Exif\0\0II*\0", "exif", b"II*\0"),
        ("APP1", XMP_PREFIX + b"<x/>", "xmp", b"<x/>"),
        ("xmp", b"<x/>", "xmp", b"<x/>"),
        ("iptc", b"\x1c\x02", "iim", b"\x1c\x02"),
    ],
)
def test_profiles_in_hexadecimal(key: str, body: bytes, kind: str, data: bytes) -> None:
    found = raw_profile(f"Raw profile type {key}", "here", profile(key.lower(), body))
    assert isinstance(found, Block)
    assert (found.kind, found.data, found.at) == (kind, data, None)


@pytest.mark.parametrize(
    "text", [b"", b"\nexif\n       3\n0102\n", b"\nexif\n 1\nzz\n", b"exif", b"\n" * 1_000_000, b"\nexif\n1\n\xff\xff"]
)
def test_damaged_profiles_are_told(text: bytes) -> None:
    assert isinstance(raw_profile("Raw profile type exif", "here", text), Damage)


@pytest.mark.parametrize("key", ["Comment", "Raw profile type icc", "exif", ""])
def test_other_keys_are_no_profiles(key: str) -> None:
    assert raw_profile(key, "here", b"\nexif\n1\n01\n") is None
