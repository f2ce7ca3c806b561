"""A case as dataclasses that a page can print: every word of the report about a row or a sum is chosen here.

Two passes over the rows: `survey` adds up, `row_views` tells them one by one. Words follow one table: a finding is
*attributed to a class* or *attributed to no known class*; nothing is said of content, author or intent.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forensic.case.rows import Counts
from forensic.report.beside import ClaimView, claim_views, salvaged_words
from forensic.report.calibrated import Wording
from forensic.report.drawing import ScoreScale, SpectrumScale, departure, level_range, score_shape
from forensic.report.escaping import visible
from forensic.report.numbers import told_apart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from forensic.case.ledger import CaseReader
    from forensic.case.rows import Artefacts, CaseHeader, Finding

State = str
"""`known`, `unknown`, `unreadable` or `skipped`: the verdict where there is one, else the status."""
STATES: tuple[State, ...] = ("known", "unknown", "unreadable", "skipped")


@dataclass(frozen=True)
class RowView:
    """One finding in words and drawings; text fields are `visible`, not yet escaped."""

    number: int
    state: State
    name: str
    """The last part of the path, for the eye."""
    path: str
    path_b64: str
    about: str
    """Format, size, bytes."""
    sha256: str
    flags: tuple[str, ...]
    claims: tuple[ClaimView, ...]
    said: str
    """What was said of the image, or why nothing was."""
    weighed: str
    """What a calibration says beside it; empty without one."""
    salvaged: str
    """What was said of the rows of a truncated picture, in a sentence."""
    score: str
    threshold: str
    threshold_at: int
    mark: str
    thumbnail: bytes
    curve: str
    band: int | None
    against: str
    curve_text: str


@dataclass
class Survey:
    """What one pass over the rows adds up."""

    rows: int = 0
    states: Counter[State] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    nearest: Counter[str] = field(default_factory=Counter)
    """Of the unknown ones."""
    outside: Counter[str] = field(default_factory=Counter)
    """Of the attributed ones, by class: those that a calibration does not cover."""
    reasons: Counter[tuple[State, str]] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    decoders: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    scores: list[float] = field(default_factory=list)
    thresholds: Counter[float] = field(default_factory=Counter)
    likelihoods: list[float] = field(default_factory=list)
    """log10 of likelihood ratios, where the weights carry a calibration."""
    levels: list[tuple[float, float]] = field(default_factory=list)
    """Least and greatest levelled value of each spectrum, for the scale they share."""

    @property
    def counts(self) -> Counts:
        """Findings by outcome."""
        return Counts(**{state: self.states[state] for state in STATES})


def survey(rows: Iterable[tuple[Finding, Artefacts]]) -> Survey:
    """Add up the findings of a case."""
    found = Survey()
    for finding, artefacts in rows:
        found.rows += 1
        state = state_of(finding)
        found.states[state] += 1
        found.bytes += finding.bytes or 0
        if state == "known" and finding.label is not None:
            found.classes[finding.label] += 1
            found.outside[finding.label] += any(flag.startswith("outside-calibration") for flag in finding.flags)
        if state == "unknown" and finding.nearest is not None:
            found.nearest[finding.nearest] += 1
        if finding.status != "ok":
            found.reasons[state, visible(finding.reason or "no reason was recorded")] += 1
        found.formats.update([finding.format] if finding.format is not None else ())
        found.decoders.update([finding.decoder] if finding.decoder is not None else ())
        found.flags.update(flag.partition("=")[0] for flag in finding.flags)
        if finding.score is not None:
            found.scores.append(finding.score)
        if finding.threshold is not None:
            found.thresholds[finding.threshold] += 1
        if finding.llr is not None:
            found.likelihoods.append(finding.llr)
        if artefacts.spectrum is not None:
            found.levels.append(level_range(artefacts.spectrum))
    return found


def state_of(finding: Finding) -> State:
    """The verdict where there is one, else the status."""
    return finding.verdict if finding.status == "ok" and finding.verdict is not None else finding.status


class RowWriter:
    """Turns findings into `RowView`s, on scales that all rows of a case share."""

    def __init__(self, header: CaseHeader, found: Survey) -> None:
        self._header = header
        self.score_scale = ScoreScale.around(found.scores, found.thresholds)
        self.spectrum_scale = SpectrumScale.over(header.class_spectra, found.levels)
        self.wording = Wording(header)
        self.bands = {name: number for number, name in enumerate(header.class_spectra)}

    def view(self, number: int, finding: Finding, artefacts: Artefacts) -> RowView:
        """The row of one finding; `number` counts from 1."""
        state = state_of(finding)
        path = visible(finding.path)
        score, threshold, threshold_at, mark = self._score(finding, state)
        curve, band, against, curve_text = self._spectrum(finding, artefacts, state)
        return RowView(
            number=number,
            state=state,
            name=path.rpartition("/")[2],
            path=path,
            path_b64=finding.path_b64 or "",
            about=_about(finding),
            sha256=finding.sha256 or "",
            flags=tuple(visible(flag) for flag in finding.flags),
            claims=claim_views(finding.claims),
            said=_said(finding, state),
            weighed=self.wording.beside(finding),
            salvaged=salvaged_words(finding.salvaged),
            score=score,
            threshold=threshold,
            threshold_at=threshold_at,
            mark=mark,
            thumbnail=artefacts.thumbnail or b"",
            curve=curve,
            band=band,
            against=against,
            curve_text=curve_text,
        )

    def _score(self, finding: Finding, state: State) -> tuple[str, str, int, str]:
        if finding.score is None or finding.threshold is None:
            return "", "", 0, ""
        scale = self.score_scale
        mark = score_shape(scale.place(finding.score), state, on_scale=scale.holds(finding.score))
        score, threshold = told_apart(finding.score, finding.threshold)
        return score, threshold, scale.place(finding.threshold), mark

    def _spectrum(self, finding: Finding, artefacts: Artefacts, state: State) -> tuple[str, int | None, str, str]:
        profile = artefacts.spectrum
        if profile is None:
            return "", None, "", ""
        curve = self.spectrum_scale.curve(profile)
        name = finding.label or finding.nearest
        if name is None or name not in self.bands or len(self._header.class_spectra[name][0]) != len(profile):
            return curve, None, "no class spectrum to compare with", "Radial spectrum, without a class to compare with."
        kind = "class" if state == "known" else "nearest class"
        against = f"against {kind} {visible(name)}"
        gap = departure(profile, *self._header.class_spectra[name])
        side = "above" if gap.largest >= 0 else "below"
        decades, spreads, frequency = abs(gap.largest), gap.spreads, gap.frequency
        text = (
            f"Radial spectrum {against}: within one spread of its mean at {gap.within} of {gap.bins} frequencies; "
            f"farthest {decades // 100}.{decades % 100:02} decades ({spreads // 10}.{spreads % 10} spreads) {side} it, "
            f"at 0.{frequency:03} cycles a pixel."
        )
        return curve, self.bands[name], against, text


def row_views(case: CaseReader, writer: RowWriter, rows: int, start: int = 0) -> Iterator[RowView]:
    """The rows numbered `start` .. `rows` - 1 of a case, in path order."""
    for seq, finding, artefacts in case.rows(start, rows - start):
        yield writer.view(seq + 1, finding, artefacts)


def _said(finding: Finding, state: State) -> str:
    if state == "known":
        return f"attributed to class {visible(finding.label or '')}"
    if state == "unknown":
        return f"attributed to no known class; nearest is {visible(finding.nearest or 'none')}"
    return visible(finding.reason or "no reason was recorded")


def _about(finding: Finding) -> str:
    parts = [visible(finding.format)] if finding.format else []
    if finding.width is not None and finding.height is not None:
        parts.append(f"{finding.width} × {finding.height} px")
    if finding.bytes is not None:
        parts.append(f"{finding.bytes:,} bytes")
    return " · ".join(parts)
