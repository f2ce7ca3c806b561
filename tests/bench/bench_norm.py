"""batch_norm_leaky against torch's batch norm and leaky ReLU, forward and backward: equality first, then rounds.

python tests/bench/bench_norm.py [--rounds 15] [--threads 2]
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from interleaving import interleaved, show
from torch import Tensor, nn

from forensic import kernels

SHAPES = ((28, 32, 64, 64), (28, 64, 32, 32), (28, 128, 16, 16), (28, 256, 8, 8))
"""The trunk of the recipe `forensic` on half a batch."""


def rivals_of(shape: tuple[int, ...], dtype: torch.dtype) -> dict[str, Callable[[], list[Tensor]]]:
    draws = torch.Generator().manual_seed(0)
    values, above = (
        torch.randn(shape, generator=draws).to(dtype).to(memory_format=torch.channels_last) for _ in range(2)
    )
    norm = nn.BatchNorm2d(shape[1])
    leaves = (values.requires_grad_(), norm.weight, norm.bias)

    def ours() -> list[Tensor]:
        y, _, _ = kernels.batch_norm_leaky(*leaves, norm.eps, 0.2)
        return [y, *torch.autograd.grad(y, leaves, above)]

    def modules() -> list[Tensor]:
        y = nn.functional.leaky_relu(norm(values), 0.2, inplace=True)
        return [y, *torch.autograd.grad(y, leaves, above)]

    return {"forensic": ours, "torch, channels-last": modules}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(kernels.describe()["batch_norm_leaky"])
    for dtype, bound in ((torch.float32, 1e-4), (torch.bfloat16, 2e-2)):
        for shape in SHAPES:
            rivals = rivals_of(shape, dtype)
            for mine, other in zip(*(run() for run in rivals.values()), strict=True):
                apart = (mine.double() - other.double()).norm() / other.double().norm()
                assert apart < bound, (shape, dtype, float(apart))
            show(f"batch_norm_leaky {shape} {dtype}, forward and backward", interleaved(rivals, options.rounds))


if __name__ == "__main__":
    main()
