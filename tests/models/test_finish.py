from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from forensic.data.cache import read_training_images
from forensic.data.layouts import Layout, load_image, read_layout
from forensic.data.loader import Reencoding
from forensic.data.prepare import prepare
from forensic.errors import MissingError, WeightsError
from forensic.models.card import files_hash
from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.models.finish import FinishPlan, finish_weights
from forensic.models.predict import Predictor, predict_images
from forensic.models.scorer import SoftmaxScorer
from forensic.models.weights import Weights, load_weights
from forensic.spectra.profile import log_radial


@pytest.fixture(scope="session")
def layout(osma_mini_small: Path) -> Layout:
    whole = read_layout(osma_mini_small)
    # two images a class are enough for what is asked here
    return replace(whole, train=whole.train[::4], val=whole.val[::2], val_unseen=whole.val_unseen[::2])


def model(layout: Layout) -> TaskModel:
    from forensic.train.seeding import new_task_model

    architecture = Architecture(width=2, neck_channels=2, embedding_dim=8)
    return new_task_model(TaskModel(len(layout.classes), architecture), torch.Generator().manual_seed(7))


def finish(layout: Layout, out: Path, share: float = 0.5, **more: str) -> Weights:
    images = read_training_images(layout.train, layout.preprocessing)
    plan = FinishPlan(
        recipe={"name": "untrained"}, reencoding=Reencoding(share, 70, 95), seed=3, command="by hand", **more
    )
    finish_weights(model(layout), layout, images, out, plan, profile=log_radial)
    return load_weights(out)


