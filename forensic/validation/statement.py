"""What can be stated of weights on a laboratory's own pictures: error rates at the operating point, worth of ratios.

Only pictures in conditions that known and unknown side have in common count (with a calibration: within what it
covers); for any other condition there is no error rate. Shares have 95 % intervals over photographs. What a generator
not seen before would do is told by the range over the generators here, not by the interval of their mean.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forensic.calibration.costs import cllr, cllr_min, dev_pav
from forensic.calibration.pictures import coverage_of
from forensic.calibration.units import Side, side
from forensic.calibration.weigh import NO_RATE, Weighed, weigh
from forensic.errors import MissingError
from forensic.metrics.measure import NO_KNOWN, NO_UNKNOWN, Measure
from forensic.metrics.measured import Measured, measure_share_by_photograph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from forensic.calibration.pictures import Coverage, Picture
    from forensic.calibration.record import Calibration
    from forensic.models.card import Card


class Range(NamedTuple):
    """Least and largest value over generators, with their names."""

    low: float
    lowest: str
    high: float
    highest: str


@dataclass(frozen=True)
class KnownRow:
    """Known pictures of one class, or of all."""

    images: int
    photographs: int
    named: Measured
    """Share accepted as their own class."""
    refused: Measured
    """Share that came out as unknown."""
    other: Measured
    """Share accepted as another known class."""
    kept: Measured
    """Share of photographs all of whose images reach their own class's threshold, whatever class was named."""


@dataclass(frozen=True)
class UnknownRow:
    """Pictures of one unknown generator, or of all."""

    images: int
    photographs: int
    accepted: Measured
    """Share accepted as any known class."""
    real: Measured
    """Share accepted as class real."""
    nearest: str
    """The class that most of them are nearest to."""
    misleading: Measure
    """Share whose ratio for the nearest class is above 1; None without ratios."""


@dataclass(frozen=True)
class RatioRow:
    """Ratios of one class for its two propositions, or of all as a scan tells them."""

    first: Side = field(repr=False)
    """log10 ratios of the class's pictures; units are photographs."""
    second: Side = field(repr=False)
    """Of all unknown pictures; units are generators."""
    c_llr: Measure
    c_llr_min: Measure
    dev_pav: Measure
    against: Measure
    """Share of the first with a ratio below 1."""
    misleading: Measure
    """Share of the second with a ratio above 1, each generator counting once."""


@dataclass(frozen=True)
class Statement:
    """Everything measured."""

    coverage: Coverage
    known: KnownRow
    classes: dict[str, KnownRow]
    unknown: UnknownRow
    generators: dict[str, UnknownRow]
    ranges: dict[str, Range]
    """`accepted` and `real`; empty without unknown pictures."""
    ratios: dict[str, RatioRow]
    """By class; empty without a calibration."""
    told: RatioRow | None
    """Known pictures for their own class, unknown ones for the nearest, as a scan tells them."""
    real_as_generator: Measured
    """Share of pictures of class real that are accepted as another class."""
    outside: dict[str, int]
    """In what pictures were not covered -> how many; they count nowhere."""


@dataclass(frozen=True)
class _Judged:
    picture: Picture
    threshold: float
    weighed: Weighed | None

    @property
    def accepted(self) -> bool:
        return self.picture.score >= self.threshold


@dataclass(frozen=True)
class _Terms:
    card: Card
    calibration: Calibration | None
    seed: int

    def threshold(self, name: str, tiles: int) -> float:
        own = self.calibration.classes.get(name) if self.calibration else None
        return self.card.threshold.at(tiles) if own is None else own.threshold


def measure_statement(
    known: Sequence[Picture], unknown: Sequence[Picture], card: Card, calibration: Calibration | None, *, seed: int = 0
) -> Statement:
    """Measures.

    Args:
        known: pictures of classes of the weights.
        unknown: pictures of generators that are none of them; may be empty.
        card: of the weights.
        calibration: of the same weights, fitted to other pictures; None for the threshold of the card.
        seed: of the bootstraps.

    Raises:
        MissingError: no known pictures in a condition that counts.
    """
    coverage = coverage_of([known, unknown]) if calibration is None else calibration.coverage
    outside = Counter(told for picture in [*known, *unknown] if (told := _outside(coverage, picture)) is not None)
    inside = [picture for picture in known if _outside(coverage, picture) is None]
    others = [picture for picture in unknown if _outside(coverage, picture) is None]
    covered = coverage_of([inside, others]) if inside else None
    if covered is None:
        raise MissingError(
            "the known images",
            f"{NO_RATE}: known and unknown ones, and the calibration, have no format, size and quality in common",
            "Give both sides in the same form",
        )
    terms = _Terms(card, calibration, seed)
    ours, theirs = [_judge(one, terms) for one in inside], [_judge(one, terms) for one in others]
    names = sorted({one.picture.source for one in theirs})
    generators = {name: _unknown([one for one in theirs if one.picture.source == name], terms) for name in names}
    reals = [one for one in ours if card.classes[one.picture.label] == card.real]
    return Statement(
        coverage=covered,
        known=_known(ours, terms),
        classes={
            name: _known(some, terms)
            for label, name in enumerate(card.classes)
            if (some := [one for one in ours if one.picture.label == label])
        },
        unknown=_unknown(theirs, terms),
        generators=generators,
        ranges=_ranges(generators),
        ratios=_ratios(ours, theirs, terms),
        told=_told(ours, theirs, terms),
        real_as_generator=_share(reals, _as_other, NO_KNOWN, terms),
        outside=dict(sorted(outside.items())),
    )


