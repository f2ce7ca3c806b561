"""The whole state of a run in one file, written so that it is there entirely or not at all.

Tensors: network, its running mean, both optimisers, the live augmenter, all old ones, generator states. Scalars: one
JSON object in the file's metadata. Nothing in it depends on the clock or on where the run lies, so that a resumed run
leaves the same checkpoints as an undisturbed one.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from forensic.errors import MissingError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

_METADATA = "forensic"
"""One key only: the order of several is not fixed in the format's writer."""
_FORMAT = 1
_KEPT = 2


@dataclass(frozen=True)
class Position:
    """Where a run stands."""

    epoch: int
    """The epoch that is running, counted from 0."""
    batch: int
    """Batches of it that are done."""
    step: int
    """Steps of the run that are done."""
    losses_bytes: int
    """Length of `losses.jsonl` at that moment."""


def write_checkpoint(folder: Path, number: int, tensors: dict[str, Tensor], position: Position) -> Path:
    """Writes `checkpoint-NUMBER.safetensors` and removes all but the last two.

    Args:
        folder: the run folder.
        number: epochs begun, from 1; a checkpoint within an epoch is replaced by the one at its end.
        tensors: names are this project's own; any device, any strides.
        position: goes into the metadata.
    """
    scalars = json.dumps({"format": _FORMAT, **asdict(position)})
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, {_METADATA: scalars})
    target = folder / f"checkpoint-{number}.safetensors"
    write_atomically(target, data)
    remove_old_checkpoints(folder)
    return target


def remove_old_checkpoints(folder: Path) -> None:
    """Keeps the last two; also called when a run is opened, for one that was killed before it came to this."""
    for _, path in list_checkpoints(folder)[:-_KEPT]:
        path.unlink()


def not_finite(tensors: dict[str, Tensor]) -> str | None:
    """Name of the first tensor of the networks, as `TrainingState.tensors` names them, that holds NaN or infinity.

    Moments of an optimiser may overflow without harm: the step that they give is then 0.
    """
    for name, tensor in tensors.items():
        if "optimizer" not in name and tensor.is_floating_point() and not tensor.isfinite().all():
            return name
    return None


def list_checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """Number and path of each checkpoint, in order of their numbers."""
    found = []
    for path in folder.glob("checkpoint-*.safetensors"):
        number = path.stem.removeprefix("checkpoint-")
        if number.isdecimal():
            found.append((int(number), path))
    return sorted(found)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], Position]:
    """Tensors on the CPU, and the position.

    Raises:
        MissingError: the file is damaged, or of another format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            scalars = json.loads((file.metadata() or {})[_METADATA])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - a safetensors file is no dict
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise MissingError(
            str(path), f"is no whole checkpoint: {error}", "Remove it, then resume from the one before"
        ) from error
    if scalars.pop("format", None) != _FORMAT:
        raise MissingError(str(path), "was written by another version", "Train anew with --out")
    return tensors, Position(**scalars)


def write_atomically(target: Path, data: bytes) -> None:
    """Writes a file that is there entirely or not at all: a dot name beside it, flushed to the disk, renamed."""
    partial = target.with_name(f".{target.stem}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError:  # on a full disk half a file would only be in the way
        partial.unlink(missing_ok=True)
        raise
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def with_prefix(prefix: str, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names of one part of the state: `model.fc.weight` for `fc.weight`."""
    return {f"{prefix}.{name}": value for name, value in values.items()}


def take_prefix(prefix: str, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `with_prefix`, from a state that holds other parts too."""
    return {name.removeprefix(f"{prefix}."): value for name, value in values.items() if name.startswith(f"{prefix}.")}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments and counters of an optimiser, as `INDEX.NAME` with the parameter's place in its group."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    return {
        f"{index}.{name}": value
        for index, parameter in enumerate(parameters)
        for name, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Puts moments and counters back, each in the memory layout of its parameter.

    The layout matters: element-wise kernels round differently over other strides, and a resumed run must give the
    same bits.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        parameter = parameters[int(index)]
        state = optimizer.state.setdefault(parameter, {})
        moment = value.shape == parameter.shape
        state[name] = torch.zeros_like(parameter).copy_(value) if moment else value.to(parameter.device, copy=True)
