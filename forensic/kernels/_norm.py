"""Batch norm by the statistics of the batch, then leaky ReLU, in one: contract, operators, gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from forensic.kernels import backend, reference
from forensic.kernels.checks import require_rank, require_tensor
from forensic.kernels.tensors import plain

_DTYPES = (torch.float32, torch.float64, torch.bfloat16)


def batch_norm_leaky(
    values: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float = 1e-5,
    slope: float = 0.2,
    *,
    implementation: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch norm by the batch's own statistics, then leaky ReLU.

        v = (x - mean) / sqrt(variance + eps) weight + bias,   y = v where v > 0, else slope v
        mean, variance of each channel over N, H and W, the latter divided by N H W

    Args:
        values: (N, C, H, W), float32, float64 or bfloat16, any strides, CPU or CUDA; copied if not channels-last.
        weight: (C,), float64 where `values` are, else float32.
        bias: likewise.
        eps: added to the variance, above 0.
        slope: of the leaky ReLU, not below 0.
        implementation: `reference`, `cpp` or `cuda` instead of the one that fits the device; for tests and benches.

    Returns:
        y in shape and dtype of `values`, channels-last; mean and variance (C,) in the dtype of `weight`, without a
        gradient: those of y count them as functions of `values`. Computed in float32 (float64 for float64); bfloat16 is
        rounded once, on the way out. A value that is not finite makes its channel not finite. An empty batch has mean
        and variance 0. Differentiable twice.

    Raises:
        TypeError: no tensors, or other dtypes.
        ValueError: other shapes, another device, a sparse tensor, eps or slope out of range.

    Source: Ioffe and Szegedy 2015, Alg. 1, and their section 3 for the gradient.
    """
    require_rank(require_tensor(values, "values", _DTYPES), "values", "(N, C, H, W)")
    inner = torch.float64 if values.dtype == torch.float64 else torch.float32
    for name, constant in (("weight", weight), ("bias", bias)):
        require_rank(require_tensor(constant, name, (inner,)), name, "(C,)")
        if constant.shape[0] != values.shape[1]:
            raise ValueError(f"{name}: expected {values.shape[1]} values, one a channel, got {constant.shape[0]}")
        if constant.device != values.device:
            raise ValueError(f"{name}: expected device {values.device} as values, got {constant.device}")
    if not eps > 0:
        raise ValueError(f"eps: expected a number above 0, got {eps}")
    if not slope >= 0:
        raise ValueError(f"slope: expected a number not below 0, got {slope}")
    if backend.choose(values, implementation) == "reference":
        y, mean, variance = reference.batch_norm_leaky(values, weight, bias, eps, slope)
        return y, mean.detach(), variance.detach()
    y, mean, variance = _BatchNormLeaky.apply(values, weight, bias, eps, slope)  # type: ignore[no-untyped-call]  # torch's
    return y, mean, variance


def _pixels(values: Tensor) -> Tensor:
    """(N, C, H, W), channels-last -> (N H W, C), the same memory."""
    return values.permute(0, 2, 3, 1).reshape(-1, values.shape[1])


def _call(name: backend.CudaFunction, first: Tensor, *others: Tensor | float) -> None:
    """The compiled function `name`, where its arguments are."""
    if first.is_cuda:
        backend.launch(name, first, *others)
    else:
        getattr(backend.native(), name)(first, *others, backend.threads())


def _last(values: Tensor) -> Tensor:
    return plain(values).contiguous(memory_format=torch.channels_last)


class _BatchNormLeaky(torch.autograd.Function):
    """No operator of torch.library, as its siblings are: dispatch would cost what the kernel takes on a small batch."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's context takes attributes that its stub does not know
        values: Tensor,
        weight: Tensor,
        bias: Tensor,
        eps: float,
        slope: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x, w, b = _last(values), weight.detach().contiguous(), bias.detach().contiguous()
        y = torch.empty_like(x)
        mean, variance = torch.zeros_like(w), torch.zeros_like(w)
        _call("batch_norm_leaky", _pixels(x), w, b, eps, slope, _pixels(y), mean, variance)
        ctx.mark_non_differentiable(mean, variance)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(values, mean, variance, weight, bias)
        ctx.numbers = (eps, slope)
        return y, mean, variance

    @staticmethod
    def backward(ctx: Any, *above: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - as in forward
        if above[0] is None:
            return None, None, None, None, None
        gradients: tuple[Tensor, ...] = _Gradient.apply(above[0], *ctx.saved_tensors, *ctx.numbers)  # type: ignore[no-untyped-call]  # torch's
        return *gradients, None, None


class _Gradient(torch.autograd.Function):
    """The gradient of `_BatchNormLeaky`; its own is the twin's, where mean and variance are functions of `values`."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - all that the gradient is a function of
        ctx: Any,  # noqa: ANN401 - as above
        slopes: Tensor,
        values: Tensor,
        mean: Tensor,
        variance: Tensor,
        weight: Tensor,
        bias: Tensor,
        eps: float,
        slope: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        dy, x, w, b = _last(slopes), _last(values), weight.detach().contiguous(), bias.detach().contiguous()
        d_x, d_weight, d_bias = torch.empty_like(x), torch.empty_like(w), torch.empty_like(b)
        arrays = _pixels(dy), _pixels(x), mean, variance, w, b
        _call("batch_norm_leaky_gradient", *arrays, eps, slope, _pixels(d_x), d_weight, d_bias)
        ctx.save_for_backward(slopes, values, weight, bias)
        ctx.numbers = (eps, slope)
        return d_x, d_weight, d_bias

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - as above
        eps, slope = ctx.numbers
        with torch.enable_grad():
            leaves = [leaf.detach().requires_grad_() for leaf in ctx.saved_tensors]
            slopes, values, weight, bias = leaves
            y, _, _ = reference.batch_norm_leaky(values, weight, bias, eps, slope)
            first = torch.autograd.grad(y, (values, weight, bias), slopes, create_graph=True)
            d_slopes, d_values, d_weight, d_bias = torch.autograd.grad(
                first, leaves, above, allow_unused=True, materialize_grads=True
            )
        return d_slopes, d_values, None, None, d_weight, d_bias, None, None