def _outside(coverage: Coverage | None, picture: Picture) -> str | None:
    return "format" if coverage is None else coverage.outside(picture.condition)


def _judge(picture: Picture, terms: _Terms) -> _Judged:
    name = terms.card.classes[picture.best]
    threshold = terms.threshold(name, picture.condition.tiles)
    weighed = None
    if terms.calibration is not None:
        weighed = weigh(terms.calibration, name, picture.score, picture.condition)
    return _Judged(picture, threshold, weighed)


def _as_other(one: _Judged) -> bool:
    return one.accepted and one.picture.best != one.picture.label


def _known(some: Sequence[_Judged], terms: _Terms) -> KnownRow:
    return KnownRow(
        images=len(some),
        photographs=len({one.picture.unit for one in some}),
        named=_share(some, lambda one: one.accepted and one.picture.best == one.picture.label, NO_KNOWN, terms),
        refused=_share(some, lambda one: not one.accepted, NO_KNOWN, terms),
        other=_share(some, _as_other, NO_KNOWN, terms),
        kept=_kept(some, terms),
    )


def _kept(some: Sequence[_Judged], terms: _Terms) -> Measured:
    """By class and photograph, as a calibration's thresholds are asked to keep them."""
    kept: dict[tuple[int, str], bool] = {}
    for one in some:
        picture = one.picture
        own = terms.threshold(terms.card.classes[picture.label], picture.condition.tiles)
        key = (picture.label, picture.unit)
        kept[key] = kept.get(key, True) and bool(picture.per_class[picture.label] >= own)
    flags = np.array(list(kept.values()), dtype=bool)
    return measure_share_by_photograph(flags, [unit for _, unit in kept], NO_KNOWN, seed=terms.seed)


def _unknown(some: Sequence[_Judged], terms: _Terms) -> UnknownRow:
    real = terms.card.classes.index(terms.card.real) if terms.card.real else -1
    labels = Counter(one.picture.best for one in some)
    nearest = min(labels, key=lambda label: (-labels[label], label)) if labels else None
    ratios = [one.weighed.llr for one in some if one.weighed is not None and one.weighed.llr is not None]
    return UnknownRow(
        images=len(some),
        photographs=len({one.picture.unit for one in some}),
        accepted=_share(some, lambda one: one.accepted, NO_UNKNOWN, terms),
        real=_share(some, lambda one: one.accepted and one.picture.best == real, NO_UNKNOWN, terms),
        nearest="" if nearest is None else terms.card.classes[nearest],
        misleading=Measure(float(np.mean(np.array(ratios) > 0))) if ratios else Measure(None, "no ratios are given"),
    )


def _share(some: Sequence[_Judged], is_so: Callable[[_Judged], bool], nothing: str, terms: _Terms) -> Measured:
    flags = np.array([is_so(one) for one in some], dtype=bool)
    return measure_share_by_photograph(flags, [one.picture.unit for one in some], nothing, seed=terms.seed)


def _ranges(generators: dict[str, UnknownRow]) -> dict[str, Range]:
    if not generators:
        return {}
    found = {}
    for what in ("accepted", "real"):
        values = {name: float(getattr(row, what).measure.value) for name, row in generators.items()}
        lowest, highest = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
        found[what] = Range(values[lowest], lowest, values[highest], highest)
    return found


def _ratios(ours: Sequence[_Judged], theirs: Sequence[_Judged], terms: _Terms) -> dict[str, RatioRow]:
    """Of each class by its own score, on both sides, whatever class was named."""
    if terms.calibration is None or not theirs:
        return {}
    rows = {}
    for label, name in enumerate(terms.card.classes):
        own = terms.calibration.classes.get(name)
        some = [one.picture for one in ours if one.picture.label == label]
        if own is None or own.ratio is None or not some:
            continue
        others = [one.picture for one in theirs]
        llr = own.ratio.llr
        first = side([llr(float(p.per_class[label])) for p in some], [p.unit for p in some])
        second = side([llr(float(p.per_class[label])) for p in others], [p.source for p in others])
        rows[name] = _ratio_row(first, second)
    return rows


def _told(ours: Sequence[_Judged], theirs: Sequence[_Judged], terms: _Terms) -> RatioRow | None:
    if terms.calibration is None:
        return None
    first = []
    for one in ours:
        own = terms.calibration.classes.get(terms.card.classes[one.picture.label])
        if own is not None and own.ratio is not None:
            first.append((own.ratio.llr(float(one.picture.per_class[one.picture.label])), one.picture.unit))
    second = [
        (one.weighed.llr, one.picture.source)
        for one in theirs
        if one.weighed is not None and one.weighed.llr is not None
    ]
    if not first or not second:
        return None
    return _ratio_row(*(side([value for value, _ in some], [unit for _, unit in some]) for some in (first, second)))


def _ratio_row(first: Side, second: Side) -> RatioRow:
    return RatioRow(
        first,
        second,
        cllr(first, second),
        cllr_min(first, second),
        dev_pav(first, second),
        Measure(float(first.weights[first.values < 0].sum())),
        Measure(float(second.weights[second.values > 0].sum())),
    )
