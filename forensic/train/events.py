"""What training tells while it runs; whoever shows progress gets these, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class ImageRead:
    """One training file was read."""

    done: int
    total: int
    left_out: str | None
    """`PATH: reason` where the file can not be used."""


@dataclass(frozen=True)
class Remark:
    """Something that the user may want to know; it changes nothing of the result."""

    text: str


@dataclass(frozen=True)
class RunBegun:
    """Everything is ready."""

    total_steps: int
    done_steps: int
    """Above 0 when a run is resumed."""
    epochs: int
    images: int
    left_out: int


@dataclass(frozen=True)
class StepDone:
    """One iteration of Algorithm 1."""

    epoch: int
    """From 1."""
    batch: int
    """Within the epoch, from 1."""
    batches: int
    step: int
    """Of the run, from 1."""
    losses: dict[str, float]
    """By the names of `forensic.train.step.TERMS`."""
    rate: float
    """Learning rate of the task model."""


@dataclass(frozen=True)
class EpochDone:
    """An epoch is over; its augmenter is an old one now."""

    epoch: int
    validation: dict[str, float]
    """Empty where the layout has no validation images."""
    checkpoint: Path


@dataclass(frozen=True)
class FinishingImage:
    """Training is over; scorer and threshold are fitted on images."""

    done: int
    total: int


Event = ImageRead | Remark | RunBegun | StepDone | EpochDone | FinishingImage


@dataclass(frozen=True)
class RunSummary:
    """How a run ended."""

    folder: Path
    weights: Path
    steps: int
    left_out: tuple[str, ...]
    """`PATH: reason` of each training file that could not be used."""
    was_finished: bool
    """Whether nothing was left to do."""
