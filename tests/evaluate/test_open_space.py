"""What a run kept, read back: the same tensors, and one clear line for everything that can not be read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from forensic.data.layouts import read_layout
from forensic.errors import ExitCode, MissingError
from forensic.evaluate.open_space import OpenSpace, read_open_space
from forensic.train.config import Recipe
from forensic.train.open_space import record_open_space
from forensic.train.run_folder import CONFIG, RunConfig, config_from_toml, config_to_toml
from forensic.train.state import TrainingState


def epoch_file(run: Path, epoch: int) -> Path:
    return run / "open-space" / f"epoch-{epoch}.safetensors"


def test_tensors_are_those_of_the_files(space: OpenSpace, kept_run: Path) -> None:
    assert (space.epochs, space.at_once, space.recipe) == (3, 1, "forensic")
    assert [space.count(epoch) for epoch in (1, 2, 3)] == [1, 2, 3]
    for epoch in (1, 2, 3):
        stored = load_file(epoch_file(kept_run, epoch))
        model = space.network(epoch)
        assert not model.training
        assert all(torch.equal(stored[f"model.{name}"], value) for name, value in model.state_dict().items())
        newest = space.augmenters(epoch)[-1]
        assert torch.equal(newest.w1, stored["augmenter.w1"])
    first, second, third = space.augmenters(3)
    assert torch.equal(first.w2, load_file(epoch_file(kept_run, 1))["augmenter.w2"])
    assert not torch.equal(first.w2, second.w2)
    assert not torch.equal(second.w2, third.w2)


def test_the_run_says_where_its_data_are(space: OpenSpace, osma_mini_small: Path) -> None:
    assert space.data == osma_mini_small
    assert space.classes == read_layout(osma_mini_small).classes
    assert (space.preprocessing, space.split, space.classes_dir) == ("tiles-128-v2", 1, False)


def made_run(kept_run: Path, out: Path, epochs: int, **fields: object) -> Path:
    """A run folder of untrained networks with another recipe, written by what training writes with."""
    before = config_from_toml((kept_run / CONFIG).read_text(), "config")
    recipe: Recipe = replace(before.recipe, **fields)
    layout = read_layout(Path(before.data))
    out.mkdir()
    config: RunConfig = replace(before, recipe=recipe)
    (out / CONFIG).write_text(config_to_toml(config, {}))
    state = TrainingState(len(layout.classes), recipe, 0, torch.device("cpu"))
    for epoch in range(epochs):
        state.begin_epoch()
        record_open_space(out, epoch, state, layout)
        state.end_epoch()
    return out


def test_a_run_without_augmenters(kept_run: Path, tmp_path: Path) -> None:
    space = read_open_space(made_run(kept_run, tmp_path / "base", 2, augmenters="none"))
    assert (space.epochs, space.count(1), space.count(2)) == (2, 0, 0)
    assert space.augmenters(2) == []
    assert space.network(2).num_classes == 7


@pytest.mark.parametrize("count", [1, 3])
def test_joint_augmenters_are_those_of_the_epoch(kept_run: Path, tmp_path: Path, count: int) -> None:
    space = read_open_space(made_run(kept_run, tmp_path / "joint", 2, augmenters="joint", joint_augmenters=count))
    assert [space.count(epoch) for epoch in (1, 2)] == [count, count]
    stored = load_file(epoch_file(space.run, 2))
    found = space.augmenters(2)
    assert len(found) == count
    for place, augmenter in enumerate(found):
        prefix = f"augmenter.{place}" if count > 1 else "augmenter"
        assert torch.equal(augmenter.w1, stored[f"{prefix}.w1"])


def test_augmenters_of_another_shape(kept_run: Path, tmp_path: Path) -> None:
    run = made_run(kept_run, tmp_path / "deep", 1, augmenter_depth=3, augmenter_activation="relu")
    (augmenter,) = read_open_space(run).augmenters(1)
    images = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    assert augmenter(images).shape == images.shape
    assert (augmenter.shape.depth, augmenter.shape.activation) == (3, "relu")


def rewrite(path: Path, tensors: dict[str, torch.Tensor] | None = None, **facts: object) -> None:
    """The file with some tensors and facts changed."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        before = json.loads(file.metadata()["forensic"])
    save_file(load_file(path) | (tensors or {}), path, {"forensic": json.dumps(before | facts)})


