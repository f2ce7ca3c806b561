"""A run that is killed at any moment, meets a full disk, or diverges: what it says, and what it leaves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forensic.train.checkpoint import list_checkpoints, read_checkpoint
from forensic.train.loop import TrainPlan, train
from forensic.train.run_folder import RunConfig, config_to_toml

KILLED = -9
WENT_THROUGH = 0
FULL = 6
FILES = 60
"""More than a whole run opens, renames and removes."""


@pytest.fixture(scope="module")
def stopping() -> Iterator[subprocess.Popen[str]]:
    """The process that the chains are forked from."""
    command = [sys.executable, str(Path(__file__).with_name("stopping.py"))]
    mine = {name: value for name, value in os.environ.items() if not name.startswith("FORENSIC_")}
    environment = {**mine, "PYTHONPATH": str(Path(__file__).parents[2])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def stopped(stopping: subprocess.Popen[str], tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """`stopped(config, run, STOP, ...)`: how each process of the chain ended; see stopping.py."""

    def chain(config: RunConfig, run: Path, *stops: dict[str, Any]) -> list[dict[str, Any]]:
        file = tmp_path / f"{run.name}.toml"
        file.write_text(config_to_toml(config, {}))
        print(json.dumps({"run": str(run), "config": str(file), "stops": stops}), file=stopping.stdin, flush=True)
        return json.loads(stopping.stdout.readline())

    return chain


def endings(chain: list[dict[str, Any]]) -> list[int]:
    return [process["ended"] for process in chain]


def test_three_kills_at_random_moments_change_nothing(
    stopped: Callable, tiny_config: RunConfig, tmp_path: Path, same_result: Callable
) -> None:
    whole = stopped(tiny_config, tmp_path / "whole", {})[0]["seconds"]
    kills = [{"after": float(share) * whole} for share in np.random.default_rng(11).uniform(0.2, 0.9, 3)]
    chain = stopped(tiny_config, tmp_path / "run", *kills, {})
    assert set(endings(chain[:-1])) <= {KILLED, WENT_THROUGH}  # a machine that has less to do may be faster than a kill
    assert endings(chain)[-1] == WENT_THROUGH, chain[-1]["said"]
    for name in ("whole", "run"):
        same_result(tmp_path / name)


@pytest.mark.slow
def test_kills_while_reading_writing_and_finishing_change_nothing(
    stopped: Callable, tiny_config: RunConfig, tmp_path: Path, same_result: Callable
) -> None:
    chain = stopped(
        tiny_config,
        tmp_path / "run",
        {"event": "ImageRead", "number": 7},
        {"event": "StepDone", "number": 2, "bytes": 20_000, "dies": True},  # in the middle of the first checkpoint
        {"event": "EpochDone", "number": 2},
        {"event": "FinishingImage", "number": 3},
        {"event": "FinishingImage", "number": 12, "bytes": 1000, "dies": True},  # in the middle of the weights
        {},
    )
    assert endings(chain) == [KILLED, -25, KILLED, KILLED, -25, WENT_THROUGH], chain
    same_result(tmp_path / "run")


@pytest.mark.slow
def test_full_disk_is_told_with_the_step_and_the_run_goes_on_after(
    stopped: Callable, tiny_config: RunConfig, tmp_path: Path, same_result: Callable
) -> None:
    run = tmp_path / "run"
    losses, checkpoint = stopped(
        tiny_config,
        run,
        {"event": "StepDone", "number": 1, "bytes": 600},  # three lines of losses
        {"event": "StepDone", "number": 4, "full": ".checkpoint-2.partial"},
    )
    kept = {path.name for path in run.iterdir()}
    assert kept == {"checkpoint-1.safetensors", "config.toml", "data.jsonl", "losses.jsonl"}
    assert read_checkpoint(run / "checkpoint-1.safetensors")[1].step == 3
    weights, done = stopped(tiny_config, run, {"event": "FinishingImage", "number": 1, "bytes": 1000}, {})
    assert endings([losses, checkpoint, weights, done]) == [FULL, FULL, FULL, WENT_THROUGH], [losses, checkpoint]
    remedy = f"Make room on the disk, then go on with `forensic train --resume {run}`"
    assert f"{run}: File too large, at step 3 (epoch 1, batch 3 of 3). {remedy}" in losses["said"]
    assert f"{run}: No space left on device, at step 6 (epoch 2, batch 3 of 3). {remedy}" in checkpoint["said"]
    assert f"{run}: File too large, after step 9, while the weights were finished. {remedy}" in weights["said"]
    same_result(run)


def test_a_loss_that_is_no_number_names_step_epoch_batch_and_remedy(
    stopped: Callable, tiny_config: RunConfig, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    rising = {"schedule": "step", "lr": 1e-20, "augmenter_lr": 1e-30, "lr_step": 1, "lr_gamma": 1e6, "warmup_steps": 0}
    recipe = replace(tiny_config.recipe, **rising)  # a rate of 1e10 at step 6: the first epoch leaves a checkpoint
    ended, again = stopped(replace(tiny_config, recipe=recipe), run, {}, {})
    kept = list_checkpoints(run)
    assert kept
    where = r" at step (\d+) \(epoch (\d+), batch (\d+) of 3\)"
    for process in (ended, again):
        assert process["ended"] == 2, process["said"]
        assert "is no finite number at step " in process["said"]
        assert f"{kept[-1][1].name} is kept. Train anew with a lower rate, e.g. --set lr=" in process["said"]
    step, epoch, batch = (int(number) for number in re.search(where, ended["said"]).groups())  # type: ignore[union-attr]
    assert step == 3 * (epoch - 1) + batch
    tensors, position = read_checkpoint(kept[-1][1])
    assert position.step < step
    assert all(bool(value.isfinite().all()) for value in tensors.values() if value.is_floating_point())


def test_another_seed_gives_other_weights(tiny_config: RunConfig, tmp_path: Path, undisturbed: Path) -> None:
    train(TrainPlan(tmp_path / "other", replace(tiny_config, seed=1), {}), lambda _: None)
    assert (tmp_path / "other" / "weights.safetensors").read_bytes() != (
        undisturbed / "weights.safetensors"
    ).read_bytes()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_twenty_five_kills_at_random_moments_change_nothing(
    stopped: Callable, tiny_config: RunConfig, tmp_path: Path, same_result: Callable
) -> None:
    draws = np.random.default_rng()
    whole = stopped(tiny_config, tmp_path / "whole", {})[0]["seconds"]
    killed = 0
    while killed < 25:
        run = tmp_path / f"run{killed}"
        stops = [{"after": float(share) * whole} for share in draws.random(4)]
        chain = stopped(tiny_config, run, *stops, {})
        assert endings(chain)[-1] == WENT_THROUGH, (stops, chain[-1]["said"])
        killed += endings(chain).count(KILLED)
        same_result(run)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_kill_before_each_file_that_is_touched_changes_nothing(
    stopped: Callable, tiny_config: RunConfig, tmp_path: Path, same_result: Callable
) -> None:
    for number in range(1, FILES):
        run = tmp_path / f"run{number}"
        first, second = stopped(tiny_config, run, {"file": number}, {})
        assert second["ended"] == WENT_THROUGH, (number, second["said"])
        same_result(run)
        if first["ended"] == WENT_THROUGH:
            break
    assert 10 < number < FILES - 1
