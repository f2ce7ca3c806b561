"""A claim keeps the exact bytes by their hash, whatever is shown of them."""

from __future__ import annotations

import hashlib

from forensic.provenance.claims import MOST_CHARACTERS, Claim, claim_of, to_dict, unreadable


def test_hash_and_length_are_of_all_bytes_and_the_value_is_cut() -> None:
    raw = b"\xe9" * (MOST_CHARACTERS + 1)
    claim = claim_of("text", "here", raw.decode("latin-1"), raw, says="words")
    assert claim.value == "é" * MOST_CHARACTERS
    assert claim.value_bytes == MOST_CHARACTERS + 1
    assert claim.value_sha256 == hashlib.sha256(raw).hexdigest()
    assert claim.state == "unsigned"


def test_every_key_is_there_in_json() -> None:
    told = to_dict(unreadable("there", "a reason"))
    assert set(told) == set(Claim.__dataclass_fields__)
    assert (told["state"], told["says"], told["value"], told["details"]) == ("unreadable", "a reason", None, [])
