"""A run's folder: what was asked for, what was read, the losses, the checkpoints, and in the end the weights."""

from __future__ import annotations

import fcntl
import json
import os
import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import tomli_w

from forensic.data.prepare import PREPROCESSINGS
from forensic.errors import NO_ROOM, MissingError, UsageError
from forensic.train.checkpoint import remove_old_checkpoints, write_atomically
from forensic.train.config import Recipe, recipe_from_dict, recipe_to_dict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from forensic.data.cache import Record
    from forensic.data.sample import Layout, Sample

CONFIG = "config.toml"
LOSSES = "losses.jsonl"
DATA = "data.jsonl"
WEIGHTS = "weights.safetensors"
CARD = "weights.toml"


@dataclass(frozen=True)
class RunConfig:
    """All that decides a run; `config.toml` holds it, and `--resume` needs nothing else."""

    data: str
    """Folder of the images, absolute."""
    classes_dir: bool = False
    split: int = 1
    preprocessing: str | None = None
    """Overrides the layout's; None keeps it."""
    seed: int = 0
    device: str = "cpu"
    threads: int = 2
    """Of torch. Another number rounds sums differently, hence it is part of the run."""
    record_open_space: bool = False
    """Whether network and augmenter of each epoch are kept, for `evaluate --history`."""
    recipe: Recipe = field(default_factory=Recipe)


_KINDS: dict[str, type] = {
    field.name: {"str": str, "bool": bool, "int": int}[str(field.type).removesuffix(" | None")]
    for field in fields(RunConfig)
    if field.name != "recipe"
}
"""Fields of `RunConfig` beside the recipe, and what they hold in TOML."""


def config_to_toml(config: RunConfig, versions: dict[str, str]) -> str:
    """`config.toml`: the run, the recipe's full field values, and the versions it began with (for the record)."""
    run = {key: value for key, value in asdict(config).items() if key != "recipe" and value is not None}
    return tomli_w.dumps({"run": run, "versions": versions, "recipe": recipe_to_dict(config.recipe)})


def config_from_toml(text: str, subject: str) -> RunConfig:
    """The inverse of `config_to_toml`.

    Raises:
        MissingError: no such TOML.
        UsageError: a field of the run or of its recipe that is unknown or does not fit.
    """
    try:
        values = tomllib.loads(text)
        run, recipe = values["run"], values["recipe"]
    except tomllib.TOMLDecodeError as error:
        raise MissingError(subject, f"is no configuration of a run: {error}") from error
    except KeyError as error:
        raise MissingError(
            subject, f"is no configuration of a run: no table [{error.args[0]}]", "See `forensic train --print-config`"
        ) from error
    if not (isinstance(run, dict) and isinstance(recipe, dict)):
        raise MissingError(subject, "is no configuration of a run: `run` and `recipe` are tables")
    _check_run(run, subject)
    return RunConfig(recipe=recipe_from_dict(recipe), **run)


def _check_run(run: dict[str, Any], subject: str) -> None:
    for name, value in run.items():
        if name not in _KINDS:
            raise UsageError(f"{subject}, [run]", f"{name} is not known", f"It has: {', '.join(_KINDS)}")
        if type(value) is not _KINDS[name]:  # a bool is an int to isinstance
            raise UsageError(f"{subject}, [run]", f"{name} is {value!r}, must be {_KINDS[name].__name__}")
    if "data" not in run:
        raise MissingError(subject, "is no configuration of a run: [run] has no `data`")
    for name, least in (("seed", 0), ("threads", 1)):
        if run.get(name, least) < least:
            raise UsageError(f"{subject}, [run]", f"{name} is {run[name]}, must be {least} or more")
    if run.get("preprocessing", PREPROCESSINGS[0]) not in PREPROCESSINGS:
        known = ", ".join(PREPROCESSINGS)
        raise UsageError(f"{subject}, [run]", f"preprocessing is {run['preprocessing']!r}", f"Known: {known}")


