"""The files of a case, examined again: level 1 hashes them, 2 decodes them too, 3 scores them too.

    row of the case -> file, where it lies now -> read once -> compared -> Checked

From level 2 on the files go through the workers of a scan, with the limits that the case names. Level 3 scores with
torch in float32, whatever engine the case had: the card says by how much an engine may differ. It does so with as many
threads as the case was made with, where the case records them: the last bits of a score may depend on their number.
"""

from __future__ import annotations

import hashlib
import heapq
import os
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from forensic.calibration.words import kept_calibration
from forensic.case import evidence
from forensic.case.flags import of_decoder, without_stability
from forensic.case.rows import exact_path
from forensic.data.inspection import DecodeLimits
from forensic.engines.choice import choose, precision_in
from forensic.errors import FileOutcome, MissingError, Skipped, Unreadable, VerificationError
from forensic.models.weights import find_weights, list_weights, read_card
from forensic.provenance.carried import CARRIED
from forensic.scan.attribute import attribute, finding_of, salvaged_of, status_of, weighed
from forensic.scan.frames import Read
from forensic.scan.plan import MAX_TILES
from forensic.scan.pool import DecodePool
from forensic.scan.run import BATCH_FILES, BATCH_TILES, KNOWN_HASH, NOT_FINITE, read_in_order
from forensic.scan.walk import Candidate

if TYPE_CHECKING:
    from collections.abc import Container, Generator, Iterator, Sequence
    from pathlib import Path

    from forensic.case.beside import CarriedClaim, Salvaged
    from forensic.case.ledger import CaseReader, Place
    from forensic.case.places import Places
    from forensic.case.rows import CaseHeader, Finding
    from forensic.scan.engine import Measured

_DECODED = ("status", "reason", "format", "width", "height", "decoder")
_SCORED = ("verdict", "label", "nearest", "threshold")
_SALVAGED = ("rows", "of_rows", "width", "height", "reason", "decoder")
_MOST_THREADS = 1024
"""What a case may ask of the machine that checks it."""


@dataclass(frozen=True)
class Checked:
    """One row of a case, held against its file."""

    seq: int
    path: str
    differences: tuple[str, ...]


@dataclass(frozen=True)
class _Row:
    seq: int
    finding: Finding
    candidate: Candidate


def sample_of(total: int, size: int, seed: int) -> list[int]:
    """Numbers of `size` rows out of `total`, rising; those whose number, hashed with the seed, comes first.

    Another laboratory draws the same rows from the same seed, whatever its Python.
    """
    drawn = heapq.nsmallest(size, range(total), key=lambda seq: hashlib.sha256(f"{seed}:{seq}".encode()).digest())
    return sorted(drawn)


def weights_of(header: CaseHeader, given: str | None = None) -> Path:
    """The weights that a case was made with.

    Args:
        header: of the case.
        given: name or file; those among the bundled ones that have the hash where None.

    Raises:
        MissingError: they are not among the bundled ones, or those given are others.
        WeightsError: the card of those given can not be read.
    """
    told = f"weights {header.weights_name} ({header.weights})"
    if given is None:
        fits = [entry.path for entry in list_weights() if entry.card and entry.card.short_hash == header.weights]
        if not fits:
            raise MissingError(told, "are not among the bundled ones", "Name their file with --weights FILE")
        return fits[0]
    path = find_weights(given)
    card = read_card(path)
    if header.weights != card.short_hash or header.card.get("hash", card.hash) != card.hash:
        raise MissingError(given, f"has the hash {card.short_hash}", f"Give --weights the file of {told}")
    return path


