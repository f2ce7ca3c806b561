"""The loss terms against recorded numbers of the authors' program and against loops in plain Python."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from formulas import u as formula

from forensic.losses import pose


@pytest.fixture(scope="module")
def recorded(golden: Path) -> dict:
    return json.loads((golden / "pieces.json").read_text())["float64"]


def new_and_known(case: str) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = formula(31, 6, 16), formula(32, 6, 16)
    if case == "far":
        return a, b
    factor = torch.full((6, 1), 0.05, dtype=torch.float64)
    if case == "near_mixed":
        factor[4:] = 0.9
    return a + factor * b, a


CASES = ("far", "near_clamped", "near_mixed")


@pytest.mark.parametrize("case", CASES)
def test_golden_cosines(recorded: dict, case: str) -> None:
    torch.testing.assert_close(
        pose.cosine(*new_and_known(case)).tolist(), recorded["cosine"][case]["cosines"], rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("case", CASES)
def test_golden_closeness_clamped_by_batch(recorded: dict, case: str) -> None:
    new, known = new_and_known(case)
    new.requires_grad_()
    value = pose.closeness(new, known, limit=0.95, clamp="batch")
    value.backward()
    expected = recorded["cosine"][case]
    assert 1 - value.item() == pytest.approx(expected["clamped_value"], rel=1e-12)
    assert new.grad.norm().item() == pytest.approx(expected["grad_wrt_new_norm"], rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("case", CASES)
def test_golden_closeness_clamped_by_image(recorded: dict, case: str) -> None:
    value = pose.closeness(*new_and_known(case), limit=0.95)
    assert value.item() == pytest.approx(recorded["cosine"][case]["per_sample_min_mean_paper"], rel=1e-12)


def test_images_close_enough_get_no_gradient() -> None:
    new, known = new_and_known("near_mixed")
    new.requires_grad_()
    pose.closeness(new, known, limit=0.95).backward()
    moved = new.grad.abs().sum(dim=1) > 0
    assert moved.tolist() == [False, False, False, False, True, True]


def test_golden_diversity(recorded: dict) -> None:
    new, old = formula(31, 6, 16).requires_grad_(), formula(32, 6, 16)
    value = pose.diversity(new, old)
    value.backward()
    expected = recorded["cosine"]["distant_preaug"]
    assert value.item() == pytest.approx(expected["value"], rel=1e-12)
    assert new.grad.norm().item() == pytest.approx(expected["grad_norm"], rel=1e-12)


def test_golden_plain_cross_entropy(recorded: dict) -> None:
    logits = (4 * formula(33, 6, 7)).requires_grad_()
    value = pose.classification(logits, torch.arange(6))
    value.backward()
    assert value.item() == pytest.approx(recorded["softmax_ce"]["plain_cross_entropy"], rel=1e-12)
    assert logits.grad.norm().item() == pytest.approx(recorded["softmax_ce"]["plain_grad_norm"], rel=1e-12)


def test_golden_double_softmax_at_a_temperature(recorded: dict) -> None:
    logits = (4 * formula(33, 6, 7)).requires_grad_()
    value = pose.classification(logits, torch.arange(6), temperature=0.1, double_softmax=True)
    value.backward()
    expected = recorded["softmax_ce"]
    assert value.item() == pytest.approx(expected["value"], rel=1e-9)
    assert logits.grad.norm().item() == pytest.approx(expected["grad_norm"], rel=1e-9)
    assert logits.grad[0].tolist() == pytest.approx(expected["grad_row0"], rel=1e-9)
    saturated = torch.zeros(1, 15, dtype=torch.float64)
    saturated[0, 3] = 1e4
    for label, name in ((3, "floor_K15"), (4, "ceiling_K15")):
        value = pose.classification(saturated, torch.tensor([label]), temperature=0.1, double_softmax=True)
        assert value.item() == pytest.approx(expected[name], rel=1e-9)


def test_smoothing_spreads_its_share_over_all_classes() -> None:
    logits = 4 * formula(33, 6, 7)
    expected = []
    for row, label in zip(logits.tolist(), range(6), strict=True):
        log_sum = math.log(sum(math.exp(value) for value in row))
        targets = [0.9 * (k == label) + 0.1 / 7 for k in range(7)]
        expected.append(-sum(t * (value - log_sum) for t, value in zip(targets, row, strict=True)))
    value = pose.classification(logits, torch.arange(6), smoothing=0.1)
    assert value.item() == pytest.approx(sum(expected) / 6, rel=1e-12)


def test_reconstruction_is_the_mean_square() -> None:
    a, b = formula(1, 2, 3, 4, 5), formula(2, 2, 3, 4, 5)
    expected = sum((p - q) ** 2 for p, q in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True)) / 120
    assert pose.reconstruction(a, b).item() == pytest.approx(expected, rel=1e-12)


def test_a_zero_embedding_is_no_error() -> None:
    zero = torch.zeros(2, 4, requires_grad=True)
    value = pose.diversity(zero, torch.ones(2, 4))
    value.backward()
    assert value.item() == 0
    assert torch.isfinite(zero.grad).all()
