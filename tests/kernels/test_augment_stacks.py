"""augment with several augmenters on one batch; alignment and a fork."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from forensic import kernels
from forensic.kernels import _augment, reference


def device_of(implementation) -> str:
    return "cuda" if implementation.name == "cuda" else "cpu"


def arguments(a, n, h, w, c, k, dtype=torch.float64, device="cpu") -> tuple[list[Tensor], Tensor]:
    """Images and stacked weights, and a gradient from above."""
    generator = np.random.default_rng(a + n + h + w + c + k)
    shapes = [(n, 3, h, w), (a, c, 3, k, k), (a, c), (a, 3, c, k, k), (a, 3), (a, n, 3, h, w)]
    *inputs, above = (torch.from_numpy(generator.standard_normal(s)).to(dtype).to(device) for s in shapes)
    return inputs, above


def results(function, inputs: list[Tensor], above: Tensor) -> list[Tensor]:
    """Output, and gradients of images, w1, b1, w2, b2."""
    leaves = [one.detach().clone().requires_grad_() for one in inputs]
    output = function(*leaves)
    return [output.detach(), *torch.autograd.grad(output, leaves, above)]


def one_by_one(function, inputs: list[Tensor], above: Tensor) -> list[Tensor]:
    """The same by a call for each augmenter."""
    images, *weights = inputs
    each = [results(function, [images, *(w[a] for w in weights)], above[a]) for a in range(len(above))]
    output, of_images, *of_weights = zip(*each, strict=True)
    total = of_images[0].clone()
    for more in of_images[1:]:
        total += more
    return [torch.stack(output), total, *(torch.stack(one) for one in of_weights)]


SHAPES = [
    (1, 2, 5, 4, 2, 1),
    (3, 1, 1, 1, 2, 3),
    (2, 2, 33, 17, 5, 3),
    (5, 3, 4, 5, 8, 3),
    (2, 1, 70, 9, 3, 7),
    (3, 2, 65, 34, 2, 5),
    (2, 2, 128, 128, 32, 3),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_has_the_bits_of_a_call_of_its_own(compiled, shape, dtype):
    inputs, above = arguments(*shape, dtype=dtype, device=device_of(compiled))
    for got, want in zip(
        results(compiled.augment, inputs, above), one_by_one(compiled.augment, inputs, above), strict=True
    ):
        assert torch.equal(got, want)


@pytest.mark.parametrize("shape", SHAPES[:-1], ids=str)
def test_float64_is_the_twin(compiled, shape):
    inputs, above = arguments(*shape, device=device_of(compiled))
    expected = results(reference.augment, inputs, above)
    for got, want in zip(results(compiled.augment, inputs, above), expected, strict=True):
        assert got.shape == want.shape
        assert (got - want).abs().max() <= 1e-12 * want.abs().max()


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
def test_the_twin_takes_them_in_turn(shape):
    inputs, above = arguments(*shape)
    for got, want in zip(
        results(reference.augment, inputs, above), one_by_one(reference.augment, inputs, above), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-11)


LAYOUTS = {
    "contiguous": lambda x: x,
    "channels last": lambda x: x.movedim(-3, -1).contiguous().movedim(-1, -3),
    "transposed": lambda x: x.transpose(-1, -2).contiguous().transpose(-1, -2),
    "every second": lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
    "first axis last": lambda x: x.movedim(0, -1).contiguous().movedim(-1, 0),
}


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(
        st.integers(0, 3), st.integers(0, 2), st.integers(1, 40), st.integers(1, 40), st.integers(1, 4),
        st.sampled_from([1, 3, 5]),
    ),
    layouts=st.tuples(*[st.sampled_from(sorted(LAYOUTS))] * 3),
)  # fmt: skip
def test_any_shape_and_stride(shape, layouts):
    inputs, above = arguments(*shape)
    expected = results(reference.augment, inputs, above)
    images, w1, *rest = inputs
    strided = [LAYOUTS[layouts[0]](images), LAYOUTS[layouts[1]](w1), *rest]
    leaves = [one.detach().requires_grad_() for one in strided]
    output = kernels.augment(*leaves)
    got = [output, *torch.autograd.grad(output, leaves, LAYOUTS[layouts[2]](above))]
    for one, want in zip(got, expected, strict=True):
        assert one.shape == want.shape
        if want.numel():
            assert (one - want).abs().max() <= 1e-12 * want.abs().max()


def test_no_augmenter_at_all(kernels):
    inputs, above = arguments(0, 2, 5, 6, 3, 3, device=device_of(kernels))
    output, of_images, *of_weights = results(kernels.augment, inputs, above)
    assert output.shape == (0, 2, 3, 5, 6)
    assert of_images.shape == (2, 3, 5, 6)
    assert not of_images.any()
    assert [tuple(one.shape) for one in of_weights] == [tuple(one.shape) for one in inputs[1:]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_bits_do_not_depend_on_threads(isa, with_threads, dtype):
    inputs, above = arguments(3, 2, 70, 50, 4, 3, dtype=dtype)
    seen = set()
    for threads in range(1, 9):
        with_threads(threads)
        found = results(kernels.implementation("cpp").augment, inputs, above)
        seen.add(tuple(one.contiguous().numpy().tobytes() for one in found))
    assert len(seen) == 1, isa


def test_gradcheck(compiled, varies):
    inputs, _ = arguments(2, 2, 4, 3, 2, 3, device=device_of(compiled))
    leaves = [one.requires_grad_() for one in inputs]
    assert torch.autograd.gradcheck(compiled.augment, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(compiled.augment, leaves, fast_mode=True, nondet_tol=varies)


def test_the_operators_are_well_formed():
    inputs, above = arguments(2, 2, 5, 6, 3, 3)
    leaves = [one.requires_grad_() for one in inputs]
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(_augment._augment, leaves, test_utils=checks)
    torch.library.opcheck(_augment._augment_gradients, (above, *leaves, True, True), test_utils=checks)


@pytest.mark.parametrize(
    ("place", "shape", "message"),
    [
        (1, (2, 3, 3, 3, 3, 3), r"w1: expected shape \(C, 3, k, k\)"),
        (1, (2, 2, 3, 2, 2), "w1: .* k odd"),
        (2, (3, 2), r"b1: expected \(2, 2\)"),
        (2, (2,), r"b1: expected \(2, 2\)"),
        (3, (3, 2, 3, 3), r"w2: expected \(2, 3, 2, 3, 3\)"),
        (4, (1, 3), r"b2: expected \(2, 3\)"),
    ],
)
def test_wrong_stacks_are_named(place, shape, message):
    inputs, _ = arguments(2, 1, 4, 4, 2, 3)
    inputs[place] = torch.zeros(shape, dtype=torch.float64)
    with pytest.raises(ValueError, match=message):
        kernels.augment(*inputs)


def test_storage_need_only_be_aligned_to_an_element(compiled):
    """An image that begins anywhere in memory gives the same bits; one between two elements is refused."""
    inputs, above = arguments(2, 2, 20, 19, 3, 3, dtype=torch.float32, device=device_of(compiled))
    plain = results(compiled.augment, inputs, above)
    images, *weights = inputs
    for offset in (1, 3, 7):
        storage = torch.zeros(images.numel() + offset, device=images.device)
        shifted = storage[offset:].view_as(images).copy_(images)
        leaves = [shifted.requires_grad_(), *(w.detach().requires_grad_() for w in weights)]
        output = compiled.augment(*leaves)
        found = [output, *torch.autograd.grad(output, leaves, above)]
        assert all(torch.equal(a, b) for a, b in zip(found, plain, strict=True))
    raw = torch.frombuffer(bytearray(4 * 48 + 1), dtype=torch.float32, count=48, offset=1).view(1, 3, 4, 4)
    if compiled.name == "cpp":
        with pytest.raises(ValueError, match="x: expected data aligned to 4 bytes"):
            compiled.augment(raw, *weights)


def test_a_forked_child_computes_the_same():
    program = """
import os, torch
from forensic import kernels
torch.set_num_threads(3)
generator = torch.Generator().manual_seed(0)
shapes = ((2, 3, 20, 20), (2, 8, 3, 3, 3), (2, 8), (2, 3, 8, 3, 3), (2, 3))
inputs = [torch.randn(shape, generator=generator) for shape in shapes]
here = kernels.augment(*inputs)  # small: OpenMP, which torch uses for more, does not survive a fork
child = os.fork()
if child == 0:
    os._exit(0 if torch.equal(kernels.augment(*inputs), here) else 7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False, timeout=280
    )
    assert done.stdout == "0\n", done.stderr
