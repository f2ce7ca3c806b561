"""Builders of pictures with metadata, byte by byte; a manifest store by hand, and signed ones where the library is."""

from __future__ import annotations

import datetime
import io
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HOSTILE = Path(__file__).resolve().parents[1] / "hostile"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_JUMBF_SUFFIX = bytes.fromhex("00110010800000aa00389b71")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0))
    pixels = _chunk(b"IDAT", zlib.compress(bytes(17 * 16)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(_chunk(*each) for each in chunks) + pixels + _chunk(b"IEND", b"")


def _jpeg(*segments: tuple[int, bytes]) -> bytes:
    plain = (HOSTILE / "jpeg-ok-control.jpg").read_bytes()
    extra = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    return plain[:2] + extra + plain[2:]


def _xmp(inner: str, attributes: str = "") -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'{attributes}>{inner}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def _cbor(value: Any) -> bytes:
    """Definite lengths only; enough for a claim."""

    def head(major: int, number: int) -> bytes:
        if number < 24:
            return bytes([major << 5 | number])
        return bytes([major << 5 | 25]) + struct.pack(">H", number)

    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(_cbor, value))
    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(_cbor(key) + _cbor(inner) for key, inner in value.items())
    assert isinstance(value, int)
    return head(0, value)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _jumbf(kind: bytes, label: str, *content: bytes) -> bytes:
    described = _box(b"jumd", kind + _JUMBF_SUFFIX + b"\3" + label.encode() + b"\0")
    return _box(b"jumb", described + b"".join(content))


def _manifest(label: str, claim: dict[str, Any], actions: list[dict[str, Any]], kind: bytes = b"c2ma") -> bytes:
    assertion = _jumbf(b"cbor", "c2pa.actions.v2", _box(b"cbor", _cbor({"actions": actions})))
    return _jumbf(
        kind,
        label,
        _jumbf(b"c2as", "c2pa.assertions", assertion),
        _jumbf(b"c2cl", "c2pa.claim.v2", _box(b"cbor", _cbor(claim))),
        _jumbf(b"c2cs", "c2pa.signature", _box(b"cbor", _cbor(b"no signature"))),
    )


@dataclass(frozen=True)
class Signer:
    """Signs with a certificate of its own; `root` is what a trust list must hold, `other_root` is another one."""

    root: bytes
    other_root: bytes
    sign: Callable[..., bytes]


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """`png((b"tEXt", body), ...)`: a PNG with these chunks before its pixels."""
    return _png


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., bytes]:
    """`jpeg((0xE1, body), ...)`: the control image with these segments at its head."""
    return _jpeg


@pytest.fixture(scope="session")
def xmp() -> Callable[..., bytes]:
    """`xmp("<a:b>c</a:b>", 'xmlns:a="..."')`: a packet with one description."""
    return _xmp


@pytest.fixture(scope="session")
def box() -> Callable[[bytes, bytes], bytes]:
    """One box of ISO media files and JUMBF."""
    return _box


@pytest.fixture(scope="session")
def jumbf() -> Callable[..., bytes]:
    """`jumbf(b"c2ma", "label", content, ...)`: a superbox."""
    return _jumbf


@pytest.fixture(scope="session")
def manifest() -> Callable[..., bytes]:
    """`manifest("label", {claim}, [actions])`: a manifest that nobody signed."""
    return _manifest


@pytest.fixture(scope="session")
def store() -> bytes:
    """A store with an ingredient's manifest and the active one."""
    first = _manifest(
        "urn:c2pa:one",
        {"claim_generator": "older program/1"},
        [{"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE + "digitalCapture"}],
    )
    second = _manifest(
        "urn:c2pa:two",
        {"claim_generator_info": {"name": "generator", "version": "2"}},
        [
            {"action": "c2pa.opened"},
            {
                "action": "c2pa.edited",
                "digitalSourceType": SOURCE_TYPE + "compositeWithTrainedAlgorithmicMedia",
                "softwareAgent": {"name": "agent"},
            },
        ],
    )
    return _jumbf(b"c2pa", "c2pa", first, second)


@pytest.fixture(scope="session")
def signer() -> Signer:
    """`signer.sign(data, "image/png", actions=[...], **settings of the builder)`."""
    library = pytest.importorskip("c2pa", reason="needs c2pa-python")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    root = _certificate("Test Root", root_key, "Test Root", root_key).public_bytes(pem)
    other_key = ec.generate_private_key(ec.SECP256R1())
    other = _certificate("Other Root", other_key, "Other Root", other_key).public_bytes(pem)
    leaf = _certificate("Test Signer", key, "Test Root", root_key, leaf=True).public_bytes(pem)
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def sign(data: bytes, media_type: str, source: str = "trainedAlgorithmicMedia", remote: str | None = None) -> bytes:
        action = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE + source}
        told = {
            "claim_generator_info": [{"name": "test generator", "version": "1.0"}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}],
        }
        out = io.BytesIO()
        with (
            library.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}}) as settings,
            library.Context(settings=settings) as context,
            library.Signer.from_info(library.C2paSignerInfo(b"es256", leaf + root, secret, None)) as by,
            library.Builder(json.dumps(told), context) as builder,
        ):
            if remote is not None:
                builder.set_remote_url(remote)
                builder.set_no_embed()
            builder.sign(by, media_type, io.BytesIO(data), out)
        return out.getvalue()

    return Signer(root, other, sign)


def _certificate(name: str, key: Any, issuer: str, issuer_key: Any, *, leaf: bool = False) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(common: str) -> x509.Name:
        return x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, common), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests")]
        )

    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=not leaf, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(digital_signature=leaf, key_cert_sign=not leaf, crl_sign=not leaf, **usage), critical=True
        )
    )
    if leaf:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
