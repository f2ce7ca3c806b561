"""The curve over epochs, against plain loops over the networks."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score

from forensic.data.layouts import Sample, load_image, read_layout
from forensic.data.prepare import prepare
from forensic.errors import MissingError, UsageError
from forensic.evaluate import history as module
from forensic.evaluate.history import History, HistoryPlan, first_generator, measure_history
from forensic.evaluate.history_tables import history_to_json
from forensic.evaluate.open_space import OpenSpace, read_open_space
from forensic.evaluate.selection import Selection, select
from forensic.models.feature_extractor import TaskModel


def plain_loop(space: OpenSpace, epoch: int, samples: tuple[Sample, ...]) -> np.ndarray:
    """Probabilities (N, K) of each image, by torch alone, one image after the other."""
    model = TaskModel(len(space.classes), space.network(1).architecture)
    stored = load_file(space.run / "open-space" / f"epoch-{epoch}.safetensors")
    model.load_state_dict({k.removeprefix("model."): v for k, v in stored.items() if k.startswith("model.")})
    model.eval()
    found = []
    for sample in samples:
        x = torch.from_numpy(prepare(load_image(sample), space.preprocessing).tiles).float() / 127.5 - 1
        with torch.no_grad():
            found.append(model(x)[0].double().mean(dim=0).softmax(dim=0).numpy())
    return np.array(found)


@pytest.mark.parametrize("epoch", [1, 3])
def test_numbers_are_those_of_a_plain_loop(
    history: History, space: OpenSpace, selection: Selection, epoch: int
) -> None:
    point = history.points[epoch - 1]
    known = plain_loop(space, epoch, selection.known)
    right = known.argmax(axis=1) == [sample.label for sample in selection.known]
    assert point.accuracy.measure.value == pytest.approx(right.mean())
    assert (point.epoch, point.augmenters) == (epoch, epoch)
    everything = []
    for group, samples in selection.unknown.items():
        unknown = plain_loop(space, epoch, samples).max(axis=1)
        everything.extend(unknown)
        expected = roc_auc_score([1] * len(known) + [0] * len(unknown), [*known.max(axis=1), *unknown])
        assert point.auroc[group].measure.value == pytest.approx(expected)
        assert history.groups[group] == len(samples)
    expected = roc_auc_score([1] * len(known) + [0] * len(everything), [*known.max(axis=1), *everything])
    assert point.auroc["all"].measure.value == pytest.approx(expected)
    assert list(point.auroc) == [*selection.unknown, "all"]
    assert (history.known, history.groups["all"]) == (len(known), len(everything))


def test_intervals_hold_the_value(history: History) -> None:
    for point in history.points:
        for measured in (point.accuracy, *point.auroc.values()):
            low, high = measured.interval.low, measured.interval.high
            assert low is not None
            assert high is not None
            assert 0 <= low <= high <= 1
        whole = point.auroc["all"]
        assert whole.interval.low <= whole.measure.value <= whole.interval.high


def test_same_numbers_twice_with_the_list_reversed_and_in_small_blocks(
    history: History, history_plan: HistoryPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = history_plan.selection
    turned = Selection(some.known[::-1], {group: samples[::-1] for group, samples in some.unknown.items()})
    monkeypatch.setattr(module, "_TILES", 3)
    monkeypatch.setattr(module, "_AHEAD", 2)
    steps: list[tuple[int, int]] = []
    again = measure_history(replace(history_plan, selection=turned), lambda done, total: steps.append((done, total)))
    assert history_to_json(again, {}) == history_to_json(history, {})
    total = 3 * sum(map(len, (some.known, *some.unknown.values())))
    assert steps == [(done, total) for done in range(1, total + 1)]


def test_another_seed_draws_other_photographs(history: History, history_plan: HistoryPlan) -> None:
    other = measure_history(replace(history_plan, seed=1, with_maps=False))
    pairs = list(zip(history.points, other.points, strict=True))
    assert all(a.accuracy.measure == b.accuracy.measure for a, b in pairs)
    assert any(a.auroc["all"].interval != b.auroc["all"].interval for a, b in pairs)


def test_the_last_epoch_is_what_training_shipped(space: OpenSpace, kept_run: Path) -> None:
    layout = read_layout(space.data)
    selection = select(layout, space.classes, on="val")
    found = measure_history(HistoryPlan(space, selection, "real", replicates=10))
    # the run's own look at the validation images: of its 128 x 128 pictures, whole, hence the same pixels
    lines = [json.loads(line) for line in (kept_run / "losses.jsonl").read_text().splitlines()]
    looks = {line["epoch"]: line for line in lines if "val_accuracy" in line}
    for point in found.points:
        assert point.accuracy.measure.value == pytest.approx(looks[point.epoch]["val_accuracy"], abs=1e-6)
        assert point.auroc["all"].measure.value == pytest.approx(looks[point.epoch]["val_auroc"], abs=1e-6)
    assert list(found.groups) == ["val_unseen", "all"]


def test_an_image_of_several_tiles_counts_once(space: OpenSpace, selection: Selection, tmp_path: Path) -> None:
    pixels = load_image(selection.known[0])
    large = np.tile(pixels[:128, :128], (2, 3, 1))
    assert cv2.imwrite(str(tmp_path / "large.png"), large[..., ::-1])
    sample = replace(selection.known[0], path=tmp_path / "large.png")
    unknown = {"one": selection.unknown["wild"][:1]}
    found = measure_history(HistoryPlan(space, Selection((sample,), unknown), "real", replicates=10))
    (probabilities,) = plain_loop(space, 3, (sample,))
    assert len(prepare(load_image(sample), space.preprocessing).tiles) == 6
    assert found.known == 1
    assert found.points[-1].accuracy.measure.value == float(probabilities.argmax() == sample.label)


def test_sides_without_images_have_a_reason(space: OpenSpace, selection: Selection) -> None:
    found = measure_history(HistoryPlan(space, Selection(selection.known[:3], {}), "real", replicates=10))
    assert found.points[0].auroc["all"].measure.reason == "no unknown images"
    assert found.points[0].accuracy.measure.value is not None
    found = measure_history(HistoryPlan(space, Selection((), selection.unknown), "real", replicates=10))
    assert found.points[0].accuracy.measure == (None, "no known images")
    assert found.points[0].auroc["all"].measure.value is None
    assert found.augmented.reason == "no images of class real"


def test_damaged_images_are_named_and_count_nowhere(space: OpenSpace, selection: Selection, tmp_path: Path) -> None:
    absent = replace(selection.known[0], path=tmp_path / "absent.png")
    steps: list[tuple[int, int]] = []
    plan = HistoryPlan(space, Selection((absent, *selection.known[1:3]), {}), "real", replicates=10)
    found = measure_history(plan, lambda done, total: steps.append((done, total)))
    assert [entry.path for entry in found.left_out] == [str(absent.path)]
    assert found.known == 2
    assert steps[-1] == (9, 9)


def test_a_class_that_the_run_does_not_know(space: OpenSpace, selection: Selection) -> None:
    with pytest.raises(UsageError, match="--class nobody: is no known class of this run"):
        measure_history(HistoryPlan(space, selection, "nobody"))


def test_the_first_generator_is_no_camera() -> None:
    assert first_generator(("real", "b", "a")) == "b"
    assert first_generator(("b", "real")) == "b"
    assert first_generator(("real",)) == "real"


def test_a_network_that_diverged_is_named(kept_run: Path, selection: Selection, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(kept_run, run)
    path = run / "open-space" / "epoch-2.safetensors"
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
    huge = {"model.head.weight": torch.full((7, 16), 3e38), "model.fc.bias": torch.full((16,), 3e38)}
    save_file(load_file(path) | huge, path, facts)
    plan = HistoryPlan(read_open_space(run), Selection(selection.known[:1], {}), "real", replicates=10)
    with pytest.raises(MissingError, match="the network of epoch 2 gives no finite score"):
        measure_history(plan)
