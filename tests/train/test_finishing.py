"""The end of a run: weights that load, and a command in the card that says how to make them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from forensic.models.weights import load_weights, verify_weights
from forensic.train.config import Recipe, set_field
from forensic.train.finishing import command_line
from forensic.train.run_folder import RunConfig


def test_weights_load_and_verify(undisturbed: Path) -> None:
    weights = load_weights(undisturbed / "weights.safetensors")
    assert verify_weights(undisturbed / "weights.safetensors").startswith(weights.hash)
    assert weights.card.classes == ("real", "coarse", "stripes")
    assert weights.card.preprocessing == "tiles-128-v1"
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
