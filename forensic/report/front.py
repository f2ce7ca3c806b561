"""The first page of a report: what was asked, examined, found; how strong; limits, method, integrity.

The order is that of a forensic report (ISO/IEC 17025, 7.8.2). Every sentence keeps to what the method can say.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forensic.codes.table import find
from forensic.report.card import Strength, strength
from forensic.report.drawing import PLOT_WIDTH
from forensic.report.escaping import visible
from forensic.report.propositions import beside_real, propositions
from forensic.report.repeat import Repeat, full_hash, repeat_of
from forensic.report.view import STATES, State, Survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forensic.case.ledger import CaseReader
    from forensic.case.rows import CaseHeader
    from forensic.report.calibrated import Calibrated
    from forensic.report.view import RowWriter

DEFAULT_QUESTION = "Which of the known generators made each of these images, if any of them did?"

_GLOSSES: dict[State, str] = {
    "known": "attributed to a class of these weights",
    "unknown": "attributed to no known class",
    "unreadable": "could not be read as an image",
    "skipped": "left out by rule",
}

_LIMITS = (
    "Nothing is said of an image's content, author, date, edits or intent.",
    "Unknown means only that the nearest class has a score below the threshold for it; no other class is asked.",
    "Unknown does not mean that the image is a photograph, nor that it is none.",
    "A generator that is not in the list can be taken for one that is. How often that was seen stands under 4.",
    "Results relate to the listed files only, as they were when they were read.",
)

_SETTING_NAMES = {
    "claims": "Reader of claims, version",
    "exclude": "Excluded names",
    "follow_links": "Links followed",
    "machine": "Processor type",
    "max_bytes": "Largest file, bytes",
    "max_pixels": "Largest image, pixels",
    "memory": "Memory of a decode, bytes",
    "profile": "Profile",
    "salvage": "Parts of truncated images scored beside",
    "scores": "Scores of each class kept",
    "skip_hashes": "List of hashes to skip",
    "stability": "Mild changes of each image scored beside",
    "threshold": "Threshold set for this scan",
    "tiles": "Tiles in the grid of an image, at most",
    "timeout": "Time of a decode, seconds",
}

_REASONS_SHOWN = 12
_ROOTS_SHOWN = 8


@dataclass(frozen=True)
class Sum:
    """One of the four outcomes and how many there are."""

    state: State
    count: str
    gloss: str


@dataclass(frozen=True)
class Share:
    """One piece of the bar of outcomes, in thousandths of its length."""

    state: State
    x: int
    width: int


@dataclass(frozen=True)
class ClassRow:
    """One known class; widths are of 200."""

    name: str
    attributed: str
    nearest: str
    attributed_width: int
    nearest_width: int


@dataclass(frozen=True)
class ReasonRow:
    """Why images were not scored."""

    state: State
    reason: str
    count: str


@dataclass(frozen=True)
class Band:
    """A class's spectrum as two paths."""

    area: str
    mean: str


@dataclass(frozen=True)
class Page:
    """All that the frame of the page prints; text is `visible`, the template escapes it."""

    title: str
    heading: str
    ids: tuple[tuple[str, str], ...]
    complete: bool
    rows: str
    question: str
    propositions: tuple[str, str]
    examined: tuple[tuple[str, tuple[str, ...]], ...]
    sums: tuple[Sum, ...]
    shares: tuple[Share, ...]
    classes: tuple[ClassRow, ...]
    reasons: tuple[ReasonRow, ...]
    strength: Strength
    calibrated: Calibrated | None
    real: str
    """What stands beside attributions to class real; empty where no class is."""
    limits: tuple[str, ...]
    class_names: tuple[str, ...]
    weights_dated: str
    method: tuple[tuple[str, tuple[str, ...]], ...]
    digest_name: str
    digest: str
    repeat: Repeat
    tool_version: str
    report_id: str
    rows_note: str
    rest_note: str
    scale_low: str
    scale_high: str
    bands: tuple[Band, ...]
    ticks: tuple[tuple[int, str], ...]
    flag_notes: tuple[tuple[str, str], ...]
    beside: str
    """How many thumbnails stand in sheets beside the page; empty for none."""


@dataclass(frozen=True)
class Extent:
    """How much of the case the page tells, and how."""

    complete: bool
    digest: str
    plain: int
    """Rows that stand as plain HTML."""
    beside: int
    """Rows whose thumbnail stands in a sheet beside the page because the page has no room for it."""
    thumbnails: str = "as they are"
    """What was done with them."""


