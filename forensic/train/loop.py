"""Epochs: read the data, iterate Algorithm 1, checkpoint, and in the end finish the weights."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import torch

from forensic.errors import MachineError, UsageError
from forensic.models.predict import scaled
from forensic.train.checkpoint import Position, list_checkpoints, not_finite, read_checkpoint, write_checkpoint
from forensic.train.events import EpochDone, FinishingImage, RunBegun, RunSummary, StepDone
from forensic.train.finishing import finish
from forensic.train.graphs import Stepper
from forensic.train.inputs import name_left_out, read_inputs, read_run_layout
from forensic.train.open_space import record_open_space
from forensic.train.precision import settle_run
from forensic.train.readback import Readback
from forensic.train.run_folder import WEIGHTS, RunFolder, disk_remedy, losses_line
from forensic.train.schedule import augmenter_rate, model_rate
from forensic.train.spectrum_statistics import fit_spectrum_statistics
from forensic.train.state import TrainingState
from forensic.train.step import TERMS, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from forensic.data.sample import Layout
    from forensic.train.config import Recipe
    from forensic.train.events import Event
    from forensic.train.inputs import TrainingInputs
    from forensic.train.learners import Learners
    from forensic.train.run_folder import RunConfig

CHECKPOINT_STEPS = 200
"""Steps between two checkpoints within an epoch; how many is no part of the result."""


@dataclass(frozen=True)
class TrainPlan:
    """What to do: a new run, or one that is there."""

    out: Path
    config: RunConfig | None
    """None resumes the run at `out`."""
    versions: dict[str, str]
    """For the record in `config.toml` of a new run."""
    cache: Path | None = None
    """Folder that keeps decoded images for the next run; no part of the result. None keeps them in memory."""


def train(plan: TrainPlan, on_event: Callable[[Event], None]) -> RunSummary:
    """Trains to the end, or goes on where a run stopped.

    Args:
        plan: what to train, and where to.
        on_event: called from this thread as things happen.

    Raises:
        MissingError: data are missing, or are not those the run began with.
        UsageError: a new run in the place of another, two processes on one run, or a loss that is no finite number.
        MachineError: the disk is full or refuses; the last checkpoint is kept.
    """
    layout = None if plan.config is None else read_run_layout(plan.config)  # no folder for a run without data
    folder = RunFolder(plan.out, plan.config and settle_run(plan.config), plan.versions)
    try:
        if folder.finished:
            return RunSummary(folder.path, folder.path / WEIGHTS, 0, (), was_finished=True)
        with _deterministic(folder.config.threads):
            return _complete(folder, layout or read_run_layout(folder.config), on_event, plan.cache)
    except OSError as error:
        reason = f"{error.strerror or type(error).__name__}, {folder.place}"
        remedy = f"{disk_remedy(error)}, then go on with `forensic train --resume {plan.out}`"
        raise MachineError(str(plan.out), reason, remedy) from error
    finally:
        folder.close()


def _complete(folder: RunFolder, layout: Layout, on_event: Callable[[Event], None], cache: Path | None) -> RunSummary:
    config, recipe = folder.config, folder.config.recipe
    inputs = read_inputs(config, layout, on_event, cache)
    folder.record_data(inputs.images.records, layout)
    device = torch.device(config.device)
    state = TrainingState(len(layout.classes), recipe, config.seed, device)
    position = _restore(folder, state)
    if position is None:
        fit_spectrum_statistics(state.model, inputs.loader, inputs.images, recipe.statistics_images, device)
        position = Position(epoch=0, batch=0, step=0, losses_bytes=0)
    left_out = tuple(name for record in inputs.images.records if (name := name_left_out(record)))
    total_steps = recipe.epochs * inputs.batches_per_epoch(recipe)
    on_event(RunBegun(total_steps, position.step, recipe.epochs, len(inputs.images), len(left_out)))
    with folder.open_losses(position.losses_bytes) as losses:
        progress = _Progress(folder, state, position, losses, total_steps, on_event)
        for epoch in range(position.epoch, recipe.epochs):
            _run_epoch(epoch, inputs, config, progress, device)
    folder.place = f"after step {total_steps}, while the weights were finished"
    finish(folder.path, config, state.final_model(), inputs, lambda done, total: on_event(FinishingImage(done, total)))
    return RunSummary(folder.path, folder.path / WEIGHTS, total_steps, left_out, was_finished=False)


def _restore(folder: RunFolder, state: TrainingState) -> Position | None:
    checkpoints = list_checkpoints(folder.path)
    if not checkpoints:
        return None
    tensors, position = read_checkpoint(checkpoints[-1][1])
    state.restore(tensors, inside_epoch=position.batch > 0)
    return position


class _Progress:
    """Where a run stands, and what is written as it goes on."""

    def __init__(
        self,
        folder: RunFolder,
        state: TrainingState,
        position: Position,
        losses: BinaryIO,
        total_steps: int,
        on_event: Callable[[Event], None],
    ) -> None:
        self.state = state
        self.step = position.step
        self.resumed_at = position
        self.total_steps = total_steps
        self.folder = folder
        self._losses = losses
        self._tell = on_event
        self._late = Readback(state.device)
        folder.place = f"after step {self.step}"

    def step_done(self, epoch: int, batch: int, batches: int, values: Tensor, rate: float) -> None:
        self.step += 1
        step, place = self.step, f"at step {self.step} (epoch {epoch + 1}, batch {batch + 1} of {batches})"

        def keep(read: list[float]) -> None:
            self.folder.place = place
            terms = dict(zip(TERMS, read, strict=True))
            if wrong := [name for name, value in terms.items() if not math.isfinite(value)]:
                raise self._diverged(f"{wrong[0]} loss")
            self._losses.write(losses_line({"epoch": epoch + 1, "step": step, "lr": rate, **terms}))
            self._losses.flush()
            self._tell(StepDone(epoch + 1, batch + 1, batches, step, terms, rate))

        self._late.put(values, keep)

    def epoch_done(self, epoch: int, validation: dict[str, float]) -> None:
        self._late.drain()
        if validation:
            self._losses.write(losses_line({"epoch": epoch + 1, "step": self.step, **validation}))
        self._tell(EpochDone(epoch + 1, validation, self.checkpoint(number=epoch + 1, epoch=epoch + 1, batch=0)))

    def checkpoint(self, number: int, epoch: int, batch: int) -> Path:
        tensors = self.finite_tensors()
        self._losses.flush()
        os.fsync(self._losses.fileno())  # a checkpoint never counts on losses that a power cut takes away
        position = Position(epoch, batch, self.step, self._losses.tell())
        return write_checkpoint(self.folder.path, number, tensors, position)

    def finite_tensors(self) -> dict[str, Tensor]:
        """The whole state, of networks that have not diverged: the checkpoint that is there is worth more.

        Raises:
            UsageError: they have.
        """
        self._late.drain()
        tensors = self.state.tensors()
        if (name := not_finite(tensors)) is not None:
            raise self._diverged(name)
        return tensors

    def _diverged(self, what: str) -> UsageError:
        kept = list_checkpoints(self.folder.path)
        return UsageError(
            str(self.folder.path),
            f"{what} is no finite number {self.folder.place}; {kept[-1][1].name if kept else 'no checkpoint'} is kept",
            "Train anew with a lower rate, e.g. --set lr=1e-4, or with --set gradient_clip=1",
        )


def _run_epoch(
    epoch: int, inputs: TrainingInputs, config: RunConfig, progress: _Progress, device: torch.device
) -> None:
    state, recipe = progress.state, config.recipe
    done = progress.resumed_at.batch if epoch == progress.resumed_at.epoch else 0
    state.set_mode(epoch)
    learners = state.learners
    if learners is None:
        learners = state.begin_epoch()
        _warm_up(learners, epoch, inputs, recipe, device)
    batches = inputs.batches_per_epoch(recipe)
    stepper = Stepper(learners, recipe, state.masks)
    for batch, (pixels, labels) in enumerate(inputs.batches(epoch, recipe, first=done), start=done):
        rate = model_rate(recipe, progress.step, progress.total_steps)
        _set_rate(learners.model_optimizer, rate)
        taught = progress.step if recipe.augmenters == "joint" else batch  # steps since the augmenters were drawn
        for new in learners.new:
            _set_rate(new.optimizer, augmenter_rate(recipe, recipe.augmenter_warmup_steps + taught))
        y = torch.from_numpy(labels).to(device)
        values = stepper.step(scaled(torch.from_numpy(pixels).to(device)), y)
        if state.average is not None:
            state.average.update(state.model, progress.step)
        progress.step_done(epoch, batch, batches, values, rate)
        if (batch + 1) % CHECKPOINT_STEPS == 0 and batch + 1 < batches:
            progress.checkpoint(number=epoch + 1, epoch=epoch, batch=batch + 1)
    progress.finite_tensors()  # before anything is measured or kept
    if config.record_open_space:
        record_open_space(progress.folder.path, epoch, state, inputs.layout)
    state.end_epoch()
    progress.epoch_done(epoch, inputs.validation.measure(state.final_model().to(device), device))


def _warm_up(learners: Learners, epoch: int, inputs: TrainingInputs, recipe: Recipe, device: torch.device) -> None:
    """Brings a new augmenter near the identity before it meets the task model (deviation "augmenter warm-up")."""
    step = 0
    while learners.new and step < recipe.augmenter_warmup_steps:
        for pixels, _ in inputs.batches(epoch, recipe):
            if step == recipe.augmenter_warmup_steps:
                break
            for new in learners.new:
                _set_rate(new.optimizer, augmenter_rate(recipe, step))
            warm_up(learners, scaled(torch.from_numpy(pixels).to(device)))
            step += 1


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)  # a graph reads it where it stands
        else:
            group["lr"] = rate


@contextmanager
def _deterministic(threads: int) -> Iterator[None]:
    """Torch's settings that decide the last bits, set for the run and put back after it."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    memory = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory  # type: ignore[attr-defined]  # a property that torch gives the module
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True)
    memory.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a search for bugs, at a write a tensor
    try:
        yield
    finally:
        memory.fill_uninitialized_memory = filled  # type: ignore[attr-defined]  # likewise
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(mode=before[1])
