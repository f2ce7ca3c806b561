"""The augmenter in every shape, against the convolutions written out."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from forensic.models.augmenter import Augmenter, AugmenterShape

ACTIVATIONS = ("none", "relu", "leaky-relu", "tanh", "sigmoid")


def filled(shape: AugmenterShape, seed: int = 3) -> Augmenter:
    generator = torch.Generator().manual_seed(seed)
    augmenter = shape.build().double()
    with torch.no_grad():
        for parameter in augmenter.parameters():
            parameter.uniform_(-0.3, 0.3, generator=generator)
    return augmenter


def pictures(height: int = 16, width: int = 12) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * 2 - 1


def activated(values: torch.Tensor, name: str) -> torch.Tensor:
    if name == "relu":
        return values.clamp(min=0)
    if name == "leaky-relu":
        return torch.where(values > 0, values, 0.2 * values)
    if name == "sigmoid":
        return 1 / (1 + torch.exp(-values))
    return values.tanh() if name == "tanh" else values


@pytest.mark.parametrize(("channels", "kernel"), [(32, 3), (4, 5), (3, 1), (2, 7)])
def test_it_is_two_convolutions(channels: int, kernel: int) -> None:
    augmenter, images = filled(AugmenterShape(channels, kernel)), pictures()
    hidden = functional.conv2d(images, augmenter.w1, augmenter.b1, padding=kernel // 2)
    expected = functional.conv2d(hidden, augmenter.w2, augmenter.b2, padding=kernel // 2)
    torch.testing.assert_close(augmenter(images), expected)


def test_size_of_the_papers_augmenter() -> None:
    assert sum(parameter.numel() for parameter in Augmenter().parameters()) == 1763
    assert list(Augmenter().state_dict()) == ["w1", "b1", "w2", "b2"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_other_shapes_are_convolutions_with_the_activation_between(depth: int, activation: str) -> None:
    augmenter, images = filled(AugmenterShape(5, 3, depth, activation)), pictures()
    expected = images
    for place, (weight, bias) in enumerate(augmenter.layers):
        expected = activated(expected, activation) if place else expected
        expected = functional.conv2d(expected, weight, bias, padding=1)
    assert len(augmenter.layers) == depth
    torch.testing.assert_close(augmenter(images), expected)


def test_names_of_the_parameters_of_other_shapes() -> None:
    assert list(AugmenterShape(depth=1).build().state_dict()) == ["convolutions.0.weight", "convolutions.0.bias"]


@given(
    height=st.integers(1, 13),
    width=st.integers(1, 13),
    depth=st.integers(2, 4),
    kernel=st.sampled_from([3, 5, 7]),
    activation=st.sampled_from(ACTIVATIONS),
)
@settings(max_examples=60, deadline=None)
def test_down_and_up_gives_the_size_of_the_input(
    height: int, width: int, depth: int, kernel: int, activation: str
) -> None:
    augmenter, images = filled(AugmenterShape(3, kernel, depth, activation, "down-up")), pictures(height, width)
    augmented = augmenter(images)
    assert augmented.shape == images.shape
    assert augmented.isfinite().all()


@pytest.mark.parametrize("side", [8, 9])
def test_down_and_up_is_a_strided_convolution_and_its_transposition(side: int) -> None:
    augmenter, images = filled(AugmenterShape(4, 3, 2, "none", "down-up")), pictures(side, side)
    (w1, b1), (w2, b2) = augmenter.layers
    half = functional.conv2d(images, w1, b1, stride=2, padding=1)
    assert half.shape[-1] == (side + 1) // 2
    # a transposed convolution is the gradient of the convolution that would come down to `half`
    blank = torch.zeros_like(images).requires_grad_()
    (expected,) = torch.autograd.grad(functional.conv2d(blank, w2, stride=2, padding=1), blank, half)
    torch.testing.assert_close(augmenter(images), expected + b2[:, None, None])


@pytest.mark.parametrize(
    "shape",
    [AugmenterShape(6, 5, 1), AugmenterShape(6, 3, 3), AugmenterShape(6, 3, 2, "tanh"),
     AugmenterShape(6, 3, 3, "relu", "down-up")],
)  # fmt: skip
def test_every_shape_can_learn(shape: AugmenterShape) -> None:
    augmenter = filled(shape)
    images = functional.interpolate(pictures(4, 4), size=(24, 24), mode="bilinear")  # half the size keeps such pictures
    optimizer = torch.optim.Adam(augmenter.parameters(), lr=1e-2)
    errors = []
    for _ in range(40):
        error = functional.mse_loss(augmenter(images), images)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.5 * errors[0]
    assert all(parameter.grad.abs().max() > 0 for parameter in augmenter.parameters())


def test_a_shape_builds_itself_again() -> None:
    shapes = [AugmenterShape(7), AugmenterShape(7, 5, 3, "relu", "down-up"), AugmenterShape(depth=1)]
    for shape, following in pairwise([*shapes, shapes[0]]):
        assert shape.build().shape == shape != following
        assert shape.build().load_state_dict(filled(shape).state_dict())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"kernel": 4}, "kernel"),
        ({"channels": 0}, "channels"),
        ({"depth": 0}, "depth"),
        ({"depth": 5}, "depth"),
        ({"activation": "gelu"}, "activation"),
        ({"resampling": "down-up", "depth": 1}, "resampling"),
        ({"resampling": "down-up", "kernel": 1}, "resampling"),
        ({"resampling": "up-down"}, "resampling"),
    ],
)
def test_what_is_no_augmenter_is_named(arguments: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        AugmenterShape(**arguments)
