"""augment beside torch's convolutions: two of them, and the one that they fold to, border mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from case import Case, images
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

from forensic import kernels

HIDDEN = 32
LAST = {"memory_format": torch.channels_last}
WORK = ("forward", "weight gradients", "all gradients")


def cases(threads: int, *, everything: bool) -> Iterator[Case]:
    for work in WORK:
        yield case((64, 3, 128, 128), work, threads)
    if everything:
        for work in WORK:
            yield case((1, 3, 128, 128), work, threads)
            yield case((500, 3, 128, 128), work, threads)
            for size in (96, 200, 256, 512):
                yield case((8, 3, size, size), work, threads)


def two_convolutions(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    return conv2d(conv2d(x, w1, b1, padding=1), w2, b2, padding=1)


def one_convolution(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    """What two fold to away from the border; the four border lines, which it gets wrong, are made with two."""
    kernel = conv_transpose2d(w2, w1).contiguous(memory_format=_format_of(x))  # (3, 3, 5, 5)
    bias = b2 + w2.sum(dim=(2, 3)) @ b1
    y = conv2d(x, kernel, bias, padding=2)
    weights = (w1, b1, w2, b2)
    y[:, :, 0] = two_convolutions(x[:, :, :3], *weights)[:, :, 0]
    y[:, :, -1] = two_convolutions(x[:, :, -3:], *weights)[:, :, -1]
    y[:, :, :, 0] = two_convolutions(x[:, :, :, :3], *weights)[:, :, :, 0]
    y[:, :, :, -1] = two_convolutions(x[:, :, :, -3:], *weights)[:, :, :, -1]
    return y


def _format_of(x: Tensor) -> torch.memory_format:
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def exact(work: str, inputs: list[Tensor], above: Tensor, first: int) -> tuple[Tensor, ...]:
    """In float64, a few images at a time: of 500 the hidden channels alone are 4 GB."""
    parts = []
    for x, g in zip(inputs[0].double().split(16), above.double().split(16), strict=True):
        leaves = [x, *(one.double() for one in inputs[1:])]
        if work == "forward":
            parts.append((two_convolutions(*leaves),))
            continue
        leaves = [one.requires_grad_(n >= first) for n, one in enumerate(leaves)]
        parts.append(torch.autograd.grad(two_convolutions(*leaves), leaves[first:], g))
    # what there is of each image is lined up, gradients of weights are added up
    by_part = enumerate(zip(*parts, strict=True))
    return tuple(torch.cat(one) if n == 0 and first != 1 else torch.stack(one).sum(dim=0) for n, one in by_part)


def case(shape: tuple[int, ...], work: str, threads: int) -> Case:
    x, above = images(*shape), images(*shape).flip(0, 2)
    weights = [images(*one) for one in ((HIDDEN, 3, 3, 3), (HIDDEN,), (3, HIDDEN, 3, 3), (3,))]
    plain = [x, *weights]
    last = [one.contiguous(**LAST) if one.ndim == 4 else one for one in plain]
    first = {"forward": len(plain), "weight gradients": 1, "all gradients": 0}[work]

    def run(function: Callable[..., Tensor], inputs: list[Tensor], g: Tensor) -> Tensor | tuple[Tensor, ...]:
        if work == "forward":
            return function(*inputs)
        leaves = [one.detach().requires_grad_(n >= first) for n, one in enumerate(inputs)]
        return torch.autograd.grad(function(*leaves), leaves[first:], g)

    above_last = above.contiguous(**LAST)
    rivals = {
        "two conv2d": lambda: run(two_convolutions, plain, above),
        "two conv2d, channels-last": lambda: run(two_convolutions, last, above_last),
        "one folded conv2d": lambda: run(one_convolution, plain, above),
        "one folded conv2d, channels-last": lambda: run(one_convolution, last, above_last),
    }
    pixels = x.numel() // 3
    passes = 1 + (work != "forward") + (work == "all gradients")
    return Case(
        kernel="augment" if work == "forward" else f"augment, {work}",
        shape="x".join(map(str, shape)),
        dtype="float32",
        threads=threads,
        ours=lambda: run(kernels.augment, plain, above),
        rivals=rivals,
        expected=exact(work, plain, above, first),
        bound=1e-5 if work == "forward" else 1e-4,
        bytes_moved=(2 * x.nbytes) + (2 * x.nbytes if first <= 1 else 0) + (2 * x.nbytes if first == 0 else 0),
        multiply_adds=225 * pixels * passes,
        gradients=work != "forward",
    )
