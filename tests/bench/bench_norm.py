"""batch_norm_leaky, forward and backward, beside torch's batch norm and leaky ReLU."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from case import Case, images
from torch import Tensor, nn

from forensic import kernels

TRUNK = ((28, 32, 64, 64), (28, 64, 32, 32), (28, 128, 16, 16), (28, 256, 8, 8))
"""The trunk of the recipe `forensic` on half a batch."""
SLOPE = 0.2


def cases(threads: int, *, everything: bool) -> Iterator[Case]:
    shapes = (*TRUNK, (1, 32, 64, 64), (500, 32, 64, 64), (8, 32, 256, 256)) if everything else (TRUNK[0], TRUNK[3])
    for shape in shapes:
        yield case(shape, torch.float32, threads)
        yield case(shape, torch.bfloat16, threads)


def case(shape: tuple[int, ...], dtype: torch.dtype, threads: int) -> Case:
    values, above = (one.to(dtype) for one in (images(*shape), images(*shape).flip(0, 2)))
    x, g = (one.contiguous(memory_format=torch.channels_last) for one in (values, above))
    norm = nn.BatchNorm2d(shape[1])

    def ours() -> tuple[Tensor, ...]:
        leaves = (x.requires_grad_(), norm.weight, norm.bias)
        y, _, _ = kernels.batch_norm_leaky(*leaves, norm.eps, SLOPE)
        return y.detach(), *torch.autograd.grad(y, leaves, g)

    def modules(norm: nn.BatchNorm2d, x: Tensor, g: Tensor) -> tuple[Tensor, ...]:
        leaves = (x.requires_grad_(), norm.weight, norm.bias)
        y = nn.functional.leaky_relu(norm(x), SLOPE, inplace=True)
        return y.detach(), *torch.autograd.grad(y, leaves, g)

    return Case(
        kernel="batch_norm_leaky, all gradients",
        shape="x".join(map(str, shape)),
        dtype=str(dtype).removeprefix("torch."),
        threads=threads,
        ours=ours,
        rivals={
            "torch": lambda: modules(norm, values, above),
            "torch, channels-last": lambda: modules(norm, x, g),
        },
        expected=modules(copy.deepcopy(norm).double(), values.detach().double(), above.double()),
        bound=1e-4 if dtype == torch.float32 else 2e-2,
        bytes_moved=5 * x.nbytes,  # x and the gradient above read, y and the gradient written, x read again for it
        multiply_adds=0,
        gradients=True,
    )
