r"""The chain of digests: each row of a case holds the digest of the row before it.

    start    = SHA-256("forensic case 1\n" + canonical JSON of weights, preprocessing, configuration)
    digest n = SHA-256(digest n-1 + SHA-256(JSON line) + SHA-256(thumbnail) + SHA-256(spectrum))

An artefact that is not kept counts as empty. Who ran the scan, when and in how many pieces is not in the
chain: a scan that was interrupted and went on ends with the digest of one that was not. The digest of the last
row, printed at the end of a scan and standing in the report, fixes every finding before it.
"""

from __future__ import annotations

import array
import hashlib
import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forensic.case.rows import CaseHeader

_START = b"forensic case 1\n"


def chain_start(header: CaseHeader) -> bytes:
    """The digest before the first row, 32 bytes: what can change a finding, and nothing else.

    Raises:
        ValueError: the configuration holds a number that is not finite.
        TypeError: the configuration holds what JSON can not say.
    """
    what = {"configuration": header.configuration, "preprocessing": header.preprocessing, "weights": header.weights}
    canonical = json.dumps(what, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(_START + canonical.encode("ascii")).digest()


def chain_next(before: bytes, line: str, thumbnail: bytes | None, spectrum: bytes | None) -> bytes:
    """The digest of a row, 32 bytes.

    Args:
        before: digest of the row before, or `chain_start`.
        line: the finding's JSON line, without a newline.
        thumbnail: the stored bytes, None where none is kept.
        spectrum: the stored bytes (`spectrum_bytes`), None where none is kept.
    """
    parts = (line.encode("ascii"), thumbnail or b"", spectrum or b"")
    return hashlib.sha256(before + b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def spectrum_bytes(values: Sequence[float]) -> bytes:
    """A spectrum as it is stored and chained: 32-bit floats, little-endian."""
    packed = array.array("f", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def spectrum_values(stored: bytes) -> tuple[float, ...]:
    """The inverse of `spectrum_bytes`, up to the rounding to 32 bits.

    Raises:
        ValueError: the length is no multiple of four bytes.
    """
    packed = array.array("f")
    packed.frombytes(stored)
    if sys.byteorder == "big":
        packed.byteswap()
    return tuple(packed)
