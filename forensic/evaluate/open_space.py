"""What `forensic train --record-open-space` kept of a run, read back: the network and the augmenters of each epoch.

A run folder holds `config.toml` and `open-space/epoch-N.safetensors`, N from 1, with `model.*`, `augmenter.*`
(`augmenter.PLACE.*` where several learn at once) and, in the metadata, classes and preprocessing.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from forensic.data.prepare import PREPROCESSINGS
from forensic.errors import MissingError
from forensic.models.augmenter import Augmenter, AugmenterShape
from forensic.models.network_state import network_from_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from forensic.models.feature_extractor import TaskModel

_CONFIG = "config.toml"
_FOLDER = "open-space"
_METADATA = "forensic"
_FORMAT = 1
_NAME = re.compile(r"epoch-([1-9][0-9]*)\.safetensors")
_AGAIN = "Train anew with --record-open-space"


@dataclass(frozen=True)
class OpenSpace:
    """A run with all that it kept; tensors are read when they are asked for."""

    run: Path
    data: Path
    """Folder of the run's images."""
    classes_dir: bool
    split: int
    classes: tuple[str, ...]
    """In label order."""
    preprocessing: str
    recipe: str
    """Its name."""
    epochs: int
    """How many are there."""
    at_once: int
    """Augmenters that learn at the same time: 1, several from the first epoch on (joint), or 0 (none)."""
    is_joint: bool
    architecture: Mapping[str, Any]
    shape: AugmenterShape

    def count(self, epoch: int) -> int:
        """How many augmenters the network of an epoch, from 1, has met."""
        return self.at_once if self.is_joint else self.at_once * epoch

    def network(self, epoch: int) -> TaskModel:
        """The task model at the end of an epoch, in evaluation mode on the CPU.

        Raises:
            MissingError: the file is damaged or does not fit the run's recipe.
        """
        path = _path(self.run, epoch)
        try:
            return network_from_tensors(_read(path, "model"), len(self.classes), self.architecture)
        except ValueError as error:
            raise MissingError(str(path), f"does not fit {_CONFIG}: {error}", _AGAIN) from error

    def augmenters(self, epoch: int) -> list[Augmenter]:
        """Those that the network of an epoch has met, in their order, as each was in the last epoch that taught it.

        Raises:
            MissingError: a file is damaged or does not fit the run's recipe.
        """
        if self.is_joint:
            path = _path(self.run, epoch)
            prefixes = [f"augmenter.{place}" if self.at_once > 1 else "augmenter" for place in range(self.at_once)]
            return [self._augmenter(path, prefix) for prefix in prefixes]
        return [self._augmenter(_path(self.run, e), "augmenter") for e in range(1, epoch + 1) if self.at_once]

    def _augmenter(self, path: Path, prefix: str) -> Augmenter:
        augmenter = self.shape.build()
        try:
            augmenter.load_state_dict({name: torch.from_numpy(value) for name, value in _read(path, prefix).items()})
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise MissingError(str(path), f"does not fit {_CONFIG}: {prefix}: {reason}", _AGAIN) from error
        return augmenter.requires_grad_(requires_grad=False).eval()


