"""L_metric against explicit loops over all pairs, and the labels K + i."""

from __future__ import annotations

import math

import pytest
import torch

from forensic.losses import triplet

K = 3
MARGIN = 0.3


def by_loops(known: list[list[float]], augmented: list[list[float]], labels: list[int]) -> float:
    """Mean over anchors of max(0, farthest positive - nearest negative + margin), one pair after the other."""
    rows = known + augmented
    classes = labels + [K + label for label in labels]
    total = 0.0
    for anchor, own in zip(rows, classes, strict=True):
        distances = [math.dist(anchor, other) for other in rows]
        farthest = max(d for d, c in zip(distances, classes, strict=True) if c == own)
        nearest = min(d for d, c in zip(distances, classes, strict=True) if c != own)
        total += max(0.0, farthest - nearest + MARGIN)
    return total / len(rows)


@pytest.fixture
def embeddings() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    known, augmented = torch.randn(2, 9, 4, generator=generator, dtype=torch.float64)
    return known, augmented, torch.tensor([0, 1, 2] * 3)


def test_equals_the_loops(embeddings: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    known, augmented, labels = embeddings
    value = triplet.metric(known, augmented, labels, K, MARGIN)
    assert value.item() == pytest.approx(by_loops(known.tolist(), augmented.tolist(), labels.tolist()), rel=1e-9)


def test_an_image_and_its_augmented_one_are_told_apart() -> None:
    known = torch.tensor([[0.0, 0.0], [9.0, 0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1])
    apart = triplet.metric(known, known + 4, labels, K, MARGIN)
    same = triplet.metric(known, known.clone(), labels, K, MARGIN)
    assert apart.item() == 0
    assert same.item() == pytest.approx(MARGIN)


def test_gradient_reaches_both_sides(embeddings: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    known, augmented, labels = embeddings
    known, augmented = known.requires_grad_(), augmented.requires_grad_()
    triplet.metric(known, augmented, labels, K, MARGIN).backward()
    step = 1e-6
    for tensor in (known, augmented):
        moved = tensor.detach().clone()
        moved[4, 2] += step
        pair = (moved, augmented) if tensor is known else (known, moved)
        slope = (triplet.metric(*pair, labels, K, MARGIN) - triplet.metric(known, augmented, labels, K, MARGIN)) / step
        assert slope.item() == pytest.approx(tensor.grad[4, 2].item(), abs=1e-5)


@pytest.mark.parametrize("equal", ["of one class", "of two classes"])
def test_equal_embeddings_give_finite_gradients(equal: str) -> None:
    """siamese-triplet 18, PyTorch 37154: the gradient of a distance at 0 ruined training."""
    generator = torch.Generator().manual_seed(6)
    known = torch.randn(6, 4, generator=generator)
    augmented = torch.randn(6, 4, generator=generator)
    known[3 if equal == "of one class" else 1] = known[0]
    known.requires_grad_()
    value = triplet.metric(known, augmented, torch.tensor([0, 1, 2] * 2), K, MARGIN)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(known.grad).all()


def test_all_beyond_the_margin_is_zero_without_nan() -> None:
    known = torch.eye(3) * 100
    augmented = (-100 * torch.eye(3)).requires_grad_()
    value = triplet.metric(known, augmented, torch.arange(3), K, MARGIN)
    value.backward()
    assert value.item() == 0
    assert not augmented.grad.any()
