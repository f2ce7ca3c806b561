"""batch_hard_triplet, forward and backward, beside torch's matrices and masks, a loop, and pytorch_metric_learning."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from case import Case, images
from torch import Tensor

from forensic import kernels
from forensic.kernels import reference

try:  # not among the requirements: a rival where it is installed
    from pytorch_metric_learning import distances, losses, miners, reducers
except ImportError:
    losses = None

MARGIN = 0.3


def cases(threads: int, *, everything: bool) -> Iterator[Case]:
    yield case(240, 512, threads)
    if everything:
        for rows in (56, 96, 200, 500, 1024):
            yield case(rows, 512, threads)


def by_gram(z: Tensor, labels: Tensor) -> Tensor:
    norms = (z * z).sum(dim=1)
    return _of(torch.addmm(norms[:, None] + norms[None, :], z, z.T, alpha=-2).clamp(min=1e-12).sqrt(), labels)


def by_cdist(z: Tensor, labels: Tensor) -> Tensor:
    return _of(torch.cdist(z, z), labels)


def _of(distance: Tensor, labels: Tensor) -> Tensor:
    same = labels[:, None] == labels[None, :]
    farthest = distance.masked_fill(~same, -torch.inf).amax(dim=1)
    nearest = distance.masked_fill(same, torch.inf).amin(dim=1)
    return (farthest - nearest + MARGIN).clamp(min=0).mean()


def per_anchor(z: Tensor, labels: Tensor) -> Tensor:
    """The authors' way: one masked row at a time."""
    norms = (z * z).sum(1)
    distance = (norms[:, None] + norms[None, :] - 2 * z @ z.T).clamp(min=1e-12).sqrt()
    same = labels[:, None] == labels[None, :]
    hinges = [(distance[n][same[n]].max() - distance[n][~same[n]].min() + MARGIN).clamp(min=0) for n in range(len(z))]
    return torch.stack(hinges).mean()


def metric_learning() -> Callable[[Tensor, Tensor], Tensor]:
    distance = distances.LpDistance(normalize_embeddings=False)
    miner = miners.BatchHardMiner(distance=distance)
    loss = losses.TripletMarginLoss(margin=MARGIN, distance=distance, reducer=reducers.MeanReducer())
    return lambda z, labels: loss(z, labels, miner(z, labels))


def case(rows: int, width: int, threads: int) -> Case:
    z, labels = images(rows, width), torch.arange(rows) % max(2, rows // 8)

    def step(function: Callable[[Tensor, Tensor], Tensor], z: Tensor = z) -> tuple[Tensor, Tensor]:
        leaf = z.detach().requires_grad_()
        loss = function(leaf, labels)
        return loss.detach(), torch.autograd.grad(loss, leaf)[0]

    functions = {
        "Gram matrix and masks": by_gram,
        "cdist and masks": by_cdist,
        "loop over anchors": per_anchor,
    }
    if losses is not None:
        functions["pytorch_metric_learning"] = metric_learning()
    return Case(
        kernel="batch_hard_triplet, gradient",
        shape=f"{rows}x{width}",
        dtype="float32",
        threads=threads,
        ours=lambda: step(kernels.batch_hard_triplet),
        rivals={name: lambda f=function: step(f) for name, function in functions.items()},
        expected=step(reference.batch_hard_triplet, z.double()),
        bound=1e-4,
        bytes_moved=2 * z.nbytes,
        multiply_adds=rows * (rows + 1) // 2 * width + 4 * rows * width,  # each pair once; two chosen pairs an anchor
        gradients=True,
    )
