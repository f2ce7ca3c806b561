"""`make bench` refuses what is not equal, and `make bench-check` sees a loss and only a loss."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

BENCH = Path(__file__).resolve().parents[1] / "bench"
RECORDED = BENCH.parents[1] / "docs" / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a file of tests/bench, which are scripts and find each other by their folder."""
    monkeypatch.syspath_prepend(str(BENCH))

    def load(name: str) -> ModuleType:
        return import_module(name)

    yield load
    for name in [name for name, module in sys.modules.items() if str(BENCH) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def _threads_stay():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def small_case(bench, **changes):
    x = torch.arange(12.0).reshape(3, 4)
    facts = {
        "kernel": "double",
        "shape": "3x4",
        "dtype": "float32",
        "threads": 1,
        "ours": lambda: 2 * x,
        "rivals": {"sum": lambda: x + x, "wrong": lambda: x + 1, "other": lambda: x - x},
        "expected": ((2 * x).double(),),
        "bound": 1e-6,
        "bytes_moved": 96,
        "multiply_adds": 12,
        "other_values": frozenset({"other"}),
    }
    return bench("case").Case(**(facts | changes))


def test_a_rival_that_is_not_equal_has_no_row(bench, monkeypatch) -> None:
    run = bench("run")
    monkeypatch.setattr(run.machine, "multiply_adds_a_second", lambda dtype, threads: 1e9)  # noqa: ARG005
    row = run.measure(small_case(bench), rounds=3)
    assert set(row["rivals"]) == {"sum", "other"}
    assert row["rivals"]["other"]["other_values"]
    assert row["not_equal"] == {"wrong": pytest.approx(10 / 22)}
    assert row["rivals"]["sum"]["low"] <= row["rivals"]["sum"]["high"]
    assert row["ms"] > 0
    assert row["share"] > 0


@pytest.mark.parametrize("wrong", [lambda: torch.zeros(3, 4), lambda: torch.full((3, 4), torch.nan), lambda: 0])
def test_our_own_error_ends_the_run(bench, wrong) -> None:
    with pytest.raises(SystemExit, match="double 3x4: ours is off by"):
        bench("run").measure(small_case(bench, ours=wrong), rounds=1)


def rows(ratio: float, low: float, high: float) -> list[dict[str, Any]]:
    rival = {"ms": 1.0, "ratio": ratio, "low": low, "high": high}
    return [{"kernel": "dct2", "shape": "1", "type": "float32", "threads": 2, "rivals": {"ducc0": rival}}]


@pytest.mark.parametrize(
    ("after", "lost"),
    [
        (rows(2.0, 1.9, 2.1), True),
        (rows(2.8, 2.7, 2.85), False),  # less than a tenth
        (rows(2.5, 2.2, 2.95), False),  # the spreads meet
        (rows(4.0, 3.9, 4.1), False),
        ([], False),
    ],
)
def test_a_loss_is_outside_both_spreads_and_over_a_tenth(bench, after, lost) -> None:
    assert bool(bench("recorded").losses(rows(3.0, 2.9, 3.1), after)) == lost


def test_a_loss_must_show_twice(bench, capsys) -> None:
    compare = bench("recorded").compare
    before = {"commit": "abc", "rows": rows(3.0, 2.9, 3.1)}
    slow, good = rows(1.0, 0.9, 1.1), rows(3.0, 2.9, 3.1)
    assert compare(before, good, lambda: pytest.fail("no second run is needed")) == 0
    assert compare(before, slow, lambda: good) == 0
    assert compare(before, slow, lambda: slow) == 1
    assert (
        "LOSS dct2 1 float32, 2 threads, against ducc0: 3.00x (2.90..3.10) recorded, 1.00x" in capsys.readouterr().out
    )


@pytest.mark.parametrize("file", sorted(RECORDED.glob("*.json")), ids=lambda file: file.stem)
def test_recorded_figures_name_their_machine_and_hold_every_kernel(bench, file) -> None:
    recorded = json.loads(file.read_text(encoding="utf-8"))
    assert recorded["machine"]["key"] == file.stem
    assert {"torch", "numpy", "scipy", "ducc0", "compiler"} <= set(recorded["versions"])
    assert not recorded["commit"].endswith("+")
    stems = {"dct": "dct2", "augment": "augment", "triplet": "batch_hard", "norm": "batch_norm", "resize": "resize"}
    stems["radial"] = "radial"
    assert set(stems) == set(bench("run").STEMS)
    for kernel in stems.values():
        assert any(row["kernel"].startswith(kernel) for row in recorded["rows"]), kernel
    assert all(row["error"] <= 2e-2 and row["rivals"] for row in recorded["rows"])


def test_too_few_rows_of_a_case_have_no_rate(bench) -> None:
    case = bench("bench_case")
    moments = [(0, 0.0), *((number, number / 50) for number in range(5, 101, 5))]
    assert case.in_words([case.rate(moments, share) for share in (0.0, 0.9)]) == (
        "50 rows/s in the first tenth, 50 in the last"
    )
    few = [case.rate([(0, 0.0), (100, 2.0)], share) for share in (0.0, 0.9)]
    assert case.in_words(few) == "too few rows for a rate"
