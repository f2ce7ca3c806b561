from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from forensic.data.layouts import Layout
from forensic.errors import MissingError
from forensic.evaluate.compare import Comparison, check_same_classes, compare
from forensic.evaluate.run import EvaluationPlan, evaluate
from forensic.evaluate.selection import Selection, select
from forensic.models.card import Threshold
from forensic.models.scorer import SoftmaxScorer, StandardisedScorer
from forensic.models.weights import Weights


@pytest.fixture(scope="session")
def other(tiny: Weights) -> Weights:
    """The same network with another score and another threshold."""
    scorer = SoftmaxScorer(tiny.card.num_classes, tiny.model.architecture.embedding_dim)
    return replace(tiny, scorer=scorer, card=replace(tiny.card, threshold=Threshold(0.15, "the test")))


@pytest.fixture(scope="session")
def comparison(tiny: Weights, other: Weights, selection: Selection) -> Comparison:
    plans = [EvaluationPlan(weights, selection, jpeg=(80,), replicates=100) for weights in (tiny, other)]
    return compare(plans[0], plans[1])


def turned(weights: Weights) -> Weights:
    """The same weights with their classes in the opposite order."""
    order = list(range(weights.card.num_classes))[::-1]
    model = copy.deepcopy(weights.model)
    with torch.no_grad():
        model.head.weight.copy_(weights.model.head.weight[order])
        model.head.bias.copy_(weights.model.head.bias[order])
    assert isinstance(weights.scorer, StandardisedScorer)
    (gaussians,) = weights.scorer.gaussians.values()
    scorer = replace(weights.scorer, gaussians={"": replace(gaussians, means=gaussians.means[order])})
    return replace(weights, model=model, scorer=scorer, card=replace(weights.card, classes=weights.card.classes[::-1]))


def test_values_and_differences_are_those_of_two_evaluations(
    comparison: Comparison, tiny: Weights, other: Weights, selection: Selection
) -> None:
    both = [evaluate(EvaluationPlan(weights, selection, jpeg=(80,), replicates=1)) for weights in (tiny, other)]
    forms = [(comparison.stored, [outcome.stored for outcome in both])]
    forms += [(comparison.jpeg[80], [outcome.jpeg[80] for outcome in both])]
    for compared, (first, second) in forms:
        assert compared.known == len(selection.known)
        rows = {name: (getattr(first, name), getattr(second, name)) for name in compared.closed_set}
        pairs = [(compared.closed_set[name], *rows[name]) for name in rows]
        for group, measures in compared.groups.items():
            assert compared.sizes[group] == first.groups[group].n
            pairs += [
                (entry, first.groups[group][name], second.groups[group][name]) for name, entry in measures.items()
            ]
        assert len(pairs) == 3 + 5 * 5
        for entry, one, two in pairs:
            assert entry.first == pytest.approx(one.measure.value)
            assert entry.second == pytest.approx(two.measure.value)
            assert entry.measured.measure.value == pytest.approx(two.measure.value - one.measure.value)


def test_intervals_hold_the_difference_and_are_paired(comparison: Comparison) -> None:
    # one network: the best class is the same, so its accuracy differs in no replicate
    same = comparison.stored.closed_set["closed_accuracy"].measured
    assert (same.measure.value, same.interval.low, same.interval.high) == (0.0, 0.0, 0.0)
    entry = comparison.stored.groups["all"]["auroc"].measured
    assert entry.interval.low is not None
    assert entry.interval.high is not None
    assert entry.interval.low < entry.interval.high
    assert entry.interval.low <= (entry.measure.value or 0) <= entry.interval.high


def test_weights_against_themselves_differ_in_nothing(tiny: Weights, layout: Layout, selection: Selection) -> None:
    again = turned(tiny)  # not even where the order of their classes differs
    plans = (
        EvaluationPlan(tiny, selection, replicates=20),
        EvaluationPlan(again, select(layout, again.card.classes), replicates=20),
    )
    found = compare(*plans).stored
    for rows in (found.closed_set, *found.groups.values()):
        for entry in rows.values():
            assert entry.first == entry.second
            assert entry.measured.measure.value == 0.0
            assert (entry.measured.interval.low, entry.measured.interval.high) == (0.0, 0.0)


def test_the_order_of_the_images_changes_nothing(
    comparison: Comparison, tiny: Weights, other: Weights, selection: Selection
) -> None:
    some = Selection(selection.known[::-1], {group: samples[::-1] for group, samples in selection.unknown.items()})
    plans = [EvaluationPlan(weights, some, jpeg=(80,), replicates=100) for weights in (tiny, other)]
    assert compare(plans[0], plans[1]) == comparison


def test_only_images_that_both_scored_count(
    tiny: Weights, other: Weights, selection: Selection, tmp_path: Path
) -> None:
    broken = replace(selection.known[0], path=tmp_path / "absent.png")
    some = Selection((broken, *selection.known[1:3]), {"wild": selection.unknown["wild"][:1]})
    steps = []
    plans = [EvaluationPlan(weights, some, replicates=10) for weights in (tiny, other)]
    found = compare(plans[0], plans[1], lambda done, total: steps.append((done, total)))
    assert [entry.path for entry in found.left_out] == [str(broken.path)]
    assert found.stored.known == 2
    assert found.stored.sizes == {"wild": 1, "all": 1}
    assert steps == [(done, 8) for done in range(1, 9)]


def test_without_unknown_images_there_is_a_reason(tiny: Weights, other: Weights, selection: Selection) -> None:
    plans = [EvaluationPlan(weights, Selection(selection.known[:2], {}), replicates=5) for weights in (tiny, other)]
    found = compare(plans[0], plans[1]).stored
    assert found.sizes == {"all": 0}
    for entry in found.groups["all"].values():
        assert (entry.first, entry.second) == (None, None)
        assert entry.measured.measure == (None, "no unknown images")
    assert found.closed_set["known_accepted"].measured.measure.value is not None


def test_without_a_class_real_nothing_is_taken_for_it(tiny: Weights, other: Weights, selection: Selection) -> None:
    nameless = replace(other, card=replace(other.card, real=""))
    plans = [EvaluationPlan(weights, selection, replicates=5) for weights in (tiny, nameless)]
    assert "false_real" not in compare(plans[0], plans[1]).stored.groups["all"]


def test_other_classes_can_not_be_compared(tiny: Weights) -> None:
    card = tiny.card
    check_same_classes(card, replace(card, classes=card.classes[::-1]), ("a", "b"))
    changed = replace(card, classes=(*card.classes[:-1], "flux"))
    with pytest.raises(MissingError) as refused:
        check_same_classes(card, changed, ("a", "b"))
    assert str(refused.value) == (
        "--weights a --weights b: can not be compared, their known classes differ: "
        f"only a knows {card.classes[-1]}; only b knows flux"
    )
    with pytest.raises(MissingError, match=r"differ: only b knows realcugan_se_x2$"):
        check_same_classes(replace(card, classes=card.classes[:-1]), card, ("a", "b"))
