"""What a run keeps of its open space: one file an epoch, whole, and the same after a stop."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from forensic.models.augmenter import Augmenter
from forensic.models.feature_extractor import TaskModel
from forensic.train.checkpoint import list_checkpoints, read_checkpoint, take_prefix
from forensic.train.loop import TrainPlan, train
from forensic.train.open_space import FOLDER
from forensic.train.run_folder import RunConfig


class _StopError(Exception):
    """Thrown by a listener, as a user's Ctrl-C would be."""


def kept(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((run / FOLDER).iterdir())}


def test_each_epoch_leaves_network_and_augmenter(tiny_config: RunConfig, tmp_path: Path) -> None:
    config = replace(tiny_config, record_open_space=True)
    train(TrainPlan(tmp_path / "run", config, {}), lambda _: None)
    assert list(kept(tmp_path / "run")) == ["epoch-1.safetensors", "epoch-2.safetensors", "epoch-3.safetensors"]
    tensors = load_file(tmp_path / "run" / FOLDER / "epoch-3.safetensors")
    TaskModel(3, config.recipe.architecture).load_state_dict(take_prefix("model", tensors))
    Augmenter(config.recipe.augmenter_channels).load_state_dict(take_prefix("augmenter", tensors))
    last, _ = read_checkpoint(list_checkpoints(tmp_path / "run")[-1][1])
    assert torch.equal(tensors["model.fc.weight"], last["model.fc.weight"])
    assert torch.equal(tensors["augmenter.w1"], last["old.2.w1"])
    with safe_open(tmp_path / "run" / FOLDER / "epoch-3.safetensors", framework="pt") as file:
        facts = json.loads(file.metadata()["forensic"])
    classes = ["real", "coarse", "stripes"]
    assert facts == {"format": 1, "epoch": 3, "classes": classes, "preprocessing": "tiles-128-v2"}


def test_a_resumed_run_keeps_the_same(tiny_config: RunConfig, tmp_path: Path) -> None:
    config = replace(tiny_config, record_open_space=True)
    train(TrainPlan(tmp_path / "whole", config, {}), lambda _: None)

    def stop(event: object) -> None:
        if getattr(event, "step", 0) == 5:
            raise _StopError

    try:
        train(TrainPlan(tmp_path / "stopped", config, {}), stop)
    except _StopError:
        train(TrainPlan(tmp_path / "stopped", None, {}), lambda _: None)
    assert kept(tmp_path / "stopped") == kept(tmp_path / "whole")


def test_nothing_is_kept_unless_asked(undisturbed: Path) -> None:
    assert not (undisturbed / FOLDER).exists()