@pytest.fixture(scope="session")
def finished(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return finish(layout, tmp_path_factory.mktemp("finish") / "a.safetensors")


def test_same_bytes_twice(layout: Layout, finished: Weights, tmp_path: Path) -> None:
    again = finish(layout, tmp_path / "b.safetensors")
    assert again.card.hash == finished.card.hash


def test_the_card_says_what_was_done(layout: Layout, finished: Weights) -> None:
    card = finished.card
    images = read_training_images(layout.train, layout.preprocessing)
    assert card.classes == layout.classes
    assert card.real == "real"
    assert card.training.hash == files_hash(images.hashes)
    assert card.training.images == dict.fromkeys(layout.classes, 2)
    assert card.training.command == "by hand"
    assert card.validated.formats == ("JPEG", "PNG")
    assert card.validated.jpeg_quality == (70, 95)
    assert card.validated.sides == (128, 128)
    assert (card.validated.images, card.validated.unknown) == (len(layout.val), len(layout.val_unseen))
    assert set(card.metrics) == {"stored", "jpeg"}
    assert "enough to see the tool work" in card.limits


def test_measured_is_what_is_shipped(layout: Layout, finished: Weights) -> None:
    threshold = finished.card.threshold.value
    right = accepted = 0
    prepared = ((sample, prepare(load_image(sample), layout.preprocessing).tiles) for sample in layout.val)
    for sample, *outputs in predict_images(Predictor(finished), prepared):
        scored = finished.scorer(*outputs)
        right += scored.label == sample.label
        accepted += scored.score >= threshold
    stored = finished.card.metrics["stored"]
    assert stored["closed_accuracy"]["value"] == pytest.approx(right / len(layout.val))
    assert stored["known_accepted"]["value"] == pytest.approx(accepted / len(layout.val))


def test_softmax_is_chosen_and_measured_in_its_own_units(layout: Layout, finished: Weights, tmp_path: Path) -> None:
    soft = finish(layout, tmp_path / "soft.safetensors", score="softmax")
    card = soft.card
    assert (finished.card.scorer, card.scorer) == ("sum", "softmax")
    assert soft.scorer == SoftmaxScorer(len(layout.classes), 8)
    assert card.score == SoftmaxScorer.scale != finished.card.score
    assert card.metrics["stored"]["closed_accuracy"] == finished.card.metrics["stored"]["closed_accuracy"]
    # the same numbers again from the network alone
    largest = {}
    for side, samples in (("known", layout.val), ("unknown", layout.val_unseen)):
        prepared = ((sample, prepare(load_image(sample), layout.preprocessing).tiles) for sample in samples)
        outputs = [logits for _, logits, _ in predict_images(Predictor(soft), prepared)]
        largest[side] = np.array([torch.from_numpy(one).double().mean(0).softmax(0).max().item() for one in outputs])
    stored = card.metrics["stored"]
    assert 1 / len(layout.classes) < card.threshold.value < 1
    assert stored["known_accepted"]["value"] == pytest.approx((largest["known"] >= card.threshold.value).mean())
    assert stored["unknown_rejected"]["value"] == pytest.approx((largest["unknown"] < card.threshold.value).mean())
    pairs = largest["known"][:, None] - largest["unknown"][None, :]
    assert stored["auroc"]["value"] == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_softmax_without_validation_images(layout: Layout, tmp_path: Path) -> None:
    card = finish(replace(layout, val=(), val_unseen=()), tmp_path / "x.safetensors", score="softmax").card
    assert card.threshold.chosen_by.startswith("no known validation images: chosen on training images")


def test_at_least_nine_in_ten_known_are_accepted(finished: Weights) -> None:
    metrics = finished.card.metrics
    assert (metrics["stored"]["known_accepted"]["value"] + metrics["jpeg"]["known_accepted"]["value"]) / 2 >= 0.9


def test_spectra_are_those_of_the_training_images(layout: Layout, finished: Weights) -> None:
    real = [sample for sample in layout.train if sample.source == "real"]
    rows = [log_radial(prepare(load_image(sample), layout.preprocessing).tiles) for sample in real]
    mean, spread = finished.spectra["real"]
    np.testing.assert_allclose(mean, np.mean(rows, axis=0), atol=1e-5)
    np.testing.assert_allclose(spread, np.std(rows, axis=0, ddof=1), atol=1e-5)


def test_without_reencoding_without_unknowns(layout: Layout, tmp_path: Path) -> None:
    card = finish(replace(layout, val_unseen=()), tmp_path / "x.safetensors", share=0.0).card
    assert card.validated.formats == ("PNG",)
    assert card.validated.jpeg_quality is None
    assert set(card.metrics) == {"stored"}
    assert card.metrics["stored"]["auroc"] == {"reason": "no unknown images"}
    assert "no unknown images took part" in card.threshold.chosen_by


def test_without_validation_images(layout: Layout, tmp_path: Path) -> None:
    card = finish(replace(layout, val=(), val_unseen=()), tmp_path / "x.safetensors").card
    assert card.threshold.chosen_by.startswith("no known validation images: standardised on training images")
    assert card.metrics["stored"]["closed_accuracy"] == {"reason": "no known images"}


def test_damaged_images_are_named_and_left_out(layout: Layout, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(layout.val[0].path.read_bytes()[:-200])
    bad = replace(layout.val[0], path=broken)
    damaged = replace(
        layout, val=(bad, *layout.val[1:]), train=(replace(layout.train[0], path=broken), *layout.train[1:])
    )
    card = finish(damaged, tmp_path / "x.safetensors", share=0.0).card
    assert len(card.training.left_out) == 2
    assert all(entry.startswith("broken.png: ") for entry in card.training.left_out)
    assert card.training.images["real"] == 1
    assert card.validated.images == len(layout.val) - 1


def test_whole_pictures_are_counted(layout: Layout, tmp_path: Path, samples: Path) -> None:
    pictures = sorted((samples / "full").glob("*.png"))[:2]
    full = (replace(layout.val[0], path=pictures[0]), replace(layout.val[0], path=pictures[1], label=-1, source="x"))
    card = finish(replace(layout, val_full=full), tmp_path / "x.safetensors", share=0.0).card
    row = card.metrics["whole_stored"]
    assert (row["known"], row["unknown"]) == (1, 1)
    assert 0 <= row["named"] <= 1
    assert card.validated.sides[1] > 128


def test_a_class_without_images_is_refused(layout: Layout, tmp_path: Path) -> None:
    train = tuple(sample for sample in layout.train if sample.source != "ae_ct4_d1_s0")
    with pytest.raises(MissingError, match="class ae_ct4_d1_s0: has no training image"):
        finish(replace(layout, train=train), tmp_path / "x.safetensors")


@pytest.mark.parametrize("value", [1e6, float("nan")])  # float16 ends at 65,504
def test_diverged_training_is_told_and_nothing_is_written(layout: Layout, tmp_path: Path, value: float) -> None:
    diverged = model(layout)
    with torch.no_grad():
        diverged.fc.weight[0, 0] = value
    images = read_training_images(layout.train, layout.preprocessing)
    plan = FinishPlan(recipe={}, reencoding=Reencoding(0.0, 70, 95), seed=3)
    with pytest.raises(WeightsError, match=r"fc\.weight is not finite"):
        finish_weights(diverged, layout, images, tmp_path / "a.safetensors", plan, profile=log_radial)
    assert not list(tmp_path.iterdir())
