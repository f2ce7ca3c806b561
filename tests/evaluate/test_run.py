from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forensic.evaluate.run import Evaluation, EvaluationPlan, evaluate
from forensic.evaluate.selection import Selection
from forensic.evaluate.tables import to_json
from forensic.metrics.openset import auroc, fpr95, oscr
from forensic.models.weights import Weights


def test_measures_are_those_of_the_attributed_images(evaluation: Evaluation, selection: Selection) -> None:
    stored = evaluation.stored
    known = [entry for entry in stored.attributed if entry.sample.label >= 0]
    assert len(known) == len(selection.known)
    correct = [entry.label == entry.sample.label for entry in known]
    assert stored.closed_accuracy.measure.value == pytest.approx(np.mean(correct))
    for group, samples in selection.unknown.items():
        scores = [entry.score for entry in stored.attributed if entry.sample in samples]
        measures = stored.groups[group]
        known_scores = [entry.score for entry in known]
        assert measures.open_set["auroc"].measure == auroc(known_scores, scores)
        assert measures.open_set["oscr"].measure == oscr(known_scores, correct, scores)
        assert measures.open_set["fpr95"].measure == fpr95(known_scores, scores)
        assert measures.n == len(samples)


def test_all_pools_images(evaluation: Evaluation, selection: Selection) -> None:
    total = sum(len(samples) for samples in selection.unknown.values())
    assert list(evaluation.stored.groups) == [*selection.unknown, "all"]
    assert evaluation.stored.groups["all"].n == total
    assert sum(measures.n for measures in evaluation.stored.unknown_classes.values()) == total


def test_false_real_and_nearest_by_hand(evaluation: Evaluation, tiny: Weights) -> None:
    unknown = [entry for entry in evaluation.stored.attributed if entry.sample.label < 0]
    pooled = evaluation.stored.groups["all"]
    assert pooled.false_real.measure.value == np.mean([entry.accepted and entry.label == 0 for entry in unknown])
    labels = [entry.label for entry in unknown]
    counts = np.bincount(labels, minlength=7)
    assert pooled.nearest == tiny.card.classes[int(counts.argmax())]


def test_reencoded_images_are_measured_beside(evaluation: Evaluation) -> None:
    (quality,) = evaluation.jpeg
    assert quality == 80
    scores = [entry.score for entry in evaluation.jpeg[80].attributed]
    assert scores != [entry.score for entry in evaluation.stored.attributed]


def test_same_numbers_twice_and_with_the_list_reversed(
    evaluation: Evaluation, tiny: Weights, selection: Selection
) -> None:
    turned = Selection(selection.known[::-1], {group: samples[::-1] for group, samples in selection.unknown.items()})
    for some in (selection, turned):
        again = evaluate(EvaluationPlan(tiny, some, jpeg=(80,), replicates=50))
        assert to_json(again, {}) == to_json(evaluation, {})
    assert not tiny.model.training


def test_known_images_only(tiny: Weights, selection: Selection) -> None:
    found = evaluate(EvaluationPlan(tiny, Selection(selection.known[:3], {}), replicates=10))
    row = json.loads(to_json(found, {}))
    group = row["groups"]["all"]
    assert group["reason"] == "no unknown images"
    measured = {name for name in group if name not in ("n", "reason")}
    assert {"auroc", "auroc_ci", "oscr", "fpr95", "false_real", "rejection", "nearest", "dtacc"} <= measured
    assert {group[name] for name in measured} == {None}
    assert group["n"] == 0
    assert row["generators"]["auroc"] == {
        "macro": None, "macro_ci": None, "worst": None, "worst_value": None, "reason": "no generators"
    }  # fmt: skip
    assert row["classes"]["real"]["n"] == 2
    assert row["classes"]["esrgan_slim_x2"] == {
        "accuracy": None, "accuracy_ci": None, "n": 0, "reason": "no known images"
    }  # fmt: skip


def test_unknown_images_only(tiny: Weights, selection: Selection) -> None:
    found = evaluate(EvaluationPlan(tiny, Selection((), selection.unknown), replicates=10))
    row = json.loads(to_json(found, {}))
    assert row["closed_accuracy"] is None
    assert row["reason"] == "no known images"
    assert row["groups"]["all"]["reason"] == "no known images"
    assert row["groups"]["all"]["false_real"] is not None


def test_weights_without_a_class_real(tiny: Weights, selection: Selection) -> None:
    nameless = replace(tiny, card=replace(tiny.card, real=""))
    found = evaluate(EvaluationPlan(nameless, selection, replicates=10)).stored.groups["all"]
    assert found.false_real.measure == (None, "these weights have no class real")
    assert found.open_set["auroc"].measure.value is not None


def test_an_unknown_class_that_is_called_like_a_known_one(tiny: Weights, selection: Selection) -> None:
    sample = replace(selection.unknown["seed"][0], source="real")
    found = evaluate(EvaluationPlan(tiny, Selection(selection.known[:2], {"seed": (sample,)}), replicates=10))
    assert list(found.stored.unknown_classes) == ["seed/real"]


def test_damaged_images_are_named_once_and_count_nowhere(tiny: Weights, selection: Selection, tmp_path: Path) -> None:
    broken = replace(selection.known[0], path=tmp_path / "absent.png")
    some = Selection((broken, *selection.known[1:3]), {})
    steps = []
    found = evaluate(
        EvaluationPlan(tiny, some, jpeg=(90,), replicates=10), lambda done, total: steps.append((done, total))
    )
    assert [entry.path for entry in found.left_out] == [str(broken.path)]
    assert len(found.stored.attributed) == 2
    assert steps[-1] == (6, 6)
