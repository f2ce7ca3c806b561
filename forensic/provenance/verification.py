"""Whether a C2PA manifest store holds: asked of the library where it is installed, else "not checked" with a reason.

The library is called only for files that have a store. What it says is told in C2PA's words, with one rule of our own:
nothing is `trusted` unless a list of certificates was given, whatever list the library may have by itself.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from forensic.errors import MissingError
from forensic.provenance.manifests import Manifest, actions_of, generator_of
from forensic.provenance.vocabulary import c2pa_failure

if TYPE_CHECKING:
    from collections.abc import Sequence

Verified = Literal["present-not-checked", "invalid", "valid", "trusted"]

SECONDS = 60.0
_START = "import sys; sys.path.insert(0, sys.argv[1]); from forensic.provenance.c2pa_process import main; main()"
COMMAND = (sys.executable, "-P", "-c", _START, str(Path(__file__).parents[2]))
_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WebP": "image/webp",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "HEIC": "image/heic",
}
_NOT_INSTALLED = "c2pa-python is not installed: pip install 'forensic-attribution[c2pa]'"
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class TrustList:
    """Certificates that count as trusted, as they were given."""

    name: str
    pem: str
    sha256: str
    certificates: int


@dataclass(frozen=True)
class Verification:
    """What is known of a store's signature."""

    state: Verified
    says: str
    manifest: Manifest | None = None
    """The active one as the library reads it: what was checked is told from here, never from a reading of our own."""
    reader: str | None = None
    details: tuple[str, ...] = ()


def read_trust_list(name: str, data: bytes) -> TrustList:
    """Certificates in PEM form.

    Args:
        name: of the file, for messages.
        data: its bytes.

    Raises:
        MissingError: it holds no certificate.
    """
    pem = data.decode("utf-8", errors="replace")
    count = pem.count(_CERTIFICATE)
    if not count:
        raise MissingError(name, "holds no certificate in PEM form", "Give a trust list, such as C2PA publishes")
    return TrustList(name, pem, hashlib.sha256(data).hexdigest(), count)


def is_installed() -> bool:
    """Whether the library is here."""
    return find_spec("c2pa") is not None


def verify(
    data: bytes,
    format_name: str,
    trust: TrustList | None = None,
    *,
    command: Sequence[str] = COMMAND,
    seconds: float = SECONDS,
) -> Verification:
    """Asks the library about one file that has a manifest store.

    Args:
        data: the whole file.
        format_name: as `image_format` gives it.
        trust: what counts as trusted, or None.
        command: starts the process; another one is for tests.
        seconds: after which it is ended.
    """
    if not is_installed():
        return Verification("present-not-checked", f"not checked: {_NOT_INSTALLED}")
    job = {"format": _MEDIA_TYPES[format_name], "trust": None if trust is None else trust.pem}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command,
            input=json.dumps(job).encode() + b"\n" + data,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        told = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return Verification("present-not-checked", f"not checked: the library took more than {seconds:g} seconds")
    except OSError as error:
        return Verification("present-not-checked", f"not checked: no process can be started ({error.strerror})")
    except ValueError:
        how = f"by signal {-done.returncode}" if done.returncode < 0 else f"with code {done.returncode}"
        return Verification("present-not-checked", f"not checked: the library ended {how}")
    if told.get("state") not in ("Invalid", "Valid", "Trusted"):
        reason, reader = told.get("reason", "it names no state"), told.get("reader")
        return Verification("present-not-checked", f"not checked: the library refused: {reason}", reader=reader)
    return _verification(told, trust)


def _verification(told: dict[str, Any], trust: TrustList | None) -> Verification:
    state: Verified = "invalid"
    says = "a hash, the signature or the certificate does not hold"
    if told["state"] in ("Valid", "Trusted"):
        state = "trusted" if told["state"] == "Trusted" and trust is not None else "valid"
        says = "the signature holds; the manifest's parts and the bytes that it binds have the hashes that were signed"
        if state == "trusted":
            says += "; the signer's certificate leads to one on the given list"
        elif trust is None:
            says += "; who signed was not checked: no trust list was given"
        else:
            says += "; the signer's certificate leads to none on the given list"
    details = [f"signed by: {told['signer'] or 'not told'}", f"time stamp: {told['time'] or 'none'}"]
    details += [
        f"failure: {c2pa_failure(code)}" for code in told["failures"] if state == "invalid" or trust is not None
    ]
    if trust is not None:
        count = "1 certificate" if trust.certificates == 1 else f"{trust.certificates} certificates"
        details.append(f"trust list: {trust.name}, {count}, sha256 {trust.sha256}")
    details.append(
        "not checked: whether a certificate was revoked (that needs a network); whether what is signed is true"
    )
    manifest = Manifest(told["label"], "manifest", generator_of(told["generator"]), list(actions_of(told["actions"])))
    return Verification(state, says, manifest, told["reader"], tuple(details))
