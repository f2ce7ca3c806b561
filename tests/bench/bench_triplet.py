"""batch_hard_triplet, forward and backward, against torch and a loop: equality first, then ratios of medians.

python tests/bench/bench_triplet.py [--rows 240] [--width 512] [--rounds 15] [--threads 2]
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from interleaving import interleaved, show
from torch import Tensor

from forensic import kernels
from forensic.kernels import reference


def of_distances(distances: Tensor, labels: Tensor) -> Tensor:
    same = labels[:, None] == labels[None, :]
    farthest = distances.masked_fill(~same, -torch.inf).amax(dim=1)
    nearest = distances.masked_fill(same, torch.inf).amin(dim=1)
    return (farthest - nearest + 0.3).clamp(min=0).mean()


def by_gram(z: Tensor, labels: Tensor) -> Tensor:
    norms = (z * z).sum(dim=1)
    gaps = torch.addmm(norms[:, None] + norms[None, :], z, z.T, alpha=-2)
    return of_distances(gaps.clamp(min=1e-12).sqrt(), labels)


def by_cdist(z: Tensor, labels: Tensor) -> Tensor:
    return of_distances(torch.cdist(z, z), labels)


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
        "Gram matrix and masks": by_gram,
        "cdist and masks": by_cdist,
        "the twin": reference.batch_hard_triplet,
        "loop over anchors": per_anchor,
    }
    exact = step(reference.batch_hard_triplet, z.double(), labels)
    for name, function in functions.items():
        error = (step(function, z, labels).double() - exact).abs().max() / exact.abs().max()
        assert error < 1e-4, (name, error)
    print(kernels.describe()["batch_hard_triplet"])
    rivals = {name: lambda f=function: step(f, z, labels) for name, function in functions.items()}
    show(f"forward and backward, {tuple(z.shape)} float32", interleaved(rivals, options.rounds))


if __name__ == "__main__":
    main()
