from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic.data.sample import Sample
from forensic.evaluate.images import Attributed
from forensic.evaluate.measures import OVER_GENERATORS, Terms, measure, photographs, score_of, unknown_classes
from forensic.evaluate.selection import Selection
from forensic.metrics.bootstrap import wilson

CLASSES = ("real", "gan", "vae")
TERMS = Terms(CLASSES, "real", seed=0, replicates=20)
GROUPS = {"seed": ("s1", "s2"), "wild": ("w1",)}

SCORES = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.5])


def entry(
    number: int, label: int, guess: int, score: float, *, source: str = "", group: str | None = None
) -> Attributed:
    sample = Sample(Path(f"{number}.png"), label, source or CLASSES[label], group, photo=f"p{number % 4}")
    confidence = 1 / 3 + (score + 1) / 6
    return Attributed(sample, guess, score, accepted=score >= 0.5, confidence=confidence)


@st.composite
def attributed(draw: st.DrawFn) -> list[Attributed]:
    places = [(label, "", None) for label in range(3)]
    places += [(-1, source, group) for group, sources in GROUPS.items() for source in sources]
    chosen = draw(st.lists(st.tuples(st.sampled_from(places), st.integers(0, 2), SCORES), max_size=15))
    return [
        entry(number, label, guess, score, source=source, group=group)
        for number, ((label, source, group), guess, score) in enumerate(chosen)
    ]


def selection_of(found: list[Attributed]) -> Selection:
    unknown: dict[str, tuple[Sample, ...]] = {}
    for group in GROUPS:
        unknown[group] = tuple(e.sample for e in found if e.sample.group == group)
    return Selection(tuple(e.sample for e in found if e.sample.label >= 0), unknown)