def reexamine(
    case: CaseReader,
    places: Places,
    level: int,
    *,
    chosen: Container[int] | None = None,
    weights: Path | None = None,
    workers: int = 2,
) -> Generator[Checked]:
    """Hold the rows of a case against the files, each read once and read-only.

    Args:
        case: whose own chain agrees.
        places: where its files lie now.
        level: 1, 2 or 3.
        chosen: numbers of the rows; all where None.
        weights: as `weights_of` gives them, for level 3.
        workers: processes that decode.

    Yields:
        One `Checked` a row, in the order of the case.

    Raises:
        ValueError: another level, or 3 without weights.
        MissingError, WeightsError: weights are damaged.
        VerificationError: at level 3, the case keeps another card or other class spectra than the weights have.
        MachineError: the decoder does not work on this machine.
    """
    if level not in (1, 2, 3) or (level == 3 and weights is None):
        raise ValueError(f"level must be 1, 2, or 3 with weights; got {level} and {weights}")
    rows = _rows(case, places, chosen)
    if level == 1:
        for row in rows:
            yield _checked(row, _identity(row.finding, _hashed(row.candidate, case.header.configuration)))
        return
    scoring = None if weights is None or level < 3 else _Scoring(case, weights)
    batch: list[tuple[_Row, Read]] = []
    tiles = 0
    with _pool(case.header, case.header.preprocessing, workers) as pool:
        for row, read in _decoded(pool, rows):
            if scoring is None:
                yield _checked(row, _identity(row.finding, read) or _decoding(row.finding, read, case.header))
                continue
            batch.append((row, read))
            tiles += sum(map(len, read.images))
            if tiles >= BATCH_TILES or len(batch) >= BATCH_FILES:
                yield from scoring.checked(batch)
                batch, tiles = [], 0
    if scoring is not None:
        yield from scoring.checked(batch)


def read_again(
    case: CaseReader, places: Places, chosen: Container[int], preprocessing: str, *, workers: int = 2
) -> Generator[tuple[Checked, Read]]:
    """Read some files of a case again, for what was not asked of them before.

    Args:
        case: with its limits.
        places: where its files lie now.
        chosen: numbers of the rows.
        preprocessing: id; may be another than the case's.
        workers: processes that decode.

    Yields:
        For each row, in the order of the case, whether it is the file that was scanned, and the file with its look.

    Raises:
        MachineError: the decoder does not work on this machine.
    """
    with _pool(case.header, preprocessing, workers, looks=True) as pool:
        for row, read in _decoded(pool, _rows(case, places, chosen)):
            yield _checked(row, _identity(row.finding, read)), read


class _Scoring:
    """Level 3: a batch of what was read, scored and compared."""

    def __init__(self, case: CaseReader, weights: Path) -> None:
        from forensic.scan.engine import Engine  # noqa: PLC0415 - torch; the other levels do without it

        self._case = case
        self._threshold: float | None = case.header.configuration.get("threshold")
        self._calibration = kept_calibration(case.header.card, case.header.configuration.get("calibration"))
        threads = _threads(case.header.configuration)
        self._engine = Engine(weights, "cpu", choose("torch", "cpu"), self._threshold, threads)
        self._card = self._engine.weights.card
        header = case.header
        kept = {name: value for name, value in header.card.items() if name != "calibration"}
        if kept != self._card.to_dict() or header.class_spectra != self._engine.spectra:
            subject, what = str(case.path), "the card or the spectra that it keeps are not those of its weights"
            raise VerificationError(subject, what, "The case was altered: no digest covers them, the weights do")

    def checked(self, batch: Sequence[tuple[_Row, Read]]) -> Iterator[Checked]:
        measured = iter(self._engine.measure([tiles for _, read in batch for tiles in read.images]))
        for row, read in batch:
            said = next(measured) if read.tiles is not None else None
            left = next(measured) if read.salvage is not None and read.salvage.tiles is not None else None
            found = _identity(row.finding, read) or _decoding(row.finding, read, self._case.header)
            yield _checked(
                row, found or [*self._scoring(row.finding, read, said), *self._part(row.finding, read, left)]
            )

    def _part(self, before: Finding, read: Read, measured: Measured | None) -> Iterator[str]:
        """What was salvaged of a truncated picture; that it was cut alike has been seen by now."""
        was, rows = before.salvaged, read.salvage
        if measured is None or was is None or rows is None or rows.tiles is None:
            return
        if measured.scored is None or was.score is None:
            if (measured.scored is None) != (was.score is None):
                told = "there is one" if measured.scored else NOT_FINITE
                yield f"salvaged part: {was.reason or 'it has a score'}; now {told}"
            return
        said = attribute(measured.scored, len(rows.tiles), self._card, threshold=self._threshold)
        now = salvaged_of(read, self._card, said)
        yield from (f"salvaged part: {difference}" for difference in _unlike(was, now, (*_SCORED, "flags")))
        yield from (f"salvaged part: {difference}" for difference in self._moved(was, said.score))

    def _scoring(self, before: Finding, read: Read, measured: Measured | None) -> Iterator[str]:
        if measured is None or read.tiles is None or before.reason == KNOWN_HASH:
            return
        if measured.scored is None or before.score is None:
            if (measured.scored is None) != (before.score is None):
                yield f"{before.reason or 'it has a score'}; now {'there is one' if measured.scored else NOT_FINITE}"
            return
        calibrated = weighed(self._calibration, measured.scored, read, self._card)
        said = attribute(measured.scored, len(read.tiles), self._card, threshold=self._threshold, calibrated=calibrated)
        first = self._case.first_with(read.sha256) if read.sha256 is not None and read.bytes else None
        duplicate_of = first if first != before.path else None
        now = finding_of(exact_path(before), read, self._card, said=said, duplicate_of=duplicate_of)
        yield from _unlike(before, now, _SCORED)
        yield from _unlike(replace(before, flags=without_stability(before.flags)), now, ("flags",))
        yield from self._moved(before, said.score)

    def _moved(self, before: Finding | Salvaged, score: float) -> Iterator[str]:
        tolerance = self._card.tolerance_in(precision_in(before.engine or ""))
        if before.score is None or not abs(score - before.score) <= tolerance:
            yield f"score was {before.score}, is {score}: further apart than the card's tolerance {tolerance}"