def cut(run: Path) -> None:
    path = epoch_file(run, 2)
    path.write_bytes(path.read_bytes()[:-50])


def gap(run: Path) -> None:
    epoch_file(run, 2).unlink()


def nothing_kept(run: Path) -> None:
    shutil.rmtree(run / "open-space")
    config = run / CONFIG
    config.write_text(config.read_text().replace("record_open_space = true", "record_open_space = false"))


def no_epoch_yet(run: Path) -> None:
    shutil.rmtree(run / "open-space")


def foreign(run: Path) -> None:
    save_file({"x": torch.zeros(3)}, epoch_file(run, 1))


def renamed(run: Path) -> None:
    shutil.copy(epoch_file(run, 1), epoch_file(run, 3))


def no_toml(run: Path) -> None:
    (run / CONFIG).write_text("epochs = [")


def no_tables(run: Path) -> None:
    (run / CONFIG).write_text("epochs = 3\n")


def even_kernel(run: Path) -> None:
    config = run / CONFIG
    config.write_text(config.read_text().replace("augmenter_kernel = 3", "augmenter_kernel = 4"))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (shutil.rmtree, "no such run: the folder is not there"),
        (lambda run: (run / CONFIG).unlink(), "holds no run: no config.toml in it"),
        (no_toml, "config.toml: can not be read"),
        (no_tables, "config.toml: is no configuration of a run"),
        (even_kernel, "config.toml: is no configuration of a run: channels, kernel"),
        (nothing_kept, "was not trained with --record-open-space. Train anew with --record-open-space"),
        (no_epoch_yet, "has finished no epoch yet. Go on with `forensic train --resume"),
        (gap, "epoch-2.safetensors: is not there, and a later epoch is"),
        (cut, "epoch-2.safetensors: is damaged"),
        (foreign, "epoch-1.safetensors: was not written by `forensic train --record-open-space`"),
        (renamed, "epoch-3.safetensors: holds epoch 1: it was renamed"),
        (lambda run: rewrite(epoch_file(run, 1), format=2), "epoch-1.safetensors: was written by another version"),
        (lambda run: rewrite(epoch_file(run, 3), classes=["a"]), "epoch-3.safetensors: is of another run"),
    ],
)
def test_what_can_not_be_read_is_told_on_one_line(
    kept_run: Path, tmp_path: Path, damage: Callable[[Path], None], told: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(kept_run, run)
    damage(run)
    with pytest.raises(MissingError) as caught:
        read_open_space(run)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == ExitCode.MISSING


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"model.fc.bias": torch.zeros(3)}, "epoch-2.safetensors: does not fit config.toml: tensor network.fc.bias"),
        ({"model.more": torch.zeros(3)}, "epoch-2.safetensors: does not fit config.toml: tensor network.more"),
        ({"model.fc.bias": torch.full((16,), torch.nan)}, "tensor model.fc.bias has values that are not finite"),
        ({"augmenter.b1": torch.zeros(3)}, "epoch-2.safetensors: does not fit config.toml: augmenter"),
        ({"augmenter.b1": torch.full((4,), torch.inf)}, "tensor augmenter.b1 has values that are not finite"),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    kept_run: Path, tmp_path: Path, tensors: dict[str, torch.Tensor], told: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(kept_run, run)
    rewrite(epoch_file(run, 2), tensors)
    space = read_open_space(run)
    space.network(3)
    with pytest.raises(MissingError) as caught:
        space.network(2) if next(iter(tensors)).startswith("model") else space.augmenters(2)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
