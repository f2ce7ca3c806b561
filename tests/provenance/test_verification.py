"""States of a manifest store: valid, trusted, invalid by the library; not checked with a reason whatever goes wrong."""

from __future__ import annotations

import sys

import pytest

from forensic.errors import MissingError
from forensic.provenance import verification
from forensic.provenance.verification import read_trust_list, verify


def test_signed_by_somebody(signer, png) -> None:
    found = verify(signer.sign(png(), "image/png"), "PNG")
    assert found.state == "valid"
    assert "no trust list was given" in found.says
    assert found.manifest is not None
    assert found.manifest.generator == "test generator 1.0"
    assert "signed by: Test Signer, Tests, Es256" in found.details
    assert not any(detail.startswith("failure") for detail in found.details)


def test_signed_by_one_on_the_list(signer, png) -> None:
    trust = read_trust_list("anchors.pem", signer.root)
    found = verify(signer.sign(png(), "image/png"), "PNG", trust)
    assert found.state == "trusted"
    assert "leads to one on the given list" in found.says
    assert f"trust list: anchors.pem, 1 certificate, sha256 {trust.sha256}" in found.details
    assert any("revoked" in detail for detail in found.details)


def test_signed_by_one_who_is_not_on_the_list(signer, png) -> None:
    found = verify(signer.sign(png(), "image/png"), "PNG", read_trust_list("x", signer.other_root))
    assert found.state == "valid"
    assert "leads to none on the given list" in found.says
    assert any("signingCredential.untrusted" in detail for detail in found.details)


def test_a_changed_picture_is_invalid(signer, png) -> None:
    data = bytearray(signer.sign(png((b"tEXt", b"Title\0words")), "image/png"))
    data[data.index(b"words")] ^= 1
    found = verify(bytes(data), "PNG", read_trust_list("x", signer.root))
    assert found.state == "invalid"
    assert any("not those that were signed (assertion.dataHash.mismatch)" in detail for detail in found.details)


def test_the_library_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "find_spec", lambda _name: None)
    found = verify(b"", "PNG")
    assert found.state == "present-not-checked"
    assert "pip install 'forensic-attribution[c2pa]'" in found.says


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(3)", "the library ended with code 3"),
        ("import os; os.kill(os.getpid(), 9)", "the library ended by signal 9"),
        ("print('no JSON')", "the library ended with code 0"),
        ("import time; time.sleep(60)", "the library took more than 0.5 seconds"),
        ('print(\'{"reason": "words"}\')', "the library refused: words"),
        ('print(\'{"state": "Other"}\')', "the library refused: it names no state"),
    ],
)
def test_whatever_the_process_does_is_a_reason(code: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "is_installed", lambda: True)
    found = verify(b"x", "PNG", command=(sys.executable, "-c", code), seconds=0.5 if "sleep" in code else 60)
    assert (found.state, found.says) == ("present-not-checked", f"not checked: {reason}")


def test_a_process_that_can_not_start_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "is_installed", lambda: True)
    found = verify(b"x", "PNG", command=("/nonexistent/python",))
    assert found.says == "not checked: no process can be started (No such file or directory)"


def test_nothing_is_trusted_without_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "is_installed", lambda: True)
    told = (
        '{"state":"Trusted","label":"x","generator":null,"actions":[],"signer":"","time":"","failures":[],"reader":"r"}'
    )
    found = verify(b"x", "PNG", command=(sys.executable, "-c", f"print({told!r})"))
    assert found.state == "valid"


def test_a_trust_list_holds_certificates() -> None:
    with pytest.raises(MissingError, match="holds no certificate"):
        read_trust_list("x.pem", b"\xff words")
    found = read_trust_list("x.pem", b"-----BEGIN CERTIFICATE-----\n" * 2)
    assert (found.name, found.certificates) == ("x.pem", 2)