class RunFolder:
    """One run on the disk; while it is open no second process can work on it.

    Args:
        path: the folder.
        config: of a new run; None opens one that is there. A folder where nothing was read yet holds no run.
        versions: for the record, of a new run.

    Raises:
        UsageError: a new run where one is already, or another process works on it.
        MissingError: no run there.
    """

    def __init__(self, path: Path, config: RunConfig | None = None, versions: dict[str, str] | None = None) -> None:
        self.path = path
        self.place = "before training began"
        """Where the run stands, for messages."""
        if config is None and not (path / CONFIG).is_file():
            raise MissingError(str(path), f"holds no run: no {CONFIG} in it", "Start one with `forensic train --out`")
        path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # dropped by the kernel when the process dies
            self.config = self._begin(config, versions or {}) if config is not None else self._read_config()
            for pattern in (".*.partial", f".{WEIGHTS}-*", f".{CARD}-*"):  # of a process killed while it wrote
                for left in path.glob(pattern):
                    left.unlink()
            remove_old_checkpoints(path)
        except BlockingIOError:
            self.close()
            raise UsageError(str(path), "another process is training this run", "Wait for it, or stop it") from None
        except BaseException:
            self.close()
            raise

    def _begin(self, config: RunConfig, versions: dict[str, str]) -> RunConfig:
        if any((self.path / name).exists() for name in (DATA, LOSSES, WEIGHTS)):
            raise UsageError(
                str(self.path),
                "holds a run already",
                f"Go on with `forensic train --resume {self.path}`, or choose another --out",
            )
        write_atomically(self.path / CONFIG, config_to_toml(config, versions).encode())
        return config

    def _read_config(self) -> RunConfig:
        target = self.path / CONFIG
        return config_from_toml(target.read_text(encoding="utf-8"), str(target))

    def close(self) -> None:
        """Lets other processes work on the run."""
        os.close(self._lock)

    @property
    def finished(self) -> bool:
        """Whether the weights and their card, which is written last, are there."""
        return (self.path / WEIGHTS).is_file() and (self.path / CARD).is_file()

    def open_losses(self, length: int) -> BinaryIO:
        """`losses.jsonl`, cut to `length` bytes, for appending.

        Raises:
            MissingError: the file is shorter than that: it was changed by hand.
        """
        path = self.path / LOSSES
        file = path.open("r+b" if path.exists() else "w+b")
        if os.fstat(file.fileno()).st_size < length:
            file.close()
            raise MissingError(str(path), f"is shorter than the checkpoint's {length} bytes", "Train anew with --out")
        file.truncate(length)
        file.seek(length)
        return file

    def record_data(self, records: Iterable[Record], layout: Layout) -> None:
        """Writes `data.jsonl`: how the files were split, with hashes of the training files and why any was left out.

        Args:
            records: of the training files.
            layout: whose validation and test files are listed too.

        Raises:
            MissingError: the run began with other data.
        """
        path = self.path / DATA
        root = Path(self.config.data)
        entries = [_training_line(record, root) for record in records]
        entries += [_sample_line(sample, "val", root) for sample in layout.val]
        entries += [_sample_line(sample, "test", root) for sample in layout.test]
        lines = "".join(json.dumps(entry) + "\n" for entry in entries).encode()
        if not path.exists():
            write_atomically(path, lines)
        elif path.read_bytes() != lines:
            raise MissingError(
                self.config.data, f"is not what this run began with (see {path})", "Train anew with --out"
            )


def _training_line(record: Record, root: Path) -> dict[str, Any]:
    line = _sample_line(record.sample, "train", root) | {"sha256": record.sha256}
    return line if record.reason is None else line | {"left_out": record.reason}


def _sample_line(sample: Sample, split: str, root: Path) -> dict[str, Any]:
    path = sample.path.relative_to(root) if sample.path.is_relative_to(root) else sample.path
    return {"path": str(path), "split": split, "class": sample.source}


def disk_remedy(error: OSError) -> str:
    """What helps against an error of the file system, without a full stop."""
    return "Make room on the disk" if error.errno in NO_ROOM else "Cure it"


def losses_line(values: dict[str, Any]) -> bytes:
    """One line of `losses.jsonl`; floats with seven digits, as many as float32 holds."""
    short = {key: float(f"{value:.7g}") if isinstance(value, float) else value for key, value in values.items()}
    return (json.dumps(short) + "\n").encode()
