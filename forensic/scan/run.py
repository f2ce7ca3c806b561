"""The pipeline: walk, read in workers, batches through the network, verdicts, case, events.

    walk -> DecodePool -> batches of tiles -> Engine -> attribute -> case (one transaction a batch) -> events

Findings come in byte order of the paths, whatever finishes first, and only when the case has them. Memory does not
depend on the number of files. A scan that was stopped goes on where it stopped when the same plan is run again.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from forensic.case.beside import is_told
from forensic.case.flags import SALVAGED
from forensic.case.ledger import (
    CaseReader,
    CaseWriter,
    Place,
    Root,
    RunStart,
    case_is_begun,
    create_case,
    lock_unfinished,
    open_case,
    resume_case,
)
from forensic.case.rows import Artefacts, Counts, Finding
from forensic.case.thumbnails import ThumbnailBudget
from forensic.errors import ForensicError, MachineError, Skipped, Unreadable, UsageError
from forensic.models.weights import find_weights, read_card
from forensic.scan.attribute import attribute, finding_of, salvaged_of, stability_of, weighed
from forensic.scan.continuing import check_fits, stored_findings
from forensic.scan.events import Event, Finished, Found, Outcome, Started, Summary
from forensic.scan.frames import Read
from forensic.scan.interruption import StopRequested
from forensic.scan.plan import MAX_TILES, ScanPlan, choice_of, header_of, versions
from forensic.scan.pool import DecodePool
from forensic.scan.walk import Candidate, Walk, roots_of_arguments

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from forensic.case.beside import Salvaged
    from forensic.case.lock import CaseLock
    from forensic.engines.choice import Choice, EngineName
    from forensic.models.card import Card
    from forensic.models.scorer import Scored
    from forensic.scan.attribute import Attribution
    from forensic.scan.engine import Engine, Measured

BATCH_TILES = 128
"""A batch is closed when it holds so many tiles ..."""
BATCH_FILES = 256
"""... or so many files ..."""
BATCH_SECONDS = 2.0
"""... or is so old when a file arrives."""
NOT_FINITE = "the network gives no finite score for it"
KNOWN_HASH = "known hash"
"""Reasons that a scan gives, not the decoder."""


def scan_images(
    paths: Sequence[str | bytes | os.PathLike[str]],
    weights: str | Path | None = None,
    engine: EngineName | None = None,
) -> list[Finding]:
    """Findings of files and folders, in path order; nothing is kept or printed.

    Args:
        paths: files and folders.
        weights: name or file; None is the default among the bundled ones.
        engine: as `--engine`; None is `auto`, the fastest that is here.

    Raises:
        UsageError: nothing was found to scan.
        MissingError: no such weights, or the engine is not installed.
        MachineError: the decoder does not work on this machine.
    """
    plan = ScanPlan(paths=tuple(os.fsencode(path) for path in paths), weights=weights, engine=engine, thumbnails=False)
    with closing(run(plan)) as events:
        return [event.finding for event in events if isinstance(event, Found)]


def run(plan: ScanPlan) -> Generator[Event]:
    """Scan, or go on with a scan, or tell a complete case again.

    Yields:
        `Started`, `Found` for each finding in path order (those of the case first), `Finished`. Close the iterator to
        stop early: what was committed is kept.

    Raises:
        UsageError: nothing was found, or the case was begun otherwise or is being written.
        MissingError, WeightsError: no weights, or damaged ones, or a calibration of others.
        VerificationError: the case is damaged, or files it speaks of have changed.
        MachineError: the disk is full, or the decoder does not work; what was committed is kept.
        KeyboardInterrupt: it was asked to stop before it had begun.
    """
    roots: Sequence[Root] = roots_of_arguments(plan.paths)
    location = find_weights(plan.weights)
    card = read_card(location)
    if plan.calibration is not None:
        plan.calibration.check_fits("--calibration", card.hash, card.preprocessing)
    lock = None if plan.case is None else lock_unfinished(plan.case)  # held from here: what is found stays so
    with lock or nullcontext():
        yield from _run(plan, roots, card, location.stem, lock)


def _run(plan: ScanPlan, roots: Sequence[Root], card: Card, name: str, lock: CaseLock | None) -> Iterator[Event]:
    """The same with the case's lock, or without where the case is complete or there is none."""
    begun = plan.case is not None and case_is_begun(plan.case)
    choice: Choice | None = None
    if begun and plan.case is not None:
        with open_case(plan.case) as stored:
            choice = choice_of(plan, stored.header.configuration.get("engine"))
            check_fits(stored, header_of(plan, card, name, {}, choice), plan.details, roots, plan.case)
            if stored.complete:
                yield from _tell_again(stored, plan.case)
                return
            roots = stored.roots
    choice = choice or choice_of(plan)
    walk = Walk(roots, follow_links=plan.follow_links, exclude=plan.exclude, shard=plan.shard)
    from forensic.scan.engine import Engine  # noqa: PLC0415 - torch; a complete case is told without it

    candidates = iter(walk)
    try:
        with plan.interruption.waiting():
            first = None if begun else next(candidates, None)
    except StopRequested:
        raise KeyboardInterrupt from None
    if not begun and first is None and plan.shard is None:  # a part may be empty, and is needed all the same
        raise UsageError(
            _named(plan.paths), f"no images here ({walk.other_files} other files)", "Name a file or folder"
        )
    engine = Engine(plan.weights, plan.device, choice, plan.threshold, plan.threads)
    start = RunStart(started=plan.clock(), argv=plan.argv, versions=versions())
    if begun and plan.case is not None:
        case = resume_case(plan.case, run=start, lock=lock)
    else:
        header = header_of(plan, card, name, engine.spectra, choice)
        case = create_case(plan.case, header, roots=roots, run=start, lock=lock)
    with case:
        yield from _Scan(plan, card, engine, case, walk).events(_after(first, candidates))


