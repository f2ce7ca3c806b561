"""Hashes that a case does not hold, of the files it speaks of: each read again, and only if it is still the same."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, get_args

from forensic.case import evidence
from forensic.errors import FileOutcome, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from forensic.case.places import Places
    from forensic.case.reader import CaseReader
    from forensic.case.rows import Finding

Algorithm = Literal["md5", "sha1"]
"""For comparison with lists that have no other; neither is safe against whoever makes files on purpose."""
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
_MAX_BYTES = 1 << 30
_REMEDY = "Name where the files lie now with --evidence; `forensic case verify` lists what differs"


def further_hashes(
    case: CaseReader, places: Places, names: Sequence[Algorithm]
) -> Iterator[tuple[Finding, dict[str, str | None]]]:
    """Each finding with further hashes of its file, in hex; None where the scan could not read it.

    The bytes that are hashed are those whose SHA-256 is compared with the case, in one read.

    Raises:
        VerificationError: a file has changed, or can not be read any more.
    """
    configuration = case.header.configuration
    follow_links = bool(configuration.get("follow_links"))
    for finding, place in case.paged_lines():
        if finding.sha256 is None:
            yield finding, dict.fromkeys(names)
            continue
        try:
            found = evidence.read(
                places.opened(place, follow_links=follow_links),
                max_bytes=configuration.get("max_bytes", _MAX_BYTES),
                follow_links=follow_links,
            )
        except FileOutcome as outcome:
            raise VerificationError(finding.path, f"can not be hashed again: {outcome.reason}", _REMEDY) from None
        if found.sha256 != finding.sha256:
            raise VerificationError(finding.path, "has another content than the case says", _REMEDY)
        yield finding, {name: hashlib.new(name, found.data, usedforsecurity=False).hexdigest() for name in names}