def _rows(case: CaseReader, places: Places, chosen: Container[int] | None) -> Iterator[_Row]:
    follow_links = bool(case.header.configuration.get("follow_links"))
    for seq, (finding, place) in enumerate(case.paged_lines()):
        if chosen is None or seq in chosen:
            yield _Row(seq, finding, _candidate(finding, place, places, follow_links=follow_links))


def _candidate(finding: Finding, place: Place, places: Places, *, follow_links: bool) -> Candidate:
    """As the walk would find it; what the walk decided by itself is decided anew here."""
    path = exact_path(finding)
    opened = places.opened(place, follow_links=follow_links)
    outcome: FileOutcome | None = None
    if path.endswith(b"/"):
        try:
            os.scandir(opened).close()
        except OSError as error:
            outcome = Unreadable(f"folder can not be listed: {evidence.reason_of(error)}")
    elif (finding.reason or "").startswith("link, not followed:") and os.path.islink(opened):  # noqa: PTH114 - paths are bytes
        outcome = Skipped(finding.reason or "")
    return Candidate(place.root, place.path, path, opened, outcome=outcome)


def _limits(configuration: dict[str, Any]) -> DecodeLimits:
    names = {"max_pixels": "max_pixels", "max_bytes": "max_bytes", "timeout": "seconds", "memory": "address_space"}
    given = {field: configuration[name] for name, field in names.items() if name in configuration}
    return DecodeLimits(**given)


def _threads(configuration: dict[str, Any]) -> int | None:
    """As many as the scan computed with; None where the case records none, or a number that no scan had."""
    threads = configuration.get("threads")
    return threads if isinstance(threads, int) and 0 < threads <= _MOST_THREADS else None


def _hashed(candidate: Candidate, configuration: dict[str, Any]) -> Read:
    """Level 1, in this process: no decoder is called."""
    if candidate.outcome is not None:
        return Read(-1, outcome=candidate.outcome)
    follow_links = bool(configuration.get("follow_links"))
    try:
        found = evidence.read(candidate.opened, max_bytes=_limits(configuration).max_bytes, follow_links=follow_links)
    except FileOutcome as outcome:
        return Read(-1, outcome=outcome)
    return Read(-1, found.sha256, found.bytes)


