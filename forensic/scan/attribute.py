"""From the score of one image to what its finding says: verdict, label, nearest class; llr and p."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forensic.calibration.pictures import Condition
from forensic.calibration.weigh import weigh
from forensic.case.beside import Salvaged, Verdict
from forensic.case.flags import CHANGED_BY, DUPLICATE_OF, NOT_VALIDATED, OUTSIDE, STABILITY
from forensic.case.rows import Finding, Status, display_path
from forensic.errors import Unreadable

if TYPE_CHECKING:
    from forensic.calibration.record import Calibration
    from forensic.calibration.weigh import Weighed
    from forensic.errors import FileOutcome
    from forensic.models.card import Card
    from forensic.models.scorer import Scored
    from forensic.scan.frames import Read


@dataclass(frozen=True)
class Attribution:
    """What is said of one image."""

    verdict: Verdict
    label: str | None
    nearest: str
    score: float
    threshold: float
    scores: dict[str, float] | None
    llr: float | None = None
    p: float | None = None
    flags: tuple[str, ...] = ()
    """Of the calibration."""


def weighed(calibration: Calibration | None, scored: Scored, read: Read, card: Card) -> Weighed | None:
    """What a calibration says of an image that was scored; None without one.

    Args:
        calibration: of the same weights.
        scored: of the image.
        read: where it comes from, with its tiles.
        card: of the weights.
    """
    if calibration is None:
        return None
    tiles = 0 if read.tiles is None else len(read.tiles)
    condition = Condition(read.format or "", read.width or 0, read.height or 0, tiles, read.jpeg_quality)
    sha256 = read.sha256 or ""
    took_part = calibration.took_part(sha256) or card.enrolled_with(sha256)
    return weigh(calibration, card.classes[scored.label], scored.score, condition, took_part=took_part)


def attribute(
    scored: Scored,
    tiles: int,
    card: Card,
    *,
    threshold: float | None = None,
    with_scores: bool = False,
    calibrated: Weighed | None = None,
) -> Attribution:
    """Known if and only if the score reaches the threshold.

    Args:
        scored: of one image.
        tiles: how many tiles it was averaged over; the card may have a threshold by number of tiles.
        card: of the weights.
        threshold: takes the place of the card's.
        with_scores: whether the score of each class is kept.
        calibrated: what a calibration says; its threshold, where it has one for the image, comes before the card's.
    """
    if calibrated is not None and calibrated.threshold is not None:
        threshold = calibrated.threshold
    used = card.threshold.at(tiles) if threshold is None else threshold
    nearest = card.classes[scored.label]
    known = scored.score >= used
    every = {name: float(value) for name, value in zip(card.classes, scored.per_class, strict=True)}
    return Attribution(
        verdict="known" if known else "unknown",
        label=nearest if known else None,
        nearest=nearest,
        score=scored.score,
        threshold=used,
        scores=every if with_scores else None,
        llr=None if calibrated is None else calibrated.llr,
        p=None if calibrated is None else calibrated.p,
        flags=() if calibrated is None else calibrated.flags,
    )


def stability_of(said: Attribution, others: dict[str, Attribution]) -> tuple[str, ...]:
    """Flags on changed forms of a picture: how many kept its verdict and class, and which did not; none without any.

    Args:
        said: of the picture itself.
        others: of its changed forms, by their names.
    """
    if not others:
        return ()
    changed = [name for name, other in others.items() if (other.verdict, other.label) != (said.verdict, said.label)]
    share = f"{STABILITY}{len(others) - len(changed)}/{len(others)}"
    return (share, f"{CHANGED_BY}{'+'.join(changed)}") if changed else (share,)


def finding_of(
    path: bytes,
    read: Read,
    card: Card,
    *,
    said: Attribution | None,
    duplicate_of: str | None,
    engine: str | None = None,
    stability: tuple[str, ...] = (),
    salvaged: Salvaged | None = None,
) -> Finding:
    """The finding of one path.

    Args:
        path: exact bytes, as told.
        read: what the worker found.
        card: of the weights.
        said: None where there is no score; then `read` has an outcome.
        duplicate_of: path of the first finding with the same bytes.
        engine: what computed the score, where it was not torch in float32.
        stability: flags of `stability_of`.
        salvaged: of `salvaged_of`; beside all else.
    """
    shown, exact = display_path(path)
    flags = list(read.flags)
    if duplicate_of is not None:
        flags.append(f"{DUPLICATE_OF}{duplicate_of}")
    values: dict[str, Any] = {}
    if said is not None:
        flags += (*_of_validation(card, read, read.width, read.height), *said.flags)
        values = {
            "verdict": said.verdict,
            "label": said.label,
            "nearest": said.nearest,
            "score": said.score,
            "threshold": said.threshold,
            "scores": said.scores,
            "llr": said.llr,
            "p": said.p,
            "engine": engine,
        }
    flags += stability
    outcome = read.outcome
    return Finding(
        path=shown,
        path_b64=exact,
        sha256=read.sha256,
        bytes=read.bytes,
        format=read.format,
        width=read.width,
        height=read.height,
        status=status_of(outcome),
        reason=None if outcome is None else outcome.reason,
        flags=tuple(flags),
        preprocessing=card.preprocessing,
        weights=card.short_hash,
        decoder=read.decoder,
        salvaged=salvaged,
        claims=read.claims or None,
        **values,
    )


def salvaged_of(read: Read, card: Card, said: Attribution | None, engine: str | None = None) -> Salvaged | None:
    """What stands beside the finding of a truncated picture; None where nothing was tried.

    Args:
        read: the file, with what is left of it.
        card: of the weights.
        said: of those rows, without a calibration: ratio and p are for whole pictures; None where they have no score.
        engine: as in `finding_of`.
    """
    rows = read.salvage
    if rows is None:
        return None
    values: dict[str, Any] = {name: getattr(rows, name) for name in _OF_ROWS}
    if said is not None:
        values |= {name: getattr(said, name) for name in _OF_SCORE} | {"engine": engine}
        values["flags"] = rows.flags + _of_validation(card, read, rows.width, rows.height)
    return Salvaged(**values)


_OF_ROWS = ("rows", "of_rows", "width", "height", "reason", "flags", "decoder")
_OF_SCORE = ("verdict", "label", "nearest", "score", "threshold", "scores")


def _of_validation(card: Card, read: Read, width: int | None, height: int | None) -> tuple[str, ...]:
    """Whether the card's error rates say anything of a picture that was scored."""
    if card.validated.images == 0:
        return (NOT_VALIDATED,)
    return () if card.validated.covers(read.format, width or 0, height or 0, read.jpeg_quality) else (OUTSIDE,)


def status_of(outcome: FileOutcome | None) -> Status:
    """What a finding calls this outcome; None is a picture that was read."""
    if outcome is None:
        return "ok"
    return "unreadable" if isinstance(outcome, Unreadable) else "skipped"