def read_open_space(run: Path) -> OpenSpace:
    """Opens a run, finished or not; every file's header is looked at, no tensor is read.

    Raises:
        MissingError: no run, nothing kept of its open space, or a file that is missing, damaged or of another format.
    """
    if not run.is_dir():
        raise MissingError(str(run), "no such run: " + ("is no folder" if run.exists() else "the folder is not there"))
    values = _config(run / _CONFIG)
    epochs = _epochs(run, kept=bool(values["run"].get("record_open_space")))
    facts = [_facts(_path(run, epoch), epoch) for epoch in range(1, epochs + 1)]
    for epoch, fact in enumerate(facts, start=1):
        if fact != facts[0]:
            raise MissingError(str(_path(run, epoch)), "is of another run: its classes or preprocessing differ", _AGAIN)
    recipe = values["recipe"]
    kind = recipe.get("augmenters", "progressive")
    at_once = {"progressive": 1, "none": 0, "joint": recipe.get("joint_augmenters", 0)}.get(kind)
    given = {
        field.name: recipe[f"augmenter_{field.name}"]
        for field in fields(AugmenterShape)
        if f"augmenter_{field.name}" in recipe
    }
    try:
        shape = AugmenterShape(**given)
        data, split = Path(values["run"]["data"]), int(values["run"].get("split", 1))
    except (KeyError, TypeError, ValueError) as error:
        raise MissingError(str(run / _CONFIG), f"is no configuration of a run: {error}") from error
    if not isinstance(at_once, int):
        raise MissingError(str(run / _CONFIG), f"has augmenters of a kind unknown to this version: {kind}")
    return OpenSpace(
        run=run,
        data=data,
        split=split,
        classes_dir=bool(values["run"].get("classes_dir", False)),
        classes=facts[0][0],
        preprocessing=facts[0][1],
        recipe=str(recipe.get("name", "")),
        epochs=epochs,
        at_once=at_once,
        is_joint=kind == "joint",
        architecture=recipe.get("architecture", {}),
        shape=shape,
    )


def _config(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingError(str(path.parent), f"holds no run: no {_CONFIG} in it") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MissingError(str(path), f"can not be read: {_reason(error)}") from error
    if not all(isinstance(values.get(name), dict) for name in ("run", "recipe")):
        raise MissingError(str(path), "is no configuration of a run: it has no tables run and recipe")
    return values


def _epochs(run: Path, *, kept: bool) -> int:
    """How many epochs were kept, without a gap."""
    folder = run / _FOLDER
    found = {int(m[1]) for entry in (folder.iterdir() if folder.is_dir() else ()) if (m := _NAME.fullmatch(entry.name))}
    if not found:
        if kept:
            raise MissingError(str(run), "has finished no epoch yet", f"Go on with `forensic train --resume {run}`")
        raise MissingError(str(run), "was not trained with --record-open-space", _AGAIN)
    for epoch in range(1, max(found)):
        if epoch not in found:
            raise MissingError(str(_path(run, epoch)), "is not there, and a later epoch is", _AGAIN)
    return max(found)


def _path(run: Path, epoch: int) -> Path:
    return run / _FOLDER / f"epoch-{epoch}.safetensors"


def _facts(path: Path, epoch: int) -> tuple[tuple[str, ...], str]:
    """Classes and preprocessing, from the header."""
    try:
        with safe_open(path, framework="np") as file:
            values = json.loads((file.metadata() or {})[_METADATA])
        written, classes, preprocessing = values["format"], values["classes"], values["preprocessing"]
        where = values["epoch"]
    except (OSError, SafetensorError) as error:
        raise MissingError(str(path), f"is damaged: {_reason(error)}", _AGAIN) from error
    except (KeyError, TypeError, ValueError) as error:
        raise MissingError(str(path), "was not written by `forensic train --record-open-space`", _AGAIN) from error
    if written != _FORMAT or preprocessing not in PREPROCESSINGS:
        raise MissingError(str(path), "was written by another version", _AGAIN)
    if where != epoch:
        raise MissingError(str(path), f"holds epoch {where}: it was renamed", _AGAIN)
    return tuple(map(str, classes)), preprocessing


def _read(path: Path, prefix: str) -> dict[str, NDArray[Any]]:
    """The tensors below a prefix, without it; every value finite."""
    start = f"{prefix}."
    try:
        with safe_open(path, framework="np") as file:
            names = [name for name in file.keys() if name.startswith(start)]  # noqa: SIM118 - a safetensors file is no dict
            tensors = {name.removeprefix(start): np.asarray(file.get_tensor(name)) for name in sorted(names)}
    except (OSError, SafetensorError) as error:
        raise MissingError(str(path), f"is damaged: {_reason(error)}", _AGAIN) from error
    for name, value in tensors.items():
        if not np.isfinite(value).all():
            raise MissingError(str(path), f"tensor {start}{name} has values that are not finite", _AGAIN)
    return tensors


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__
