"""A run from end to end: what it leaves, and that a stop changes nothing of it; kills are in test_long_runs.py."""

from __future__ import annotations

import json
import shutil
import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open

from forensic.errors import MissingError, UsageError
from forensic.train import loop
from forensic.train.events import Event, ImageRead, StepDone
from forensic.train.loop import TrainPlan, train
from forensic.train.run_folder import RunConfig
from forensic.train.step import TERMS

STEPS = 9


class Stop(Exception):  # noqa: N818 - no error: a test ends the run
    """What a test stops a run with."""


def stop_at(step: int) -> Callable[[Event], None]:
    def watch(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == step:
            raise Stop

    return watch


def silent(_: Event) -> None:
    """Nobody looks."""


def steps_of(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "losses.jsonl").read_text().splitlines()]
    return [line for line in lines if "total" in line]


def test_run_folder_holds_what_it_should(undisturbed: Path) -> None:
    assert sorted(path.name for path in undisturbed.iterdir()) == [
        "checkpoint-2.safetensors",
        "checkpoint-3.safetensors",
        "config.toml",
        "data.jsonl",
        "losses.jsonl",
        "weights.safetensors",
        "weights.toml",
    ]


def test_every_step_leaves_every_loss(undisturbed: Path) -> None:
    steps = steps_of(undisturbed)
    assert [line["step"] for line in steps] == list(range(1, STEPS + 1))
    assert [line["epoch"] for line in steps] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert all(set(TERMS) <= set(line) for line in steps)
    assert all(line["diversity"] == line["closeness"] == line["metric_old"] == 0 for line in steps[:3])
    assert all(line["diversity"] != 0 for line in steps[3:])


def test_weights_tell_no_clock_path_or_run(undisturbed: Path, tiny_data: Path) -> None:
    card = (undisturbed / "weights.toml").read_text()
    for word in (str(tiny_data), str(undisturbed), undisturbed.name, time.strftime("%Y")):
        assert word not in card
    with safe_open(undisturbed / "weights.safetensors", "np") as file:
        assert str(tiny_data) not in str(file.metadata())


def test_card_carries_the_full_recipe_and_data(undisturbed: Path, tiny_config: RunConfig) -> None:
    card = tomllib.loads((undisturbed / "weights.toml").read_text())
    assert card["recipe"]["epochs"] == tiny_config.recipe.epochs
    assert card["recipe"]["closeness_limit"] == 0.95
    assert card["architecture"]["width"] == 4
    assert card["training"]["images"] == {"real": 5, "coarse": 5, "stripes": 5}


def test_same_arguments_same_bytes(tiny_config: RunConfig, tmp_path: Path, same_result: Callable) -> None:
    train(TrainPlan(tmp_path / "again", tiny_config, {}), silent)
    same_result(tmp_path / "again")


def test_kept_images_change_nothing(tiny_config: RunConfig, tmp_path: Path, same_result: Callable) -> None:
    for name in ("first", "second"):
        train(TrainPlan(tmp_path / name, tiny_config, {}, tmp_path / "kept"), silent)
        same_result(tmp_path / name)


def test_another_seed_is_another_run(tiny_config: RunConfig, tmp_path: Path, undisturbed: Path) -> None:
    plan = TrainPlan(tmp_path / "other", replace(tiny_config, seed=1), {})
    with pytest.raises(Stop):
        train(plan, stop_at(1))
    assert steps_of(tmp_path / "other")[0] != steps_of(undisturbed)[0]