def front_page(case: CaseReader, case_name: str, found: Survey, writer: RowWriter, extent: Extent) -> Page:
    """The first page of a case that was surveyed."""
    header = case.header
    calibrated = writer.wording.front(len(found.scores), found.flags["outside-calibration"])
    heading = header.case_number or case_name.removesuffix(".case")
    ids = (("Case", header.case_number), ("Exhibit", header.exhibit), ("Examiner", header.examiner))
    report_id = _report_id(header, extent)
    return Page(
        title=visible(f"Attribution report: {heading}"),
        heading=visible(heading),
        ids=(*((name, visible(value)) for name, value in ids if value), ("Report", report_id)),
        complete=extent.complete,
        rows=f"{found.rows:,}",
        question=visible(header.question or DEFAULT_QUESTION),
        propositions=propositions(header),
        examined=_examined(case, found, extent),
        sums=tuple(Sum(state, f"{found.states[state]:,}", _GLOSSES[state]) for state in STATES),
        shares=_shares(found),
        classes=_classes(header, found),
        reasons=_reasons(found),
        strength=strength(header.card, found.likelihoods, len(found.scores), own_threshold=header.own_threshold),
        calibrated=calibrated,
        real=beside_real(header, found, calibrated),
        limits=_limits(header.card),
        class_names=tuple(visible(name) for name in header.classes),
        weights_dated=f"{visible(header.weights_name)}, hash {visible(header.weights)}, {_dated(header.card)}",
        method=_method(header, found),
        digest_name="Closing digest of the chain of findings:" if extent.complete else "Digest of the last finding:",
        digest=extent.digest,
        repeat=repeat_of(
            header, [root.given for root in case.roots], case_name, extent.digest, complete=extent.complete
        ),
        tool_version=visible(header.tool_version),
        report_id=report_id,
        rows_note=_rows_note(found),
        rest_note=_rest_note(found, extent) if found.rows > extent.plain else "",
        scale_low=f"{writer.score_scale.low:.2f}".replace("-", "−"),
        scale_high=f"{writer.score_scale.high:.2f}".replace("-", "−"),
        bands=tuple(
            Band(writer.spectrum_scale.band(mean, spread), writer.spectrum_scale.curve(mean))
            for mean, spread in header.class_spectra.values()
        ),
        ticks=tuple((round(PLOT_WIDTH * share * 2), f"{share:g}") for share in (0.125, 0.25, 0.375)),
        flag_notes=tuple(_flag_notes(found)),
        beside=f"{extent.beside:,}" if extent.beside else "",
    )


def _flag_notes(found: Survey) -> Iterator[tuple[str, str]]:
    for name in sorted(found.flags):
        code = find(name)
        if code is not None and code.kind == "flag":
            yield name, " ".join(filter(None, (code.means, code.follows)))


def _report_id(header: CaseHeader, extent: Extent) -> str:
    """Sixteen hex digits that two reports share only if they say the same."""
    words = [extent.digest, extent.complete, header.question, header.examiner, header.case_number, header.exhibit]
    words.append(extent.thumbnails)
    said = json.dumps([*words, header.note], ensure_ascii=True)
    return hashlib.sha256(b"forensic report 1\n" + said.encode("ascii")).hexdigest()[:16]


def _examined(case: CaseReader, found: Survey, extent: Extent) -> tuple[tuple[str, tuple[str, ...]], ...]:
    header = case.header
    first, last = case.run_times
    roots = case.roots
    places = [visible(_path_text(root.given)) for root in roots[:_ROOTS_SHOWN]]
    if len(roots) > _ROOTS_SHOWN:
        places.append(f"and {len(roots) - _ROOTS_SHOWN:,} more")
    other = case.other_files
    part = visible(str(header.configuration.get("shard", "")))
    formats = ", ".join(f"{visible(name)} {count:,}" for name, count in _by_count(found.formats))
    facts: list[tuple[str, tuple[str, ...]]] = [
        ("Files listed", (f"{found.rows:,}",)),
        ("Bytes read", (f"{found.bytes:,}",)),
        ("Formats", (formats,) if formats else ()),
        ("Other files, no images", (f"{other:,}, counted and not listed",) if other else ()),
        ("Given to the scan", tuple(places)),
        ("Part", (f"{part}; the other files are in other cases",) if part else ()),
        ("Scan began", (_time(first),)),
        ("Scan ended", (_time(last),) if last and extent.complete else ("not yet",)),
        ("Examined by", (visible(header.examiner),) if header.examiner else ("not stated",)),
        ("Case number", (visible(header.case_number),) if header.case_number else ("not stated",)),
        ("Exhibit", (visible(header.exhibit),) if header.exhibit else ("not stated",)),
        ("Note", (visible(header.note),) if header.note else ()),
    ]
    return tuple((name, values) for name, values in facts if values)


def _time(iso: str) -> str:
    return visible(iso).replace("T", " ").replace("+00:00", " UTC")


def _path_text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")  # as the system does with UTF-8: no locale changes a report