class _Scan:
    """One process's work on one case."""

    def __init__(self, plan: ScanPlan, card: Card, engine: Engine, case: CaseWriter, walk: Walk) -> None:
        self._plan = plan
        self._card = card
        self._engine = engine
        self._case = case
        self._walk = walk
        self._tally = _Tally()
        self._thumbnails = ThumbnailBudget()

    def events(self, candidates: Iterator[Candidate]) -> Iterator[Event]:
        yield Started(len(self._case), self._case.header.weights_name)
        try:
            if self._plan.case is not None:
                for finding in stored_findings(self._case, candidates, self._plan.case):
                    self._tally.add(finding)
                    yield Found(finding)
            self._thumbnails = ThumbnailBudget(self._case)
            yield from self._scan(candidates)
        except GeneratorExit:
            self._stop("stopped: the output was closed")
            raise
        except ForensicError as error:
            self._stop(f"stopped: {error.reason}")
            raise

    def _scan(self, candidates: Iterator[Candidate]) -> Iterator[Event]:
        plan = self._plan
        batch: list[tuple[Candidate, Read]] = []
        failure: MachineError | None = None
        outcome: Outcome = "done"
        with DecodePool(
            plan.workers,
            plan.limits,
            self._card.preprocessing,
            max_tiles=MAX_TILES,
            follow_links=plan.follow_links,
            thumbnails=plan.thumbnails,
            stability=plan.stability,
            salvage=plan.salvage,
            claims=True,
        ) as pool:
            reads = read_in_order(pool, candidates)
            tiles, begun = 0, time.monotonic()
            while True:
                try:
                    with plan.interruption.waiting():
                        item = next(reads, None)
                except StopRequested:
                    outcome = "interrupted"
                    break
                except MachineError as error:  # what was read before it is kept
                    failure = error
                    break
                if item is None:
                    break
                batch.append(item)
                tiles += sum(map(len, item[1].images))
                if tiles >= BATCH_TILES or len(batch) >= BATCH_FILES or time.monotonic() - begun > BATCH_SECONDS:
                    yield from self._commit(batch)
                    batch, tiles, begun = [], 0, time.monotonic()
        yield from self._commit(batch)
        if failure is not None:
            raise failure
        if outcome == "interrupted":
            self._stop("interrupted")
        else:
            self._case.finish(other_files=self._walk.other_files, ended=plan.clock())
        yield Finished(self._tally.summary(outcome, self._walk.other_files, self._case, plan.case))

    def _commit(self, batch: list[tuple[Candidate, Read]]) -> Iterator[Event]:
        """Score a batch, store it, and then tell it."""
        batch = [(candidate, self._left_out(read)) for candidate, read in batch]
        images = [tiles for _, read in batch for tiles in read.images]
        measured = iter(self._engine.measure(images))
        firsts: dict[str, str] = {}
        stored: list[tuple[Finding, Artefacts]] = []
        for candidate, read in batch:
            own = next(measured) if read.tiles is not None else None
            forms = {name: next(measured) for name in read.variants}
            salvaged = self._salvaged(read, measured)
            stored.append(self._finding(candidate.path, read, own, forms, firsts, salvaged))
        self._case.append(stored, [self._place(candidate) for candidate, _ in batch])
        for finding, _ in stored:
            self._tally.add(finding)
            yield Found(finding)

    def _salvaged(self, read: Read, measured: Iterator[Measured]) -> Salvaged | None:
        """Of the rows that are left, by the card's threshold or `--threshold`; a calibration is for whole pictures."""
        if read.salvage is None or read.salvage.tiles is None:
            return salvaged_of(read, self._card, None)
        own, tiles = next(measured), len(read.salvage.tiles)
        if own.scored is None:
            return salvaged_of(replace(read, salvage=replace(read.salvage, reason=NOT_FINITE)), self._card, None)
        said = attribute(own.scored, tiles, self._card, threshold=self._plan.threshold, with_scores=self._plan.scores)
        return salvaged_of(read, self._card, said, own.engine)

    def _finding(
        self,
        path: bytes,
        read: Read,
        measured: Measured | None,
        forms: dict[str, Measured],
        firsts: dict[str, str],
        salvaged: Salvaged | None,
    ) -> tuple[Finding, Artefacts]:
        said = None
        stability: tuple[str, ...] = ()
        tiles = 0 if read.tiles is None else len(read.tiles)
        if measured is not None:
            if measured.scored is None:
                read = replace(read, outcome=Unreadable(NOT_FINITE))
            else:
                said = self._attribution(measured.scored, read, tiles, with_scores=self._plan.scores)
                others = {
                    name: self._attribution(form.scored, read, len(read.variants[name]))
                    for name, form in forms.items()
                    if form.scored is not None
                }
                stability = stability_of(said, others)
        duplicate_of = None
        if read.sha256 is not None and read.bytes:
            duplicate_of = self._case.first_with(read.sha256) or firsts.get(read.sha256)
        engine = measured.engine if measured is not None else None
        finding = finding_of(
            path,
            read,
            self._card,
            said=said,
            duplicate_of=duplicate_of,
            engine=engine,
            stability=stability,
            salvaged=salvaged,
        )
        if read.sha256 is not None:
            firsts.setdefault(read.sha256, finding.path)
        thumbnail = self._thumbnails.kept(read.thumbnail)
        return finding, Artefacts(thumbnail=thumbnail, spectrum=measured.spectrum if said and measured else None)

    def _attribution(self, scored: Scored, read: Read, tiles: int, *, with_scores: bool = False) -> Attribution:
        """Of a picture, or of a changed form of it: then in the condition of the picture itself."""
        calibrated = weighed(self._plan.calibration, scored, read, self._card)
        return attribute(
            scored, tiles, self._card, threshold=self._plan.threshold, with_scores=with_scores, calibrated=calibrated
        )

    def _left_out(self, read: Read) -> Read:
        """`--skip-hashes`: the file is known, and not looked at further."""
        if read.sha256 in self._plan.skip_hashes:
            flags = tuple(flag for flag in read.flags if not flag.startswith(SALVAGED))
            left_out = replace(read, tiles=None, variants={}, thumbnail=None, outcome=Skipped(KNOWN_HASH), flags=flags)
            return replace(left_out, salvage=None, claims=())
        return read

    def _place(self, candidate: Candidate) -> Place:
        return Place(candidate.root, candidate.relative, candidate.mtime_ns)

    def _stop(self, outcome: str) -> None:
        with suppress(MachineError):  # a full disk keeps the word of it out too; the case is valid all the same
            self._case.stop(outcome, ended=self._plan.clock())


