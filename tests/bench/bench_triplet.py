"""batch_hard_triplet, forward and backward, against torch and a loop: equality first, then ratios of medians.

python tests/bench/bench_triplet.py [--rows 240] [--width 512] [--rounds 15] [--threads 2]
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from forensic import kernels
from forensic.kernels import reference


def per_anchor(z: Tensor, labels: Tensor) -> Tensor:
    """The authors' way: one masked row at a time."""
    norms = (z * z).sum(1)
    distances = (norms[:, None] + norms[None, :] - 2 * z @ z.T).clamp(min=1e-12).sqrt()
    same = labels[:, None] == labels[None, :]
    hinges = [(distances[n][same[n]].max() - distances[n][~same[n]].min() + 0.3).clamp(min=0) for n in range(len(z))]
    return torch.stack(hinges).mean()


def step(function: Callable[[Tensor, Tensor], Tensor], z: Tensor, labels: Tensor) -> Tensor:
    leaf = z.detach().requires_grad_()
    return torch.autograd.grad(function(leaf, labels), leaf)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    z = torch.randn(options.rows, options.width, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(options.rows) % 30
    functions: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "forensic": kernels.batch_hard_triplet,
        "vectorised torch": reference.batch_hard_triplet,
        "loop over anchors": per_anchor,
    }
    exact = step(reference.batch_hard_triplet, z.double(), labels)
    for name, function in functions.items():
        error = (step(function, z, labels).double() - exact).abs().max() / exact.abs().max()
        assert error < 1e-4, (name, error)
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(options.rounds):
        for name, function in functions.items():
            count, start = 0, time.perf_counter()
            while time.perf_counter() - start < 0.05:
                step(function, z, labels)
                count += 1
            times[name].append((time.perf_counter() - start) / count)
    print(kernels.describe()["batch_hard_triplet"])
    for name, rounds in times.items():
        ratios = sorted(b / a for a, b in zip(times["forensic"], rounds, strict=True))
        ratio = statistics.median(rounds) / statistics.median(times["forensic"])
        print(
            f"  {name:<20}{1e3 * statistics.median(rounds):9.3f} ms  {ratio:7.2f}x  ({ratios[0]:.2f}..{ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()
