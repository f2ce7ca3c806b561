"""The end of a run: weights that load, and a command in the card that says how to make them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forensic.data.layouts import read_layout
from forensic.errors import UsageError
from forensic.models.network_state import network_tensors
from forensic.models.score_kinds import ScoreKind
from forensic.models.weights import load_weights, verify_weights
from forensic.train.config import Recipe, set_field
from forensic.train.finishing import command_line, rescore
from forensic.train.run_folder import RunConfig


def test_weights_load_and_verify(undisturbed: Path) -> None:
    weights = load_weights(undisturbed / "weights.safetensors")
    assert verify_weights(undisturbed / "weights.safetensors").startswith(weights.hash)
    assert weights.card.classes == ("real", "coarse", "stripes")
    assert weights.card.preprocessing == "tiles-128-v2"
    assert not weights.model.training
    assert set(weights.spectra) == set(weights.card.classes)


def test_command_names_the_data_without_its_path() -> None:
    config = RunConfig(data="/secret/place/osma-mini", seed=3, recipe=set_field(Recipe(), "epochs=5"))
    assert command_line(config, "osma-mini") == "forensic train --data osma-mini --split 1 --seed 3 --set epochs=5"


@pytest.mark.parametrize("preprocessing", [None, "pose-128-v1"])
def test_command_for_class_folders(preprocessing: str | None) -> None:
    config = replace(RunConfig(data="/x", classes_dir=True), preprocessing=preprocessing)
    added = f" --preprocessing {preprocessing}" if preprocessing else ""
    assert command_line(config, "mine") == f"forensic train --classes mine{added} --seed 0"


@pytest.mark.parametrize("score", ["combined", "sum", "softmax"])
def test_another_score_leaves_the_network_and_the_classes(
    undisturbed: Path, tiny_data: Path, tmp_path: Path, score: ScoreKind
) -> None:
    trained = load_weights(undisturbed / "weights.safetensors")
    calls: list[tuple[int, int]] = []
    card = rescore(
        trained, read_layout(tiny_data), tmp_path / "a.safetensors", score, on_image=lambda *done: calls.append(done)
    )
    again = load_weights(tmp_path / "a.safetensors")
    assert again.card == card
    assert (card.scorer, card.recipe["score"], again.scorer.kind) == (score, score, score)
    assert card.training.command == f"{trained.card.training.command} --set score={score}"
    assert replace(card.training, command="") == replace(trained.card.training, command="")
    assert card.validated == trained.card.validated
    assert card.metrics["stored"]["images"] == trained.card.metrics["stored"]["images"]
    for name, value in network_tensors(trained.model).items():
        np.testing.assert_array_equal(network_tensors(again.model)[name], value)
    assert calls[-1][0] == calls[-1][1]


def test_the_same_score_again_is_the_same_fit(undisturbed: Path, tiny_data: Path, tmp_path: Path) -> None:
    trained = load_weights(undisturbed / "weights.safetensors")
    out = tmp_path / "a.safetensors"
    card = rescore(trained, read_layout(tiny_data), out, trained.scorer.kind)
    assert (card.threshold, card.metrics) == (trained.card.threshold, trained.card.metrics)
    assert out.read_bytes() == (undisturbed / "weights.safetensors").read_bytes()
    twice = rescore(load_weights(out), read_layout(tiny_data), tmp_path / "b.safetensors", "energy")
    assert twice.training.command.count("--set score") == 1


def test_another_score_needs_the_images_of_the_training(undisturbed: Path, tiny_data: Path, tmp_path: Path) -> None:
    trained = load_weights(undisturbed / "weights.safetensors")
    layout = read_layout(tiny_data)
    with pytest.raises(UsageError, match="are not the images that weights was trained on"):
        rescore(trained, replace(layout, train=layout.train[1:]), tmp_path / "a.safetensors", "sum")
    imported = replace(trained, card=replace(trained.card, recipe={"name": "imported"}))
    with pytest.raises(UsageError, match="was not trained by this program: its recipe lacks jpeg_share"):
        rescore(imported, layout, tmp_path / "a.safetensors", "sum")
    enrolled = replace(trained, card=replace(trained.card, enrolled={"more": {}}))
    with pytest.raises(UsageError, match="has the enrolled class more"):
        rescore(enrolled, layout, tmp_path / "a.safetensors", "sum")
    assert not list(tmp_path.iterdir())
