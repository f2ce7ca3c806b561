r"""One row of a case, with a proof that it is in the case and without any other row.

    key      SHA-256("forensic case key 1\n" + chain start + all digests of the chain)
    salt n   HMAC-SHA-256(key, n), n as 8 bytes, big-endian
    blind n  HMAC-SHA-256(key, n + "duplicate-of")
    leaf n   salt n + SHA-256(finding without duplicate-of) + HMAC-SHA-256(blind n, duplicate-of) + SHA-256(thumbnail)
             + SHA-256(spectrum)
    root     SHA-256("forensic case root 1\n" + number of rows, 8 bytes + root of the tree over all leaves (tree.py))

Without a salt the neighbour's leaf, which a proof has to show, could be guessed: whoever has a file and these weights
can compute what a case would say of it. The key follows from all rows together: only who guesses every other row, all
at once, can confirm it. So the same case has the same root on every machine, and nothing more is stored. An exhibit
tells how many rows there are and which of them this is. `duplicate-of` would tell another row's path; it is withheld,
and so is whether there is one: its blind is never disclosed. The number of rows is in the root because a path alone
does not fix it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from forensic.case.chain import chain_start
from forensic.case.flags import DUPLICATE_OF, with_duplicate_of
from forensic.case.rows import finding_from_json, finding_to_dict, finding_to_json
from forensic.case.tree import audit_path, leaf_hash, root_from, root_hash
from forensic.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forensic.case.reader import CaseReader
    from forensic.case.rows import CaseHeader, Finding

FORMAT = "forensic exhibit 1"
_KEY = b"forensic case key 1\n"
_ROOT = b"forensic case root 1\n"
_HEX = ("salt", "duplicate_of", "thumbnail", "spectrum", "root")
_REMEDY = "Take it anew from where it was handed over, or ask for the case"


@dataclass(frozen=True)
class Exhibit:
    """What was disclosed."""

    finding: Finding
    """Without `duplicate-of`."""
    index: int
    tree_size: int
    root: str
    """64 hex digits."""


def key_start(header: CaseHeader) -> hashlib._Hash:
    """The key of the salts before the first row. Whoever walks the rows anyhow updates it with the digest of each.

    The leaves need it whole, hence a pass over the rows of their own: no row's salt may be told by the rows before it.
    """
    return hashlib.sha256(_KEY + chain_start(header))


def case_root(case: CaseReader, key: bytes | None = None) -> str:
    """The root over all rows that are there, 64 hex digits.

    Args:
        case: complete or not.
        key: as `key_start`, updated with all digests, has it; gathered here where None.

    Raises:
        VerificationError: the case is damaged.
        MachineError: it can not be read.
    """
    size = 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for leaf in _leaves(case, key or _key(case)):
            size += 1
            yield leaf

    tree = root_hash(counted())
    return _root(size, tree).hex()


def told_root(case: CaseReader) -> str:
    """The root as it was kept when the scan ended, 64 hex digits; computed where the case keeps none.

    Raises:
        VerificationError: the case is damaged.
        MachineError: it can not be read.
    """
    return case.stored_root or case_root(case)


def exhibit_of(case: CaseReader, path: str) -> dict[str, Any]:
    """The row of one path as a JSON object that proves itself.

    Args:
        case: complete, and in agreement with its own chain.
        path: as the findings tell it; its exact bytes serve too.

    Raises:
        UsageError: the case is not complete, or has no such path.
    """
    if not case.complete:
        raise UsageError("--exhibit", "the case is not complete, its root still changes", "Let the scan end first")
    seq = case.number_of(path)
    if seq is None:
        raise UsageError(f"--exhibit {path}", "the case has no such path", "`forensic case export CASE` lists them")
    key, size = _key(case), len(case)
    line, thumbnail, spectrum = next(case.stored_rows(seq))
    shown, parts = _parts(line, thumbnail, spectrum, _blind(key, seq))
    others = audit_path(_leaves(case, key), size, seq)
    tree = root_from(leaf_hash(_salt(key, seq) + b"".join(parts)), seq, size, others)
    return {
        "format": FORMAT,
        "finding": finding_to_dict(finding_from_json(shown)),
        "salt": _salt(key, seq).hex(),
        "duplicate_of": parts[1].hex(),
        "thumbnail": parts[2].hex(),
        "spectrum": parts[3].hex(),
        "index": seq,
        "tree_size": size,
        "audit_path": [other.hex() for other in others],
        "root": _root(size, tree).hex(),
    }


def verify_exhibit(text: str, expected: str | None = None, *, subject: str = "exhibit") -> Exhibit:
    """Check an exhibit against its own proof, and against a root that was published elsewhere.

    Args:
        text: the JSON object.
        expected: the root as `case show` told it, 64 hex digits.
        subject: how it is named in messages.

    Raises:
        VerificationError: it is no exhibit, or the proof does not lead to the root.
    """
    try:
        said = json.loads(text)
        finding = finding_from_json(json.dumps(said["finding"]))
        salt, *parts, root = (_digest(said[name]) for name in _HEX)
        index, size = said["index"], said["tree_size"]
        if said["format"] != FORMAT or type(index) is not int or type(size) is not int or size >> 63:
            raise ValueError("another format, or no whole numbers")  # noqa: TRY301 - told as the others are
        data = salt + hashlib.sha256(finding_to_json(finding).encode("ascii")).digest() + b"".join(parts)
        path = [_digest(other) for other in said["audit_path"]]
        found = _root(size, root_from(leaf_hash(data), index, size, path))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise VerificationError(subject, f"is no exhibit that can be read ({error})", _REMEDY) from error
    if found != root:
        raise VerificationError(subject, "the finding does not belong to the root it names", _REMEDY)
    if expected is not None and root.hex() != expected:
        raise VerificationError(subject, f"belongs to the root {root.hex()}, expected was {expected}", _REMEDY)
    return Exhibit(finding, index, size, root.hex())


def _key(case: CaseReader) -> bytes:
    key = key_start(case.header)
    for digest in case.digests():
        key.update(digest)
    return key.digest()


def _salt(key: bytes, seq: int) -> bytes:
    return hmac.digest(key, seq.to_bytes(8, "big"), "sha256")


def _root(size: int, tree: bytes) -> bytes:
    return hashlib.sha256(_ROOT + size.to_bytes(8, "big") + tree).digest()


def _blind(key: bytes, seq: int) -> bytes:
    return hmac.digest(key, seq.to_bytes(8, "big") + b"duplicate-of", "sha256")


def _leaves(case: CaseReader, key: bytes) -> Iterator[bytes]:
    for seq, (line, thumbnail, spectrum) in enumerate(case.stored_rows()):
        parts = _parts(line, thumbnail, spectrum, _blind(key, seq))[1]
        yield leaf_hash(_salt(key, seq) + b"".join(parts))


def _parts(line: str, thumbnail: bytes | None, spectrum: bytes | None, blind: bytes) -> tuple[str, list[bytes]]:
    """The JSON line as it is disclosed, and the four digests behind the salt."""
    duplicate = ""
    if DUPLICATE_OF in line:
        finding = finding_from_json(line)
        duplicate = next((flag for flag in finding.flags if flag.startswith(DUPLICATE_OF)), "")
        line = finding_to_json(replace(finding, flags=with_duplicate_of(finding.flags, None)))
    return line, [
        hashlib.sha256(line.encode("ascii")).digest(),
        hmac.digest(blind, duplicate.encode("utf-8"), "sha256"),
        hashlib.sha256(thumbnail or b"").digest(),
        hashlib.sha256(spectrum or b"").digest(),
    ]


def _digest(text: str) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != hashlib.sha256().digest_size:
        raise ValueError(f"{text!r} is no SHA-256")
    return found