class _Tally:
    """Running counts."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(("known", "unknown", "unreadable", "skipped"), 0)
        self._heic = 0
        self._salvaged = self._claiming = 0
        self._labels: Counter[str | None] = Counter()

    def add(self, finding: Finding) -> None:
        self._counts[finding.verdict or finding.status] += 1
        self._labels[finding.label] += 1
        self._heic += finding.format == "HEIC" and "pillow-heif" in (finding.reason or "")
        self._salvaged += finding.salvaged is not None and finding.salvaged.verdict is not None
        self._claiming += finding.claims is not None and any(map(is_told, finding.claims))

    def summary(self, outcome: Outcome, other_files: int, case: CaseWriter | CaseReader, path: Path | None) -> Summary:
        counts = Counts(**self._counts)
        card = case.header.card
        return Summary(
            outcome,
            counts,
            other_files,
            self._heic,
            case.closing_digest,
            path,
            salvaged=self._salvaged,
            claiming=self._claiming,
            as_real=self._labels[card["real"]] if card["real"] else 0,
            card=card,
            own_threshold=case.header.own_threshold,
        )


def _tell_again(case: CaseReader, path: Path) -> Iterator[Event]:
    yield Started(len(case), case.header.weights_name)
    tally = _Tally()
    for finding, _ in case.lines():
        tally.add(finding)
        yield Found(finding)
    yield Finished(tally.summary("again", case.other_files or 0, case, path))


def read_in_order(pool: DecodePool, candidates: Iterable[Candidate]) -> Iterator[tuple[Candidate, Read]]:
    """Each candidate with what was read, in their order; those that are not even tried pass by the workers.

    Raises:
        MachineError: as `DecodePool.read`.
    """
    under_way: deque[Candidate] = deque()

    def jobs() -> Iterator[tuple[int, bytes]]:
        for number, candidate in enumerate(candidates):
            under_way.append(candidate)
            if candidate.outcome is None:
                yield number, candidate.opened

    def untried() -> Iterator[tuple[Candidate, Read]]:
        while under_way and under_way[0].outcome is not None:
            candidate = under_way.popleft()
            yield candidate, Read(-1, outcome=candidate.outcome)

    for read in pool.read(jobs()):
        yield from untried()
        yield under_way.popleft(), read
    yield from untried()


def _after(first: Candidate | None, rest: Iterator[Candidate]) -> Iterator[Candidate]:
    if first is not None:
        yield first
    yield from rest


def _named(paths: Sequence[bytes]) -> str:
    some = ", ".join(os.fsdecode(path) for path in paths[:3])
    return f"{some}, ..." if len(paths) > 3 else some or "nothing"
