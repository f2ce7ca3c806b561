"""Trains and measures one row after the other; a benchmark that was stopped goes on where it was.

Rows that differ in their score alone share a network: the first of them is trained, the others fit theirs to it.

OUT/rows/NAME/        the row's run folder, as `forensic train` leaves it; its weights alone if it was not trained
OUT/rows/NAME.json    written last: what was measured, and of what; a row that has it is not trained again
OUT/table.md|json     the rows that are finished, written again after each
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from forensic.benchmark.ablation import augmenters_of, recipe_of
from forensic.benchmark.measure import measure
from forensic.benchmark.table import to_json, to_markdown
from forensic.case.output import replacing
from forensic.engines.choice import processor_name
from forensic.errors import MachineError, MissingError, UsageError
from forensic.models.weights import load_weights
from forensic.train import events
from forensic.train.config import recipe_to_dict
from forensic.train.finishing import rescore
from forensic.train.inputs import read_run_layout
from forensic.train.loop import TrainPlan, train
from forensic.train.precision import settle_run
from forensic.train.run_folder import CONFIG, DATA, WEIGHTS, RunConfig, config_from_toml, disk_remedy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forensic.benchmark.ablation import Row
    from forensic.data.sample import Layout
    from forensic.train.config import Recipe

ROWS_FOLDER = "rows"
MARKDOWN, JSON = "table.md", "table.json"


@dataclass(frozen=True)
class BenchmarkPlan:
    """What is compared, and how."""

    out: Path
    rows: tuple[Row, ...]
    base: Recipe
    steps: int
    """Wanted of each row; `recipe_of` makes whole epochs of them."""
    run: RunConfig
    """Of every row, but for the recipe."""
    command: str
    """That makes the same table, for the table."""
    versions: dict[str, str] = field(default_factory=dict)
    """For the record."""


@dataclass(frozen=True)
class RowBegun:
    """A row is trained now, or was finished earlier."""

    row: Row
    place: int
    """From 1."""
    count: int
    was_finished: bool


@dataclass(frozen=True)
class MeasuringImage:
    """A row is trained; its weights are measured."""

    done: int
    total: int


@dataclass(frozen=True)
class RowDone:
    """A row is finished."""

    row: Row
    result: dict[str, Any]
    """As its JSON file holds it."""


Event = RowBegun | MeasuringImage | RowDone | events.Event


def run(plan: BenchmarkPlan, on_event: Callable[[Event], None]) -> dict[str, Any]:
    """Finishes every row and returns the table, as `table.json` holds it.

    Args:
        plan: what to do.
        on_event: called from this thread as things happen, training's own events among them.

    Raises:
        MissingError: no data.
        UsageError: the folder holds rows of another benchmark, or a row's training diverged.
        MachineError: the disk is full or refuses; what is finished is kept.
    """
    layout = read_run_layout(plan.run)
    try:
        (plan.out / ROWS_FOLDER).mkdir(parents=True, exist_ok=True)
        return _run_rows(plan, layout, on_event)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MachineError(str(plan.out), reason, f"{disk_remedy(error)}, then the same command again") from error


def _run_rows(plan: BenchmarkPlan, layout: Layout, on_event: Callable[[Event], None]) -> dict[str, Any]:
    digest = data_digest(layout)
    head = {
        "command": plan.command,
        "seed": plan.run.seed,
        "data": {"name": layout.name, "sha256": digest},
        "threads": plan.run.threads,
        "device": plan.run.device,
        "versions": plan.versions,
    }
    table: dict[str, Any] = head | {"rows": []}
    recipes = [
        recipe_of(row, plan.base, layout, plan.steps) for row in plan.rows
    ]  # wrong fields end it before the work
    for place, (row, recipe) in enumerate(zip(plan.rows, recipes, strict=True), start=1):
        config = settle_run(RunConfig(**{name: getattr(plan.run, name) for name in _RUN_FIELDS}, recipe=recipe))
        result = _finished(plan, row, config, digest)
        on_event(RowBegun(row, place, len(plan.rows), was_finished=result is not None))
        if result is None:
            alike = (one for one in table["rows"] if _trained_alike(one["recipe"], recipe_to_dict(config.recipe)))
            result = _finish(plan, row, config, layout, digest, on_event, next(alike, None))
        table["rows"].append(result)
        _write(plan.out / JSON, to_json(table))
        _write(plan.out / MARKDOWN, to_markdown(table))
        on_event(RowDone(row, result))
    return table


_RUN_FIELDS = ("data", "classes_dir", "split", "preprocessing", "seed", "device", "threads")


def _finished(plan: BenchmarkPlan, row: Row, config: RunConfig, digest: str) -> dict[str, Any] | None:
    """The row's result where it is there.

    Raises:
        UsageError: it is another benchmark's: another recipe, seed, ... or other data.
        MissingError: its file is damaged.
    """
    path = plan.out / ROWS_FOLDER / f"{row.name}.json"
    if not path.exists():
        return None
    try:
        result: dict[str, Any] = json.loads(path.read_bytes())
        for name, wanted in _identity(config, digest).items():
            if result[name] != wanted:
                raise UsageError(str(path), f"was measured with another {name}", "Choose another --out")
    except (ValueError, KeyError, TypeError) as error:
        raise MissingError(
            str(path), f"is no result of a row: {error}", "Remove it to measure the row again"
        ) from error
    return result


def _identity(config: RunConfig, digest: str) -> dict[str, Any]:
    """All that decides a row's numbers but the processor's rounding."""
    return {
        "data": digest,
        "seed": config.seed,
        "threads": config.threads,
        "device": config.device,
        "preprocessing": config.preprocessing,
        "recipe": recipe_to_dict(config.recipe),
    }


def _trained_alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two recipes differ in nothing but the score."""
    return one | {"score": None} == other | {"score": None}