def share(flags: list[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None


@settings(max_examples=25, deadline=None)
@given(attributed())
def test_every_value_by_counting(found: list[Attributed]) -> None:
    condition = measure(found, selection_of(found), TERMS)
    known = [e for e in found if e.sample.label >= 0]
    right = [e.label == e.sample.label for e in known]
    assert condition.closed_accuracy.measure.value == pytest.approx(share(right))
    assert condition.known_accepted.measure.value == pytest.approx(share([e.score >= 0.5 for e in known]))
    wrong = [e.score >= 0.5 and not good for e, good in zip(known, right, strict=True)]
    assert condition.wrong_known.measure.value == pytest.approx(share(wrong))
    sources = [e.sample.source for e in found if e.sample.label < 0]
    listed = {"all": [e for e in found if e.sample.label < 0]}
    listed |= {group: [e for e in listed["all"] if e.sample.group == group] for group in GROUPS}
    assert condition.groups.keys() == listed.keys()
    assert condition.unknown_classes.keys() == set(sources)
    listed |= {source: [e for e in listed["all"] if e.sample.source == source] for source in set(sources)}
    for name, some in listed.items():
        measures = (condition.groups | condition.unknown_classes)[name]
        assert measures.n == len(some)
        assert measures.rejection.measure.value == pytest.approx(share([e.score < 0.5 for e in some]))
        assert measures.false_real.measure.value == pytest.approx(
            share([e.score >= 0.5 and e.label == 0 for e in some])
        )
        pairs = [(k, good, u) for k, good in zip(known, right, strict=True) for u in some]
        wins = [(k.score > u.score) + (k.score == u.score) / 2 for k, _, u in pairs]
        expected = sum(wins) / len(pairs) if pairs else None
        assert measures["auroc"].measure.value == pytest.approx(expected)
        hits = sum(win for win, (_, good, _) in zip(wins, pairs, strict=True) if good)
        assert measures["oscr"].measure.value == pytest.approx(hits / len(pairs) if pairs else None)
        if some:
            counts = [sum(e.label == label for e in some) for label in range(3)]
            assert measures.nearest == CLASSES[counts.index(max(counts))]
            assert measures.nearest_share == pytest.approx(max(counts) / len(some))
            assert measures.confidence.value == pytest.approx(np.mean([e.confidence for e in some]))
        else:
            assert (measures.nearest, measures.nearest_share, measures.confidence.value) == (None, None, None)


@settings(max_examples=15, deadline=None)
@given(attributed(), st.sampled_from(["forensic", "reference"]), st.randoms(use_true_random=False))
def test_the_order_of_the_images_changes_nothing(found: list[Attributed], computation: str, random) -> None:
    terms = replace(TERMS, computation=computation)
    turned = random.sample(found, len(found))
    one, other = measure(found, selection_of(found), terms), measure(turned, selection_of(turned), terms)
    for group in one.groups:
        assert other.groups[group] == one.groups[group]
    assert other.unknown_classes == one.unknown_classes
    assert (other.closed_accuracy, other.ece, other.generators) == (one.closed_accuracy, one.ece, one.generators)
    assert other.reliability == one.reliability


@settings(max_examples=15, deadline=None)
@given(attributed())
def test_confusion_counts_every_image_once(found: list[Attributed]) -> None:
    condition = measure(found, selection_of(found), TERMS)
    rows = [*CLASSES, *condition.unknown_classes]
    assert condition.confusion.shape == (len(rows), 3)
    assert condition.confusion.sum() == len(found)
    for e in found:
        condition.confusion[rows.index(e.sample.source), e.label] -= 1
    assert not condition.confusion.any()


def test_a_generator_counts_once_and_the_worst_is_named() -> None:
    known = [entry(n, 0, 0, 1.0) for n in range(3)]
    unknown = [entry(n, -1, 0, 2.5, source="s1", group="seed") for n in range(10, 11)]
    unknown += [entry(n, -1, 1, -1.0, source="w1", group="wild") for n in range(20, 26)]
    over = measure(known + unknown, selection_of(known + unknown), TERMS).generators
    assert tuple(over) == OVER_GENERATORS
    assert {name: values.macro.measure.value for name, values in over.items()} == {
        "auroc": 0.5, "oscr": 0.5, "fpr95": 0.5, "rejection": 0.5, "false_real": 0.5
    }  # fmt: skip
    for values in over.values():
        assert values.worst is not None
        assert values.worst[0] == "s1"
        assert values.macro.interval.low is None
        assert values.macro.interval.reason == "fewer than 10 generators"


def test_ten_generators_have_an_interval_over_generators() -> None:
    known = [entry(n, 0, 0, 1.0) for n in range(3)]
    unknown = [entry(100 + n, -1, 0, 2.5 if n < 4 else -1.0, source=f"g{n}", group="seed") for n in range(10)]
    values = measure(known + unknown, selection_of(known + unknown), TERMS).generators["auroc"]
    assert values.macro.measure.value == 0.6
    assert values.macro.interval.low is not None
    assert values.macro.interval.high is not None
    assert values.macro.interval.low < 0.6 < values.macro.interval.high


def test_shares_of_images_with_photographs_in_common_are_resampled_by_photograph() -> None:
    # two photographs of fifty images each, one all right and one all wrong: as images a narrow interval, in truth none
    found = [
        replace(entry(n, 0, n % 2, 1.0), sample=Sample(Path(f"{n}"), 0, "real", None, f"p{n % 2}")) for n in range(100)
    ]
    shared = measure(found, selection_of(found), replace(TERMS, replicates=200)).closed_accuracy
    assert shared.measure.value == 0.5
    assert (shared.interval.low, shared.interval.high) == (0.0, 1.0)
    own = [replace(e, sample=replace(e.sample, photo=None)) for e in found]
    assert measure(own, selection_of(own), TERMS).closed_accuracy.interval == wilson(50, 100)
    # without one exception every replicate is alike: then the photographs count, not the images
    sure = [replace(e, label=0) for e in found]
    assert measure(sure, selection_of(sure), TERMS).closed_accuracy.interval == wilson(2, 2)


def test_photographs_are_the_image_itself_where_none_is_named() -> None:
    one = entry(3, 0, 0, 1.0)
    assert photographs([one, replace(one, sample=replace(one.sample, photo=None))]) == ["p3", "3.png"]


def test_the_authors_score_is_the_largest_softmax_in_single_precision() -> None:
    sure = replace(entry(0, 0, 0, 2.0), confidence=1 - 1e-9)
    assert score_of(sure, "reference") == 1.0
    assert score_of(sure, "forensic") == 2.0


def test_the_reference_computation_changes_the_measures_and_not_the_verdicts() -> None:
    found = [entry(0, 0, 0, 1.0), entry(1, 1, 1, 1.0), entry(2, 2, 0, 2.5)]
    found += [entry(3, -1, 0, 1.0, source="s1", group="seed"), entry(4, -1, 0, -1.0, source="s1", group="seed")]
    ours = measure(found, selection_of(found), TERMS)
    theirs = measure(found, selection_of(found), replace(TERMS, computation="reference"))
    assert ours.groups["all"]["auroc"].measure.value == pytest.approx(5 / 6)
    assert theirs.groups["all"]["auroc"].measure.value == pytest.approx(4 / 6)  # ties count nothing
    assert theirs.closed_accuracy.measure.value == 0.6667  # four decimals
    assert theirs.closed.keys() == {"macro_f1", "macro_recall"}
    assert theirs.closed_accuracy.interval.low is None
    assert theirs.groups["all"].rejection == ours.groups["all"].rejection
    assert theirs.groups["all"].false_real == ours.groups["all"].false_real
    assert theirs.groups["all"].oscr_range is not None


def test_an_unknown_class_whose_name_is_taken_carries_its_group() -> None:
    one, other = Sample(Path("1"), -1, "x", "a"), Sample(Path("2"), -1, "x", "b")
    taken = Sample(Path("3"), -1, "real", "a")
    found = unknown_classes(Selection((), {"a": (one, taken), "b": (other,)}), TERMS)
    assert {name: (group, [s.path.name for s in samples]) for name, (group, samples) in found.items()} == {
        "x": ("a", ["1"]), "a/real": ("a", ["3"]), "b/x": ("b", ["2"])
    }  # fmt: skip