def _by_count(counted: Any) -> list[tuple[Any, int]]:  # noqa: ANN401 - a Counter of anything that sorts
    """Most frequent first, ties in order of their names."""
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def _shares(found: Survey) -> tuple[Share, ...]:
    """Pieces whose ends are rounded, not their lengths: they never overlap and end at 1000."""
    pieces, before = [], 0
    for state in STATES:
        after = before + found.states[state]
        left, right = (round(1000 * count / found.rows) if found.rows else 0 for count in (before, after))
        if right > left:
            pieces.append(Share(state, left, right - left))
        before = after
    return tuple(pieces)


def _classes(header: CaseHeader, found: Survey) -> tuple[ClassRow, ...]:
    most = max([found.classes[name] + found.nearest[name] for name in header.classes], default=0) or 1
    return tuple(
        ClassRow(
            name=visible(name),
            attributed=f"{found.classes[name]:,}",
            nearest=f"{found.nearest[name]:,}",
            attributed_width=round(200 * found.classes[name] / most),
            nearest_width=round(200 * found.nearest[name] / most),
        )
        for name in header.classes
    )


def _reasons(found: Survey) -> tuple[ReasonRow, ...]:
    ordered = sorted(found.reasons.items(), key=lambda item: (-item[1], item[0]))
    rows = [ReasonRow(state, reason, f"{count:,}") for (state, reason), count in ordered[:_REASONS_SHOWN]]
    for state in ("unreadable", "skipped"):
        left = sum(count for (its_state, _), count in ordered[_REASONS_SHOWN:] if its_state == state)
        if left:
            rows.append(ReasonRow(state, "other reasons, each with its image below", f"{left:,}"))
    return tuple(rows)


def _limits(card: dict[str, Any]) -> tuple[str, ...]:
    """What no weights can say, then what the card says of these."""
    limits = list(_LIMITS)
    real = card.get("real")
    if isinstance(real, str) and real:
        limits.append(f"Class {visible(real)} is one class among the others: photographs like those of its training.")
    said = card.get("limits")
    if isinstance(said, str) and said.strip():
        limits.append(f"From the card of the weights: {visible(' '.join(said.split()))}")
    return tuple(limits)


def _dated(card: dict[str, Any]) -> str:
    """The age of the weights, where their card tells it; cards of reproducible weights hold no clock."""
    dated = card.get("date")
    return f"dated {visible(dated)}" if isinstance(dated, str) and dated else "their card holds no date"


def _method(header: CaseHeader, found: Survey) -> tuple[tuple[str, tuple[str, ...]], ...]:
    threshold = header.card.get("threshold")
    chosen = threshold.get("chosen_by") if isinstance(threshold, dict) else None
    used = ", ".join(f"{value:.6g} ({count:,})".replace("-", "−") for value, count in sorted(found.thresholds.items()))
    decoders = ", ".join(f"{visible(name)} ({count:,})" for name, count in _by_count(found.decoders))
    scale, tolerance = header.card.get("score"), header.card.get("tolerance")
    facts: list[tuple[str, tuple[str, ...]]] = [
        ("Tool", (f"forensic {visible(header.tool_version)}",)),
        ("Weights", (visible(header.weights_name), f"hash {visible(full_hash(header))}")),
        ("Preprocessing", (visible(header.preprocessing),)),
        ("Scale of the score", (visible(scale),) if isinstance(scale, str) else ()),
        ("Thresholds (images)", (used,) if used else ("none was used",)),
        ("Tolerance of a score, between machines", (f"{tolerance:g}",) if isinstance(tolerance, int | float) else ()),
        (
            "How the threshold of the weights was chosen",
            (visible(chosen),) if isinstance(chosen, str) else ("the card does not say",),
        ),
        ("Decoded by (images)", (decoders,) if decoders else ()),
    ]
    facts += [
        (_SETTING_NAMES.get(name, visible(name.replace("_", " ").replace("-", " ")).capitalize()), (_setting(value),))
        for name, value in sorted(header.configuration.items())
        if value is not None
    ]
    return tuple((name, values) for name, values in facts if values)


def _setting(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return ", ".join(f"{visible(str(key))} {_setting(inner)}" for key, inner in sorted(value.items())) or "none"
    if isinstance(value, list):
        return ", ".join(_setting(inner) for inner in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}"
    return visible(str(value))


def _rows_note(found: Survey) -> str:
    files = "file" if found.rows == 1 else "files"
    return f"{found.rows:,} {files} in byte order of their paths, each with its own verdict."


def _rest_note(found: Survey, extent: Extent) -> str:
    return (
        f"Rows 1 to {extent.plain:,} of {found.rows:,} are shown without JavaScript and in print; all are in this "
        "file, and in the CSV and JSON Lines that `forensic report` writes of the same case."
    )
