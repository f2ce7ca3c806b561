"""What `auto` becomes, and that a step in bfloat16 is the step in float32 but for rounding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from forensic.train import precision
from forensic.train.config import FORENSIC, REFERENCE
from forensic.train.run_folder import RunConfig
from forensic.train.state import TrainingState
from forensic.train.step import iterate

CPU = torch.device("cpu")


def test_a_named_precision_stays() -> None:
    for name in ("float32", "bfloat16"):
        recipe = replace(FORENSIC, precision=name)
        assert precision.settle(recipe, CPU) is recipe
    assert REFERENCE.precision == "float32"


@pytest.mark.parametrize(("able", "name"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_what_the_processor_multiplies(monkeypatch: pytest.MonkeyPatch, able: bool, name: str) -> None:
    monkeypatch.setattr(precision, "_multiplies_bfloat16", lambda _device: able)
    assert precision.settle(FORENSIC, CPU) == replace(FORENSIC, precision=name)


def test_a_run_records_what_auto_came_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_multiplies_bfloat16", lambda _device: True)
    config = RunConfig(data="somewhere", recipe=FORENSIC)
    settled = precision.settle_run(config)
    assert settled == replace(config, recipe=replace(FORENSIC, precision="bfloat16"))
    assert precision.settle_run(settled) == settled


def test_what_this_processor_multiplies_is_what_it_lists() -> None:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    expected = "bfloat16" if {"avx512_bf16", "amx_bf16"} & set(flags) else "float32"
    assert precision.settle(FORENSIC, CPU).precision == expected


def test_bfloat16_is_float32_but_for_rounding() -> None:
    narrow = replace(FORENSIC, architecture=replace(FORENSIC.architecture, width=8, dropout=0.0))
    x = torch.rand(28, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    y = torch.arange(7).repeat(4)
    terms, slopes = {}, {}
    for name in ("float32", "bfloat16"):
        state = TrainingState(7, replace(narrow, precision=name), 0, CPU)
        loss = torch.nn.functional.cross_entropy(state.model(x)[0], y)
        slopes[name] = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(state.model.trunk.parameters()))])
        terms[name] = iterate(state.begin_epoch(), x, y, replace(narrow, precision=name))
        assert all(p.dtype == torch.float32 for p in state.model.parameters())
        state.model.eval()
        with torch.no_grad():
            assert state.model(x)[0].dtype == torch.float32
    assert not torch.equal(terms["float32"], terms["bfloat16"])
    assert torch.allclose(terms["float32"][:-1], terms["bfloat16"][:-1], rtol=0.05, atol=5e-3)  # the last is accuracy
    assert torch.cosine_similarity(slopes["float32"], slopes["bfloat16"], dim=0) > 0.98
