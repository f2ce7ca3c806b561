"""Orthonormal DCT-II over planes, its inverse, and its standardised logarithm: contract, operators, gradients.

The matrix of an orthonormal transform is orthogonal, so the gradient of one direction is the other direction, and the
gradient of that the first again: differentiable to any order.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.dlpack import to_dlpack  # type: ignore[attr-defined]  # public, but re-exported from C

from forensic.kernels import backend, reference, tensors
from forensic.kernels.checks import require_like, require_out, require_planes, require_tensor


def dct2(images: Tensor, *, out: Tensor | None = None, implementation: str | None = None) -> Tensor:
    """Orthonormal DCT-II over the last two axes.

        y[k, l] = s_k s_l sum_i sum_j x[i, j] cos(pi (2i+1) k / 2H) cos(pi (2j+1) l / 2W)
        s_0 = sqrt(1/N), s_k = sqrt(2/N) for k > 0

    The authors' layer is un-normalised: another scale of each coefficient, applied in `forensic.models`.

    Args:
        images: (..., H, W), float32 or float64, any strides, CPU or CUDA; any axis may be empty.
        out: shape and dtype of `images`, contiguous, written and returned; not differentiable. New memory for a large
            batch costs time of the order of its transform.
        implementation: `reference`, `cpp` or `cuda` instead of the one that fits the device; for tests and benches.

    Returns:
        Same shape and dtype, contiguous; coefficient (k, l) at [..., k, l], unit of `images`. A value that is not
        finite makes its plane not finite and leaves other planes alone. Differentiable to any order.

    Raises:
        TypeError: no tensor, or another dtype.
        ValueError: fewer than two axes, another device, a sparse tensor; an `out` of another shape, that is not
            contiguous, or overlaps `images`; with `out`, a gradient that would be recorded.

    Source: literature on POSE, input transform; `scipy.fft.dctn(type=2, norm="ortho")` is the second opinion.
    """
    require_planes(images, "images")
    if out is not None:
        return _into(require_out(out, images, "images"), images, inverse=False, implementation=implementation)
    if backend.choose(images, implementation) == "reference":
        return reference.dct2(images)
    if tensors.unobserved(images):
        return _transform(images, inverse=False)
    spectrum: Tensor = _dct2(images)
    return spectrum


def idct2(coefficients: Tensor, *, out: Tensor | None = None, implementation: str | None = None) -> Tensor:
    """Inverse of `dct2`: orthonormal DCT-III over the last two axes.

    Args:
        coefficients: (..., H, W), float32 or float64, any strides, CPU or CUDA; any axis may be empty.
        out: as in `dct2`.
        implementation: as in `dct2`.

    Returns:
        Same shape and dtype, contiguous. Differentiable to any order.

    Raises:
        TypeError, ValueError: as `dct2`.

    Source: as `dct2`; `scipy.fft.idctn(type=2, norm="ortho")` is the second opinion.
    """
    require_planes(coefficients, "coefficients")
    if out is not None:
        return _into(
            require_out(out, coefficients, "coefficients"), coefficients, inverse=True, implementation=implementation
        )
    if backend.choose(coefficients, implementation) == "reference":
        return reference.idct2(coefficients)
    if tensors.unobserved(coefficients):
        return _transform(coefficients, inverse=True)
    images: Tensor = _idct2(coefficients)
    return images


def dct2_log(
    images: Tensor, mean: Tensor, std: Tensor, epsilon: float = 1e-3, *, implementation: str | None = None
) -> Tensor:
    """(log(|dct2(x)| + epsilon) - mean) / std in one pass, `dct2` orthonormal; the logarithm is at most 2 ulp off.

    Args:
        images: (..., H, W), float32 or float64, any strides, CPU or CUDA; any axis may be empty.
        mean: any shape that broadcasts to `images` without enlarging it; same dtype and device.
        std: as `mean`.
        epsilon: at least 0; with 0 a coefficient of 0 becomes -inf.
        implementation: as in `dct2`.

    Returns:
        Shape and dtype of `images`, contiguous. Differentiable to any order with respect to `images` only; a
        coefficient of exactly 0 passes no gradient.

    Raises:
        TypeError: no tensors, or other dtypes.
        ValueError: another device or shape, a sparse tensor, mean or std that need a gradient, a negative epsilon.

    Source: literature on POSE, input transform; the logarithm and its statistics are this program's.
    """
    require_planes(images, "images")
    for name, value in (("mean", mean), ("std", std)):
        require_like(require_tensor(value, name), name, images, "images")
        if value.requires_grad:
            raise ValueError(f"{name}: expected a tensor without gradient")
        pairs = zip(reversed(value.shape), reversed(images.shape), strict=False)
        if value.dim() > images.dim() or any(extent not in (1, whole) for extent, whole in pairs):
            raise ValueError(
                f"{name}: expected a shape that broadcasts to {tuple(images.shape)}, got {tuple(value.shape)}"
            )
    if not epsilon >= 0:
        raise ValueError(f"epsilon: expected at least 0, got {epsilon}")
    if backend.choose(images, implementation) == "reference":
        return reference.dct2_log(images, mean, std, epsilon)
    if tensors.unobserved(images, mean, std):
        return _logarithm(images, mean, std, epsilon, None)
    result: Tensor = _dct2_log(images, mean, std, epsilon)
    return result


def _logarithm(images: Tensor, mean: Tensor, std: Tensor, epsilon: float, gradient: Tensor | None) -> Tensor:
    """The result, or the gradient with respect to `images` where one with respect to the result comes in."""
    result = tensors.result(images.shape, images)
    if images.numel() == 0:
        return result
    axes = max(mean.dim(), std.dim(), 2)
    planes = (-1, *images.shape[-2:])

    def flat(values: Tensor) -> Tensor:
        return tensors.plain(values).expand(images.shape[-axes:]).reshape(planes).contiguous()

    source = tensors.planes_of(images)
    slope = None if gradient is None else tensors.planes_of(gradient).contiguous()
    target = result.view(planes)
    if images.is_cuda:
        backend.launch("dct2_log", source.contiguous(), flat(mean), flat(std), epsilon, slope, target)
    else:
        arrays = map(to_dlpack, (source, flat(mean), flat(std)))
        above = None if slope is None else to_dlpack(slope)
        backend.native().dct2_log(*arrays, epsilon, above, to_dlpack(target), backend.threads())
    return result


def _into(out: Tensor, planes: Tensor, *, inverse: bool, implementation: str | None) -> Tensor:
    compiled = backend.choose(planes, implementation) != "reference"
    if not compiled or out.is_neg() or not tensors.unobserved(planes, out):
        return out.copy_((idct2 if inverse else dct2)(planes, implementation=implementation))
    _transform(planes, inverse=inverse, result=out)
    if not out.is_inference():
        torch.autograd.graph.increment_version(out)
    return out


def _transform(planes: Tensor, *, inverse: bool, result: Tensor | None = None) -> Tensor:
    if result is None:
        result = tensors.result(planes.shape, planes)
    if planes.numel() == 0:
        return result
    source, target = tensors.planes_of(planes), tensors.planes_of(result)
    if planes.is_cuda:
        backend.launch("dct2", source.contiguous(), target, inverse)
    else:
        backend.native().dct2(to_dlpack(source), to_dlpack(target), inverse, backend.threads())
    return result


@torch.library.custom_op("forensic::dct2", mutates_args=())
def _dct2(planes: Tensor) -> Tensor:
    return _transform(planes, inverse=False)


@torch.library.custom_op("forensic::idct2", mutates_args=())
def _idct2(planes: Tensor) -> Tensor:
    return _transform(planes, inverse=True)


def _same_shape(planes: Tensor) -> Tensor:
    return torch.empty(planes.shape, dtype=planes.dtype, device=planes.device)


_dct2.register_fake(_same_shape)
_idct2.register_fake(_same_shape)
_dct2.register_autograd(lambda _ctx, gradient: _idct2(gradient))
_idct2.register_autograd(lambda _ctx, gradient: _dct2(gradient))


@torch.library.custom_op("forensic::dct2_log", mutates_args=())
def _dct2_log(images: Tensor, mean: Tensor, std: Tensor, epsilon: float) -> Tensor:
    return _logarithm(images, mean, std, epsilon, None)


@torch.library.custom_op("forensic::dct2_log_gradient", mutates_args=())
def _dct2_log_gradient(images: Tensor, gradient: Tensor, std: Tensor, epsilon: float) -> Tensor:
    return _logarithm(images, std, std, epsilon, gradient)  # the mean does not count


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, float], output: Tensor) -> None:  # noqa: ANN401, ARG001 - torch calls it so
    images, _, std, ctx.epsilon = inputs
    ctx.save_for_backward(images, std)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch has no public type for it
    images, std = ctx.saved_tensors
    return _dct2_log_gradient(images, gradient, std, ctx.epsilon), None, None, None


def _double_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch has no public type
    saved_images, saved_gradient, std = ctx.saved_tensors
    images, above = saved_images.detach().requires_grad_(), saved_gradient.detach().requires_grad_()
    with torch.enable_grad():
        twin = reference.dct2_log_gradient(images, above, std, ctx.epsilon)
    first, second = torch.autograd.grad(twin, (images, above), gradient)
    return first, second, None, None


def _keep_both(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, float], output: Tensor) -> None:  # noqa: ANN401, ARG001 - torch calls it so
    images, gradient, std, ctx.epsilon = inputs
    ctx.save_for_backward(images, gradient, std)


_dct2_log.register_fake(lambda images, mean, std, epsilon: _same_shape(images))  # noqa: ARG005 - by name
_dct2_log_gradient.register_fake(lambda images, gradient, std, epsilon: _same_shape(images))  # noqa: ARG005 - by name
_dct2_log.register_autograd(_backward, setup_context=_keep)
_dct2_log_gradient.register_autograd(_double_backward, setup_context=_keep_both)
