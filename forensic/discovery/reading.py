"""The rejected files of a case, read again: where each lies among sources, and what it looks like.

    files     verdict unknown; of equal bytes one, under the path that is first in byte order
    place     traces (`forensic.traces`), mean over the tiles, whitened within the training classes, (900,)

A file whose SHA-256 is another now, or which is gone, is left out and named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from forensic.case.rows import display_path, exact_path
from forensic.scan.reexamine import read_again
from forensic.traces.features import trace_features

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from forensic.case.places import Places
    from forensic.case.reader import CaseReader
    from forensic.case.rows import Finding
    from forensic.models.discriminant import Whitening
    from forensic.scan.frames import Read


@dataclass(frozen=True)
class Rejected:
    """One content that the case rejected."""

    sha256: str
    path: str
    """As the finding has it; the first in byte order where several files have these bytes."""
    path_b64: str | None
    also: tuple[str, ...]
    """The other paths with these bytes, in byte order."""
    opened: bytes
    """Where the file lies now."""
    format: str
    nearest: str | None
    """The best class by the scan's score."""
    look: int
    seq: int
    """Number of its row in the case."""


@dataclass(frozen=True)
class Gathered:
    """What can be clustered, in the order of the hashes, and what can not."""

    images: list[Rejected]
    places: NDArray[np.float32]
    """(N, F) whitened traces."""
    left_out: list[tuple[str, str]]
    """(path, reason), in path order."""
    findings: int
    """Rejected files of the case, duplicates and what is left out with them."""


def gather(
    case: CaseReader,
    places: Places,
    whitening: Whitening,
    preprocessing: str,
    *,
    workers: int = 2,
    on_file: Callable[[], None] = lambda: None,
) -> Gathered:
    """Read what a case rejected.

    Args:
        case: complete or not.
        places: where its files lie now.
        whitening: of the weights.
        preprocessing: of the same weights.
        workers: processes that decode.
        on_file: called after each file that is read.

    Raises:
        MachineError: the decoder does not work on this machine.
    """
    follow_links = bool(case.header.configuration.get("follow_links"))
    paths: dict[str, list[bytes]] = {}
    first: dict[str, tuple[int, Finding, bytes]] = {}
    findings = 0
    for seq, (finding, place) in enumerate(case.paged_lines()):
        if finding.verdict != "unknown" or finding.sha256 is None:
            continue
        findings += 1
        path = exact_path(finding)
        known = paths.setdefault(finding.sha256, [])
        if not known or path < min(known):
            first[finding.sha256] = (seq, finding, places.opened(place, follow_links=follow_links))
        known.append(path)
    rows = {seq: sha256 for sha256, (seq, _, _) in first.items()}
    found: dict[str, tuple[Rejected, NDArray[np.float32]]] = {}
    left_out = []
    matrix = whitening.whitening.astype(np.float64)
    for checked, read in read_again(case, places, rows.keys(), preprocessing, workers=workers):
        reason = checked.differences[0] if checked.differences else _unusable(read)
        if reason is not None:
            left_out.append((checked.path, reason))
        elif read.tiles is not None and read.look is not None:
            sha256 = rows[checked.seq]
            traces = trace_features(torch.from_numpy(read.tiles.copy())).numpy().astype(np.float64).mean(axis=0)
            place_now = ((traces - whitening.offset) @ matrix).astype(np.float32)
            _, finding, opened = first[sha256]
            others = sorted(paths[sha256])[1:]
            image = Rejected(
                sha256=sha256,
                path=finding.path,
                path_b64=finding.path_b64,
                also=tuple(display_path(path)[0] for path in others),
                opened=opened,
                format=finding.format or "",
                nearest=finding.nearest,
                look=read.look,
                seq=checked.seq,
            )
            if np.isfinite(place_now).all():
                found[sha256] = (image, place_now)
            else:
                left_out.append((checked.path, "its traces are not finite"))
        on_file()
    ordered = [found[sha256] for sha256 in sorted(found)]
    stacked = np.stack([place for _, place in ordered]) if ordered else np.zeros((0, len(matrix)), np.float32)
    return Gathered([image for image, _ in ordered], stacked, sorted(left_out), findings)


def _unusable(read: Read) -> str | None:
    if read.outcome is not None:
        return f"can not be decoded any more: {read.outcome.reason}"
    return None if read.tiles is not None and read.look is not None else "gave no tiles"
