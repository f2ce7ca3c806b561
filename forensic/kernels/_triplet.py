"""Batch-hard triplet loss: contract, operator, gradient.

The operator returns the loss and, where one is wanted, the gradient for an upstream gradient of 1: both come from one
pass over the distances. The gradient of that gradient goes through the twin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from forensic.kernels import backend, reference, tensors
from forensic.kernels.checks import require_rank, require_tensor

if TYPE_CHECKING:
    from torch.autograd.function import FunctionCtx


def batch_hard_triplet(
    embeddings: Tensor,
    labels: Tensor,
    margin: float = 0.3,
    squared: bool = False,  # noqa: FBT001, FBT002 - an option of the formula, named by most callers
    reduction: str = "mean",
    *,
    implementation: str | None = None,
) -> Tensor:
    """Hinge on the farthest embedding of an anchor's class and the nearest of another, over all anchors.

        d(i, j) = sqrt(max(|z_i|² + |z_j|² - 2 z_i·z_j, 1e-12)), d(i, i) = 1e-6
        loss = mean or sum over i of max(0, max_{j of i's class, i too} d(i, j) - min_{j of others} d(i, j) + margin)

    Args:
        embeddings: (N, D), float32 or float64, any strides, CPU or CUDA; not normalised here.
        labels: (N,) int64 on the same device, any values.
        margin: in the unit of d.
        squared: d without the root (POSE, Eq. 5 to the letter, with `reduction="sum"`).
        reduction: `mean` over the N anchors, those with nothing to separate included, or `sum`.
        implementation: `reference`, `cpp` or `cuda` instead of the one that fits the device; for tests and benches.

    Returns:
        Scalar of the embeddings' dtype. 0 for an empty batch and for one without a negative. What the clamp at 1e-12 or
        the diagonal holds passes no gradient; t entries that tie as hardest pass 1/t each; a hinge of exactly 0 passes.
        A NaN among the compared distances makes loss and gradient NaN. Twice differentiable; the same bits at any
        number of threads.

    Raises:
        TypeError: no tensor, another dtype.
        ValueError: shapes that do not fit, another reduction, devices that differ.

    Source: Hermans et al. 2017, batch hard; POSE (CVPR 2023), Eq. 5, and the authors' program for clamp and mean.
    """
    require_rank(require_tensor(embeddings, "embeddings"), "embeddings", "(N, D)")
    require_rank(require_tensor(labels, "labels", (torch.int64,)), "labels", "(N,)")
    if labels.device != embeddings.device:
        raise ValueError(f"labels: expected device {embeddings.device} as embeddings, got {labels.device}")
    if len(labels) != len(embeddings):
        raise ValueError(f"labels: expected one for each of {len(embeddings)} embeddings, got {len(labels)}")
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction: expected 'mean' or 'sum', got {reduction!r}")
    if backend.choose(embeddings, implementation) == "reference":
        return reference.batch_hard_triplet(embeddings, labels, margin, squared, reduction)
    with_gradient = embeddings.requires_grad and torch.is_grad_enabled()
    result: tuple[Tensor, Tensor] = _batch_hard_triplet(
        embeddings, labels, float(margin), bool(squared), reduction, with_gradient
    )
    return result[0]


@torch.library.custom_op("forensic::batch_hard_triplet", mutates_args=())
def _batch_hard_triplet(
    embeddings: Tensor,
    labels: Tensor,
    margin: float,
    squared: bool,  # noqa: FBT001 - an operator's schema
    reduction: str,
    with_gradient: bool,  # noqa: FBT001
) -> tuple[Tensor, Tensor]:
    """The loss, and its gradient (N, D) or an empty tensor (0, D)."""
    source = tensors.plain(embeddings)
    loss = source.new_empty(())
    gradient = source.new_empty(source.shape if with_gradient else (0, source.shape[1]))
    mean, into = reduction == "mean", loss.reshape(1)
    if source.is_cuda:
        backend.launch("batch_hard_triplet", source, labels, margin, squared, mean, into, gradient)
    else:
        backend.native().batch_hard_triplet(source, labels, margin, squared, mean, into, gradient, backend.threads())
    return loss, gradient


@_batch_hard_triplet.register_fake
def _(
    embeddings: Tensor,
    labels: Tensor,  # noqa: ARG001 - the operator's schema
    margin: float,  # noqa: ARG001
    squared: bool,  # noqa: ARG001, FBT001
    reduction: str,  # noqa: ARG001
    with_gradient: bool,  # noqa: FBT001
) -> tuple[Tensor, Tensor]:
    rows = embeddings.shape[0] if with_gradient else 0
    return embeddings.new_empty(()), embeddings.new_empty((rows, embeddings.shape[1]))


def _save(ctx: FunctionCtx, inputs: tuple[object, ...], output: tuple[Tensor, Tensor]) -> None:
    embeddings, labels, margin, squared, reduction, with_gradient = inputs
    if not isinstance(embeddings, Tensor) or not isinstance(labels, Tensor):
        raise TypeError("embeddings, labels: expected tensors")
    ctx.save_for_backward(embeddings, labels, output[1])
    ctx.set_materialize_grads(False)
    ctx.options = (margin, squared, reduction, with_gradient)  # type: ignore[attr-defined]  # ours


def _backward(ctx: FunctionCtx, of_loss: Tensor | None, of_gradient: Tensor | None) -> tuple[Tensor | None, ...]:
    embeddings, labels, unit = ctx.saved_tensors  # type: ignore[attr-defined]  # torch leaves the field out of its stubs
    margin, squared, reduction, with_gradient = ctx.options  # type: ignore[attr-defined]  # set by _save
    total: Tensor | None = None
    if of_loss is not None:
        if not with_gradient:  # recorded by a caller of the operator itself
            unit = reference.batch_hard_triplet_gradient(embeddings, labels, margin, squared, reduction)
        total = of_loss * unit
    if of_gradient is not None and with_gradient:
        with torch.enable_grad():
            again = embeddings.detach().requires_grad_()
            unit_again = reference.batch_hard_triplet_gradient(again, labels, margin, squared, reduction)
            (second,) = torch.autograd.grad(unit_again, again, of_gradient)
        total = second if total is None else total + second
    return total, None, None, None, None, None


_batch_hard_triplet.register_autograd(_backward, setup_context=_save)