def _pool(header: CaseHeader, preprocessing: str, workers: int, *, looks: bool = False) -> DecodePool:
    """As the scan's, with what its findings carry beside; claims where this version reads them as that one did."""
    return DecodePool(
        workers,
        _limits(header.configuration),
        preprocessing,
        max_tiles=header.configuration.get("tiles", MAX_TILES),
        follow_links=bool(header.configuration.get("follow_links")),
        thumbnails=False,
        looks=looks,
        salvage=not looks and bool(header.configuration.get("salvage")),
        claims=not looks and _same_claims(header),
    )


def _decoded(pool: DecodePool, rows: Iterator[_Row]) -> Iterator[tuple[_Row, Read]]:
    under_way: deque[_Row] = deque()

    def candidates() -> Iterator[Candidate]:
        for row in rows:
            under_way.append(row)
            yield row.candidate

    for _, read in read_in_order(pool, candidates()):
        yield under_way.popleft(), read


def _checked(row: _Row, differences: Sequence[str]) -> Checked:
    return Checked(row.seq, row.finding.path, tuple(differences))


def _identity(before: Finding, read: Read) -> list[str]:
    """Whether this is the file that was scanned."""
    was = f"{before.status} ({before.reason})"
    if read.sha256 is None:
        outcome = read.outcome
        reason = outcome.reason if outcome is not None else "it can be listed"
        if before.sha256 is not None:
            return ["is missing" if reason == "no such file" else f"can not be read any more: {reason}"]
        status = "unreadable" if outcome is None else status_of(outcome)
        same = status == before.status and (status == "skipped" or reason == before.reason)
        return [] if same else [f"was {was}, is {status} ({reason})"]
    if before.sha256 is None:
        return [f"was {was}, can be read now"]
    if read.sha256 != before.sha256:
        sizes = "of equal size" if read.bytes == before.bytes else f"{read.bytes} bytes, was {before.bytes}"
        return [f"has another content ({sizes}): SHA-256 {read.sha256}, was {before.sha256}"]
    return [] if read.bytes == before.bytes else [f"has {read.bytes} bytes, the case says {before.bytes}"]


def _decoding(before: Finding, read: Read, header: CaseHeader) -> list[str]:
    """Whether decoding gave the same picture, as far as a finding tells, and the same beside it."""
    if read.sha256 is None or before.reason == KNOWN_HASH:
        return []
    outcome = read.outcome
    if before.reason == NOT_FINITE:
        before = replace(before, status="ok", reason=None)
    now = replace(
        before,
        status=status_of(outcome),
        reason=None if outcome is None else outcome.reason,
        format=read.format,
        width=read.width,
        height=read.height,
        flags=read.flags,
        decoder=read.decoder,
    )
    flags = _unlike(replace(before, flags=of_decoder(before.flags)), now, ("flags",))
    return [*_unlike(before, now, _DECODED), *flags, *_beside(before, read, header)]


def _beside(before: Finding, read: Read, header: CaseHeader) -> Iterator[str]:
    if _same_claims(header) and (before.claims or ()) != read.claims:
        yield f"claims carried by the file were {_kinds(before.claims or ())}, are {_kinds(read.claims)}"
    was, rows = before.salvaged, read.salvage
    if was is None or rows is None:
        if was is not None or rows is not None:
            yield f"salvaged part {'was not there, is' if was is None else 'was there, is not'}"
        return
    now = replace(was, **{name: getattr(rows, name) for name in _SALVAGED})
    if was.reason == NOT_FINITE:
        now = replace(now, reason=was.reason)
    yield from (f"salvaged part: {difference}" for difference in _unlike(was, now, _SALVAGED))


def _same_claims(header: CaseHeader) -> bool:
    """Whether this version reads claims as the one that made the case."""
    return header.configuration.get("claims") == CARRIED


def _kinds(claims: Sequence[CarriedClaim]) -> str:
    return ", ".join(f"{claim.kind} ({claim.place})" for claim in claims) or "none"


def _unlike(before: object, now: object, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        was, found = getattr(before, name), getattr(now, name)
        if was != found:
            yield f"{name} was {_told(was)}, is {_told(found)}"


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return "none" if value is None else str(value)