def _finish(
    plan: BenchmarkPlan,
    row: Row,
    config: RunConfig,
    layout: Layout,
    digest: str,
    on_event: Callable[[Event], None],
    alike: dict[str, Any] | None,
) -> dict[str, Any]:
    """Trains and measures a row; where `alike`, a finished row, was trained alike, its network is taken."""
    folder = plan.out / ROWS_FOLDER / row.name
    clock = StepClock()

    def tell(event: events.Event) -> None:
        clock.watch(event)
        on_event(event)

    if alike is None:
        weights = train(TrainPlan(folder, _to_begin_with(folder, config), plan.versions), tell).weights
    else:
        weights = folder / WEIGHTS
        folder.mkdir(exist_ok=True)
        trained = load_weights(plan.out / ROWS_FOLDER / alike["row"] / WEIGHTS, device=config.device)
        rescore(trained, layout, weights, config.recipe.score, seed=config.seed, device=config.device)
    found = measure(
        weights,
        layout,
        config.device,
        config.threads,
        lambda done, total: on_event(MeasuringImage(done, total)),
    )
    result = {
        "row": row.name,
        "what": row.what,
        "fields": list(row.fields),
        **_identity(config, digest),
        "epochs": config.recipe.epochs,
        "augmenters": augmenters_of(config.recipe),
        "steps": alike["steps"] if alike else clock.steps or _steps_of(folder),
        **asdict(found),
        "seconds_per_step": alike["seconds_per_step"] if alike else clock.median(),
        "timed_steps": alike["timed_steps"] if alike else len(clock.seconds),
        "processor": processor_name(),
    }
    _write(plan.out / ROWS_FOLDER / f"{row.name}.json", json.dumps(result, indent=2) + "\n")
    return result


def _to_begin_with(folder: Path, config: RunConfig) -> RunConfig | None:
    """The configuration of a new run, or None where one is there to go on with.

    Raises:
        UsageError: the one that is there is another.
    """
    if not (folder / CONFIG).is_file() or not (folder / DATA).is_file():
        return config
    begun = config_from_toml((folder / CONFIG).read_text(encoding="utf-8"), str(folder / CONFIG))
    if begun != config:
        raise UsageError(str(folder), "holds a run with another configuration", "Choose another --out")
    return None


def _steps_of(folder: Path) -> int:
    """Steps of a run that was trained to the end by an earlier process."""
    lines = (folder / "losses.jsonl").read_text(encoding="utf-8").splitlines()
    return max((int(json.loads(line)["step"]) for line in lines), default=0)


class StepClock:
    """Times between two steps of one epoch: what lies between epochs is no part of a step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.steps = 0
        """Of the run, once one was seen."""
        self._last: tuple[int, int, float] | None = None

    def watch(self, event: object) -> None:
        """Called as events come."""
        if isinstance(event, events.StepDone):
            now = time.perf_counter()
            if self._last is not None and self._last[:2] == (event.epoch, event.batch - 1):
                self.seconds.append(now - self._last[2])
            self._last = (event.epoch, event.batch, now)
            self.steps = event.step

    def median(self) -> float | None:
        """Seconds, wall clock; None where nothing was timed."""
        return statistics.median(self.seconds) if self.seconds else None


def data_digest(layout: Layout) -> str:
    """SHA-256 over path, split and content of every training and validation file; 64 hex digits."""
    samples = [
        (split, sample)
        for split, part in (("train", layout.train), ("val", layout.val), ("val_unseen", layout.val_unseen))
        for sample in part
    ]

    def content(path: Path) -> str:
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            return "-"

    with ThreadPoolExecutor(2) as pool:
        contents = list(pool.map(content, [sample.path for _, sample in samples]))
    whole = hashlib.sha256()
    for (split, sample), found in zip(samples, contents, strict=True):
        path = sample.path.relative_to(layout.root) if sample.path.is_relative_to(layout.root) else sample.path
        whole.update(f"{split}\0{sample.label}\0{path}\0{found}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _write(target: Path, text: str) -> None:
    with replacing(target) as file:
        file.write(text.encode())
