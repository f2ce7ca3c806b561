"""The hashes of a case as manifests that other programs check: `sha256sum -c`, and BagIt (RFC 8493).

Paths are written as bytes, as they are: a name that is no UTF-8 stays what it was.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from forensic.case.places import Places
from forensic.case.rows import exact_path

if TYPE_CHECKING:
    from forensic.case.reader import CaseReader


def write_sha256sum(case: CaseReader, stream: IO[bytes]) -> int:
    """Lines for `sha256sum -c`, run in the folder in which the scan was run; paths are as the scan tells them.

    Returns:
        How many findings have no hash and are left out: files that could not be read at all, and what is no file.
    """
    left_out = 0
    for finding, _ in case.lines():
        if finding.sha256 is None:
            left_out += 1
        else:
            stream.write(sha256sum_line(finding.sha256, exact_path(finding)))
    return left_out


def sha256sum_line(sha256: str, path: bytes) -> bytes:
    r"""One line as GNU's `sha256sum` writes it: `\` in front says that `\\`, `\n` and `\r` in the name are escapes."""
    escaped = path.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return (b"\\" if escaped != path else b"") + sha256.encode("ascii") + b"  " + escaped + b"\n"


def write_bagit(case: CaseReader, stream: IO[bytes]) -> int:
    """A `manifest-sha256.txt`: `data/` stands for the deepest folder that holds all that was scanned.

    Evidence is not moved into a bag; with a copy of that folder as `data/` and a `bagit.txt` it would be one.

    Returns:
        How many findings have no hash and are left out.
    """
    places = Places(case)
    left_out = 0
    for finding, place in case.lines():
        if finding.sha256 is None:
            left_out += 1
        else:
            stream.write(finding.sha256.encode("ascii") + b"  data/" + _percent_encoded(places.below(place)) + b"\n")
    return left_out


def _percent_encoded(path: bytes) -> bytes:
    """Line ends and the percent sign, and only those, as RFC 8493 has it."""
    return path.replace(b"%", b"%25").replace(b"\r", b"%0D").replace(b"\n", b"%0A")
