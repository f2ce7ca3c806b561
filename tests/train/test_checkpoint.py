"""Checkpoints: whole or not there, the last two, and optimisers that come back with the same bits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from forensic.errors import MissingError
from forensic.train.checkpoint import (
    Position,
    list_checkpoints,
    not_finite,
    optimizer_tensors,
    read_checkpoint,
    remove_old_checkpoints,
    restore_optimizer,
    take_prefix,
    with_prefix,
    write_atomically,
    write_checkpoint,
)

POSITION = Position(epoch=2, batch=1, step=7, losses_bytes=1234)


def some() -> dict[str, torch.Tensor]:
    return {"a.b": torch.arange(6.0).reshape(2, 3).T, "c": torch.tensor(3)}


def test_round_trip(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, 3, some(), POSITION)
    tensors, position = read_checkpoint(path)
    assert path.name == "checkpoint-3.safetensors"
    assert position == POSITION
    assert tensors.keys() == some().keys()
    assert all(torch.equal(tensors[name], value) for name, value in some().items())


def test_same_state_same_bytes(tmp_path: Path) -> None:
    first = write_checkpoint(tmp_path, 1, some(), POSITION).read_bytes()
    assert write_checkpoint(tmp_path, 1, some(), POSITION).read_bytes() == first


def test_last_two_are_kept_by_number(tmp_path: Path) -> None:
    for number in (8, 9, 10, 11):
        write_checkpoint(tmp_path, number, some(), POSITION)
    assert [number for number, _ in list_checkpoints(tmp_path)] == [10, 11]
    assert len(list(tmp_path.iterdir())) == 2


def test_other_files_are_no_checkpoints(tmp_path: Path) -> None:
    for name in ("checkpoint-x.safetensors", "weights.safetensors", ".checkpoint-4.partial"):
        (tmp_path / name).touch()
    assert list_checkpoints(tmp_path) == []


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda _: b"", lambda data: data[8:]])
def test_damaged_file_is_named(tmp_path: Path, damage: object) -> None:
    path = write_checkpoint(tmp_path, 1, some(), POSITION)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(MissingError, match="checkpoint-1"):
        read_checkpoint(path)


def test_atomic_write_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    target = tmp_path / "x.toml"
    write_atomically(target, b"old")
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["x.toml"]


def test_full_disk_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    target = tmp_path / "x.toml"
    write_atomically(target, b"old")
    (tmp_path / ".x.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.toml"]


def test_what_a_kill_left_to_be_removed_is_removed_later(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"checkpoint-{number}.safetensors").touch()
    remove_old_checkpoints(tmp_path)
    assert [number for number, _ in list_checkpoints(tmp_path)] == [2, 3]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_networks_must_be_finite_and_moments_need_not(value: float) -> None:
    sound = {"model.a": torch.zeros(3), "model.count": torch.tensor(2**40), "model_optimizer.0.exp_avg": torch.zeros(2)}
    assert not_finite(sound) is None
    assert not_finite(sound | {"model_optimizer.0.exp_avg": torch.tensor([0.0, value])}) is None
    assert not_finite(sound | {"old.0.conv1.weight": torch.tensor([0.0, value])}) == "old.0.conv1.weight"


def test_prefixes_part_and_join() -> None:
    state = with_prefix("model", some()) | with_prefix("model_optimizer", some())
    assert take_prefix("model", state).keys() == some().keys()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_restored_optimizer_goes_on_with_the_same_bits(memory_format: torch.memory_format) -> None:
    def parts() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        layer = torch.nn.Conv2d(3, 5, 3)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.copy_(torch.linspace(-1, 1, parameter.numel()).reshape(parameter.shape))
        layer = layer.to(memory_format=memory_format)
        return layer, torch.optim.AdamW(layer.parameters(), lr=0.1)

    def step(layer: torch.nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
        generator = torch.Generator().manual_seed(number)
        for parameter in layer.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()

    layer, optimizer = parts()
    step(layer, optimizer, 0)
    stored = {name: value.clone() for name, value in optimizer_tensors(optimizer).items()}
    again, restored = parts()
    again.load_state_dict(layer.state_dict())
    restore_optimizer(restored, stored)
    for number in (1, 2):
        step(layer, optimizer, number)
        step(again, restored, number)
    assert all(torch.equal(a, b) for a, b in zip(layer.parameters(), again.parameters(), strict=True))
    assert restored.state[again.weight]["exp_avg"].stride() == optimizer.state[layer.weight]["exp_avg"].stride()
