"""A benchmark from end to end: what it leaves, that a stop changes nothing of it, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from forensic.benchmark import run as module
from forensic.benchmark.run import BenchmarkPlan, Event, RowBegun, RowDone, StepClock, data_digest, run
from forensic.data.layouts import read_layout
from forensic.errors import MissingError, UsageError
from forensic.models.card import card_from_toml
from forensic.models.weights import load_weights
from forensic.train.events import EpochDone, StepDone

Plans = Callable[..., BenchmarkPlan]
Table = dict[str, Any]


class Stop(Exception):  # noqa: N818 - no error: a test ends the benchmark
    """What a test stops a benchmark with."""


def silent(_: Event) -> None:
    """Nobody looks."""


def test_every_row_is_trained_and_measured(undisturbed: tuple[Path, Table]) -> None:
    out, table = undisturbed
    rows = {row["row"]: row for row in table["rows"]}
    assert list(rows) == ["base", "joint", "depth-1"]
    assert [row["augmenters"] for row in rows.values()] == [0, 2, 2]
    for name, row in rows.items():
        assert (row["steps"], row["epochs"], row["known"], row["unknown"]) == (4, 2, 6, 3)
        for form in ("stored", "jpeg"):
            assert all(0 <= value <= 1 for value in row[form].values())
        assert row["seconds_per_step"] > 0
        assert row["timed_steps"] == 2  # one interval an epoch of two steps
        assert json.loads((out / "rows" / f"{name}.json").read_text()) == row
        card = card_from_toml((out / "rows" / name / "weights.toml").read_text(), "weights.toml")
        assert card.recipe["score"] == "traces"
    assert rows["depth-1"]["recipe"]["augmenter_depth"] == 1
    assert rows["base"]["recipe"]["augmenters"] == "none"


def test_training_of_rows_with_augmenters_has_their_terms(undisturbed: tuple[Path, Table]) -> None:
    def last(name: str) -> dict[str, float]:
        lines = [
            json.loads(line) for line in (undisturbed[0] / "rows" / name / "losses.jsonl").read_text().splitlines()
        ]
        return [line for line in lines if "total" in line][-1]

    assert last("base")["metric_new"] == last("base")["reconstruction"] == 0
    assert last("joint")["metric_old"] == 0
    assert last("joint")["diversity"] != 0
    assert last("depth-1")["diversity"] != 0


def test_a_stopped_benchmark_goes_on_where_it_was(
    plan_for: Plans, undisturbed: tuple[Path, Table], timeless: Callable[[Table], Table], tmp_path: Path
) -> None:
    trained: list[tuple[str, int]] = []
    row = ""

    def watch(event: Event, stop: int | None = None) -> None:
        nonlocal row
        if isinstance(event, RowBegun):
            row = event.row.name
        elif isinstance(event, StepDone):
            trained.append((row, event.step))
            if row == "joint" and event.step == stop:
                raise Stop

    with pytest.raises(Stop):
        run(plan_for(tmp_path), lambda event: watch(event, stop=3))
    assert [entry["row"] for entry in json.loads((tmp_path / "table.json").read_text())["rows"]] == ["base"]
    trained.clear()
    table = run(plan_for(tmp_path), watch)
    assert trained == [("joint", 3), ("joint", 4), *(("depth-1", step) for step in range(1, 5))]
    assert timeless(table) == timeless(undisturbed[1])
    trained.clear()
    assert run(plan_for(tmp_path), watch) == table  # all of it is finished: not even the times change
    assert trained == []


def test_a_row_that_was_trained_and_not_measured_is_measured(
    plan_for: Plans, undisturbed: tuple[Path, Table], timeless: Callable[[Table], Table], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed[0], out)
    (out / "rows" / "base.json").unlink()
    table = run(plan_for(out), silent)
    assert timeless(table) == timeless(undisturbed[1])
    assert table["rows"][0]["seconds_per_step"] is None  # no step was seen


@pytest.mark.slow
def test_rows_of_another_score_share_a_network(plan_for: Plans, tmp_path: Path) -> None:
    trained: list[int] = []

    def watch(event: Event) -> None:
        if isinstance(event, StepDone):
            trained.append(event.step)

    table = run(plan_for(tmp_path, rows="forensic,score-softmax,score-sum"), watch)
    assert trained == [1, 2, 3, 4]
    first, sums, soft = table["rows"]
    assert [row["recipe"]["score"] for row in table["rows"]] == ["traces", "sum", "softmax"]
    for row in (soft, sums):
        assert (row["steps"], row["seconds_per_step"]) == (first["steps"], first["seconds_per_step"])
        for form in ("stored", "jpeg"):
            assert row[form]["accuracy"] == soft[form]["accuracy"]  # the first row's traces have a say
            assert row[form]["auroc_softmax"] == first[form]["auroc_softmax"]
    assert soft["stored"]["auroc_score"] == soft["stored"]["auroc_softmax"]
    weights = [load_weights(tmp_path / "rows" / row["row"] / "weights.safetensors") for row in table["rows"]]
    assert [one.scorer.kind for one in weights] == ["traces", "sum", "softmax"]
    assert all(torch.equal(one.model.head.weight, weights[0].model.head.weight) for one in weights)


def test_same_seed_same_table(
    plan_for: Plans, undisturbed: tuple[Path, Table], timeless: Callable[[Table], Table], tmp_path: Path
) -> None:
    again = run(plan_for(tmp_path, rows="base"), silent)
    assert timeless(again)["rows"] == timeless(undisturbed[1])["rows"][:1]


def test_rows_of_another_benchmark_are_refused(
    plan_for: Plans, undisturbed: tuple[Path, Table], tiny_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed[0], out)
    with pytest.raises(UsageError, match=r"base\.json: was measured with another seed"):
        run(plan_for(out, seed=1), silent)
    other = tmp_path / "data"
    shutil.copytree(tiny_data, other)
    (other / "val" / "real" / "00004.png").unlink()
    with pytest.raises(UsageError, match="another data"):
        run(plan_for(out, data=other), silent)
    (out / "rows" / "base.json").unlink()
    with pytest.raises(UsageError, match="base: holds a run with another configuration"):
        run(plan_for(out, seed=1), silent)


def test_a_damaged_result_is_named(plan_for: Plans, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    for text in ("{", "[]", "{}"):
        (tmp_path / "rows" / "base.json").write_text(text)
        with pytest.raises(MissingError, match="is no result of a row"):
            run(plan_for(tmp_path, rows="base"), silent)


def test_a_row_that_could_not_be_trained_ends_it_before_the_work(plan_for: Plans, tmp_path: Path) -> None:
    plan = plan_for(tmp_path)
    plan = replace(plan, base=replace(plan.base, augmenter_resampling="down-up"))
    with pytest.raises(UsageError, match="augmenter_resampling"):  # one convolution can not go down and up
        run(plan, silent)
    assert list((tmp_path / "rows").iterdir()) == []


def test_rows_are_told_in_order(plan_for: Plans, undisturbed: tuple[Path, Table], tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed[0], out)
    told: list[Event] = []
    run(plan_for(out), told.append)
    assert [(event.row.name, event.place, event.count, event.was_finished) for event in told[::2]] == [
        ("base", 1, 3, True),
        ("joint", 2, 3, True),
        ("depth-1", 3, 3, True),
    ]
    assert all(isinstance(event, RowDone) for event in told[1::2])


def test_digest_is_of_contents_and_not_of_where_they_lie(tiny_data: Path, tmp_path: Path) -> None:
    whole = data_digest(read_layout(tiny_data))
    copy = tmp_path / "elsewhere"
    shutil.copytree(tiny_data, copy)
    assert data_digest(read_layout(copy)) == whole
    (copy / "test" / "real" / "00000.png").write_bytes(b"test images choose nothing")
    assert data_digest(read_layout(copy)) == whole
    for changed in ("train/real/00000.png", "val/coarse/00004.png", "val_unseen/dots/00004.png"):
        target = copy / changed
        before = target.read_bytes()
        target.write_bytes(before + b"\0")
        assert data_digest(read_layout(copy)) != whole, changed
        target.write_bytes(before)


def test_clock_times_steps_and_not_what_lies_between_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(module.time, "perf_counter", lambda: now)
    clock = StepClock()
    assert clock.median() is None
    for epoch, batch, later in ((1, 1, 50.0), (1, 2, 2.0), (1, 3, 4.0), (2, 1, 90.0), (2, 2, 3.0)):
        now += later
        clock.watch(StepDone(epoch, batch, 3, 3 * epoch + batch, {}, 0.1))
        clock.watch(EpochDone(epoch, {}, Path()))
    assert clock.seconds == [2.0, 4.0, 3.0]
    assert clock.median() == 3.0
    assert clock.steps == 8
