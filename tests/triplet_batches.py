"""Batches for the tests of batch_hard_triplet, and what float32 may lose on them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from forensic.kernels import reference


def run(implementation, z, labels, **options) -> tuple[Tensor, Tensor]:
    """Loss and gradient, back on the CPU."""
    device = "cuda" if implementation.name == "cuda" else "cpu"
    leaf = torch.as_tensor(z).detach().to(device, copy=True).requires_grad_()
    loss = implementation.batch_hard_triplet(leaf, torch.as_tensor(labels).to(device), **options)
    (gradient,) = torch.autograd.grad(loss, leaf)
    return loss.detach().cpu(), gradient.cpu()


def seeded(n, d, classes, dtype=torch.float64, seed=0):
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.standard_normal((n, d))).to(dtype), torch.arange(n) % classes


def on_grid(n, d, classes, steps, dtype=torch.float64, seed=0):
    """Few distinct coordinates, exact in either type: many ties and duplicates."""
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.integers(-steps, steps + 1, (n, d)) / 4).to(dtype), torch.arange(n) % classes


def float32_bound(z: Tensor) -> float:
    """Of a distance: the expansion loses (D + 3) u of its largest term, 4 max |z|², before the root; here relative to
    the smallest distance of the batch, with the error of the root and the two additions of the hinge.
    """
    unit, wide = 2.0**-24, z.double()
    gaps = torch.cdist(wide, wide) + torch.eye(len(z), dtype=torch.float64) * 1e9
    largest = 4 * (wide**2).sum(dim=1).max()
    return float((z.shape[1] + 3) * unit * largest / (2 * gaps.min()) + 4 * unit * gaps[gaps < 1e8].max())


def involved(z: Tensor, labels: Tensor, bound: float) -> Tensor:
    """Rows (N,) bool that an anchor may or may not choose, and such anchors: two of its distances, both as hard as can
    be, differ by less than rounding explains.
    """
    distances = reference.pairwise_distances(z.double())
    same = labels[:, None] == labels[None, :]
    candidates = torch.zeros_like(same)
    for signed, group in ((distances, same), (-distances, ~same)):
        hardness = signed.masked_fill(~group, -torch.inf)
        near = group & (hardness >= hardness.amax(dim=1, keepdim=True) - 2 * bound)
        candidates |= near & (near.sum(dim=1, keepdim=True) > 1)
    return candidates.any(dim=0) | candidates.any(dim=1)
