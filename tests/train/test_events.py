"""What is told of a run, in which order."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from forensic.train.events import EpochDone, Event, RunBegun, StepDone
from forensic.train.loop import TrainPlan, train
from forensic.train.run_folder import RunConfig


def test_order_and_counts(tiny_config: RunConfig, tmp_path: Path) -> None:
    events: list[Event] = []
    summary = train(TrainPlan(tmp_path / "run", tiny_config, {}), events.append)
    told = [(kind, len(list(some))) for kind, some in groupby(type(event).__name__ for event in events)]
    epochs = [("StepDone", 3), ("EpochDone", 1)] * 3
    assert told[:2] == [("ImageRead", 15), ("RunBegun", 1)]
    assert told[2:8] == epochs
    assert [kind for kind, _ in told[8:]] == ["FinishingImage"]
    assert [event for event in events if isinstance(event, RunBegun)] == [RunBegun(9, 0, 3, 15, 0)]
    steps = [event for event in events if isinstance(event, StepDone)]
    assert [(step.epoch, step.batch, step.batches, step.step) for step in steps[:4]] == [
        (1, 1, 3, 1),
        (1, 2, 3, 2),
        (1, 3, 3, 3),
        (2, 1, 3, 4),
    ]
    done = [event for event in events if isinstance(event, EpochDone)]
    assert [event.checkpoint.name for event in done] == [f"checkpoint-{n}.safetensors" for n in (1, 2, 3)]
    assert all(0 <= event.validation["val_accuracy"] <= 1 for event in done)
    assert (summary.steps, summary.left_out, summary.was_finished) == (9, (), False)
