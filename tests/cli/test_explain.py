"""`forensic explain`: codes by name, by flag with its value, by a reason's own words; all of them."""

from __future__ import annotations

import json

from forensic.codes.table import codes


def test_all_codes_are_listed(forensic) -> None:
    ran = forensic("explain")
    assert ran.code == 0
    assert all(any(line.split()[:1] == [code.name] for line in ran.out.splitlines()) for code in codes())


def test_a_flag_a_reason_and_an_exit_code(forensic) -> None:
    ran = forensic("explain", "trailing-data=zip", "content is a PDF document, not an image", "3")
    assert ran.code == 0
    heads = [line for line in ran.out.splitlines() if not line.startswith(" ")]
    assert heads == ["trailing-data (flag)", "not-an-image (reason)", "3 (exit)"]
    assert "  remedy   Carve them out and examine them on their own." in ran.out.splitlines()


def test_as_json(forensic) -> None:
    (entry,) = json.loads(forensic("explain", "small", "--format", "json").out)
    assert entry["name"] == "small"
    assert entry["kind"] == "flag"
    assert entry["remedy"] is None
    assert "pattern" not in entry


def test_what_is_no_code(forensic) -> None:
    ran = forensic("explain", "no-such-code")
    assert ran.code == 2
    assert ran.err == "forensic: no-such-code: is no code. `forensic explain` lists them\n"
