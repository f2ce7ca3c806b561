"""augment against torch's convolutions: equality first, then interleaved rounds and ratios of medians.

python tests/bench/bench_augment.py [--batch 64] [--rounds 15] [--threads 2]
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from forensic import kernels


def two_convolutions(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    return conv2d(conv2d(x, w1, b1, padding=1), w2, b2, padding=1)


def channels_last(x: Tensor, *weights: Tensor) -> Tensor:
    return two_convolutions(x.contiguous(memory_format=torch.channels_last), *weights)


def with_gradients(function: Callable[..., Tensor], inputs: list[Tensor], above: Tensor, first: int) -> list[Tensor]:
    leaves = [one.detach().requires_grad_(n >= first) for n, one in enumerate(inputs)]
    return list(torch.autograd.grad(function(*leaves), leaves[first:], above))


def interleaved(rivals: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    for run in rivals.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, run in rivals.items():
            count, start = 0, time.perf_counter()
            while time.perf_counter() - start < 0.05:
                run()
                count += 1
            times[name].append((time.perf_counter() - start) / count)
    return times


def show(title: str, times: dict[str, list[float]]) -> None:
    ours = times["forensic"]
    print(title)
    for name, rounds in times.items():
        ratios = sorted(b / a for a, b in zip(ours, rounds, strict=True))
        ratio = statistics.median(rounds) / statistics.median(ours)
        print(
            f"  {name:<28}{1e3 * statistics.median(rounds):9.3f} ms  {ratio:7.2f}x  ({ratios[0]:.2f}..{ratios[-1]:.2f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    shapes = ((options.batch, 3, 128, 128), (32, 3, 3, 3), (32,), (3, 32, 3, 3), (3,))
    inputs = [torch.randn(shape, generator=generator) for shape in shapes]
    above = torch.randn(shapes[0], generator=generator)
    exact = two_convolutions(*(one.double() for one in inputs))
    error = (kernels.augment(*inputs).double() - exact).abs().max() / exact.abs().max()
    assert error < 1e-5, error
    grads = zip(
        with_gradients(kernels.augment, inputs, above, 0),
        with_gradients(two_convolutions, [one.double() for one in inputs], above.double(), 0),
        strict=True,
    )
    assert all((got.double() - want).abs().max() < 1e-4 * want.abs().max() for got, want in grads)
    print(kernels.describe()["augment"], f"largest relative error {error:.1e}")
    functions = {
        "forensic": kernels.augment,
        "two conv2d": two_convolutions,
        "two conv2d, channels last": channels_last,
    }
    with torch.inference_mode():
        show("forward", interleaved({n: lambda f=f: f(*inputs) for n, f in functions.items()}, options.rounds))
    for title, first in (("forward and weight gradients", 1), ("forward and all gradients", 0)):
        rivals = {n: lambda f=f, first=first: with_gradients(f, inputs, above, first) for n, f in functions.items()}
        show(title, interleaved(rivals, options.rounds))


if __name__ == "__main__":
    main()