@pytest.mark.parametrize(
    ("step", "checkpoint_steps"),
    [(1, 200), (2, 1), (5, 1), (8, 200)],
    ids=["before any", "within the first epoch", "within an epoch", "after an epoch"],
)
def test_resumed_run_gives_the_same_bytes(
    tiny_config: RunConfig,
    tmp_path: Path,
    same_result: Callable,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    checkpoint_steps: int,
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_STEPS", checkpoint_steps)
    run = tmp_path / "run"
    with pytest.raises(Stop):
        train(TrainPlan(run, tiny_config, {}), stop_at(step))
    (run / ".checkpoint-9.partial").write_bytes(b"half a checkpoint")
    train(TrainPlan(run, None, {}), silent)
    same_result(run)


def test_losses_written_after_the_checkpoint_are_cut(
    tiny_config: RunConfig, tmp_path: Path, same_result: Callable
) -> None:
    run = tmp_path / "run"
    with pytest.raises(Stop):
        train(TrainPlan(run, tiny_config, {}), stop_at(5))
    with (run / "losses.jsonl").open("a") as file:
        file.write('{"epoch": 2, "st')
    train(TrainPlan(run, None, {}), silent)
    same_result(run)


def test_weights_without_card_are_written_again(tmp_path: Path, undisturbed: Path, same_result: Callable) -> None:
    run = tmp_path / "run"
    shutil.copytree(undisturbed, run)
    (run / "weights.toml").unlink()
    train(TrainPlan(run, None, {}), silent)
    same_result(run)


def test_finished_run_says_so(tmp_path: Path, undisturbed: Path, same_result: Callable) -> None:
    run = tmp_path / "run"
    shutil.copytree(undisturbed, run)
    assert train(TrainPlan(run, None, {}), silent).was_finished
    same_result(run)


def test_averaged_weights_resume_too(tiny_config: RunConfig, tmp_path: Path) -> None:
    config = replace(tiny_config, recipe=replace(tiny_config.recipe, average_decay=0.9, passes=2, epochs=2))
    train(TrainPlan(tmp_path / "whole", config, {}), silent)
    with pytest.raises(Stop):
        train(TrainPlan(tmp_path / "parts", config, {}), stop_at(8))
    train(TrainPlan(tmp_path / "parts", None, {}), silent)
    for name in ("weights.safetensors", "weights.toml", "losses.jsonl"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_new_run_does_not_replace_another(tiny_config: RunConfig, undisturbed: Path) -> None:
    with pytest.raises(UsageError, match="--resume"):
        train(TrainPlan(undisturbed, tiny_config, {}), silent)


def test_a_loss_that_is_no_number_ends_the_run(tiny_config: RunConfig, tmp_path: Path) -> None:
    config = replace(tiny_config, recipe=replace(tiny_config.recipe, lr=1e30, warmup_steps=0))
    with pytest.raises(UsageError, match="no finite number"):
        train(TrainPlan(tmp_path / "run", config, {}), silent)


def test_settings_of_torch_are_put_back(tiny_config: RunConfig, tmp_path: Path) -> None:
    before = settings_of_torch()
    with pytest.raises(Stop):
        train(TrainPlan(tmp_path / "run", tiny_config, {}), stop_at(1))
    assert settings_of_torch() == before


def settings_of_torch() -> tuple[object, ...]:
    filled = torch.utils.deterministic.fill_uninitialized_memory
    return torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), filled


def test_damaged_image_is_named_counted_and_left_out(tiny_config: RunConfig, tiny_data: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    broken = data / "train" / "coarse" / "00002.png"
    _, jpeg = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (128, 128, 3)).astype(np.uint8))
    broken.write_bytes(jpeg.tobytes()[: len(jpeg) // 2])
    told: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, ImageRead) and event.left_out:
            told.append(event.left_out)

    config = replace(tiny_config, data=str(data), recipe=replace(tiny_config.recipe, epochs=1))
    summary = train(TrainPlan(tmp_path / "run", config, {}), watch)
    assert told == list(summary.left_out)
    assert len(told) == 1
    assert told[0].startswith(f"{broken}: ")
    lines = [json.loads(line) for line in (tmp_path / "run" / "data.jsonl").read_text().splitlines()]
    assert [line["path"] for line in lines if "left_out" in line] == ["train/coarse/00002.png"]
    card = tomllib.loads((tmp_path / "run" / "weights.toml").read_text())
    assert card["training"]["images"]["coarse"] == 4
    assert len(card["training"]["left_out"]) == 1


def test_other_data_than_the_run_began_with_is_refused(tiny_config: RunConfig, tiny_data: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    with pytest.raises(Stop):
        train(TrainPlan(tmp_path / "run", replace(tiny_config, data=str(data)), {}), stop_at(4))
    (data / "train" / "real" / "00000.png").unlink()
    with pytest.raises(MissingError, match="not what this run began with"):
        train(TrainPlan(tmp_path / "run", None, {}), silent)
