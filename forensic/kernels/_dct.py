"""Orthonormal DCT-II over planes, and its inverse: contract, operators, gradients.

The matrix of an orthonormal transform is orthogonal, so the gradient of one direction is the other direction, and the
gradient of that the first again: differentiable to any order.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.dlpack import to_dlpack  # type: ignore[attr-defined]  # public, but re-exported from C

from forensic.kernels import backend, reference
from forensic.kernels.checks import require_planes


def dct2(images: Tensor, *, implementation: str | None = None) -> Tensor:
    """Orthonormal DCT-II over the last two axes.

        y[k, l] = s_k s_l sum_i sum_j x[i, j] cos(pi (2i+1) k / 2H) cos(pi (2j+1) l / 2W)
        s_0 = sqrt(1/N), s_k = sqrt(2/N) for k > 0

    The authors' layer is un-normalised: another scale of each coefficient, applied in `forensic.models`.

    Args:
        images: (..., H, W), float32 or float64, any strides, CPU or CUDA; any axis may be empty.
        implementation: `reference`, `cpp` or `cuda` instead of the one that fits the device; for tests and benches.

    Returns:
        Same shape and dtype, contiguous; coefficient (k, l) at [..., k, l], unit of `images`. A value that is not
        finite makes its plane not finite and leaves other planes alone. Differentiable to any order.

    Raises:
        TypeError: no tensor, or another dtype.
        ValueError: fewer than two axes, another device, a sparse tensor.

    Source: literature on POSE, input transform; `scipy.fft.dctn(type=2, norm="ortho")` is the second opinion.
    """
    require_planes(images, "images")
    if backend.choose(images, implementation) == "reference":
        return reference.dct2(images)
    if backend.unobserved(images):
        return _transform(images, inverse=False)
    spectrum: Tensor = _dct2(images)
    return spectrum


def idct2(coefficients: Tensor, *, implementation: str | None = None) -> Tensor:
    """Inverse of `dct2`: orthonormal DCT-III over the last two axes.

    Args:
        coefficients: (..., H, W), float32 or float64, any strides, CPU or CUDA; any axis may be empty.
        implementation: as in `dct2`.

    Returns:
        Same shape and dtype, contiguous. Differentiable to any order.

    Raises:
        TypeError, ValueError: as `dct2`.

    Source: as `dct2`; `scipy.fft.idctn(type=2, norm="ortho")` is the second opinion.
    """
    require_planes(coefficients, "coefficients")
    if backend.choose(coefficients, implementation) == "reference":
        return reference.idct2(coefficients)
    if backend.unobserved(coefficients):
        return _transform(coefficients, inverse=True)
    images: Tensor = _idct2(coefficients)
    return images


def _transform(planes: Tensor, *, inverse: bool) -> Tensor:
    result = torch.empty(planes.shape, dtype=planes.dtype, device=planes.device)
    if planes.numel() == 0:
        return result
    shape = (-1, *planes.shape[-2:])
    source = planes.detach().resolve_neg().reshape(shape)
    if planes.is_cuda:
        stream = torch.cuda.current_stream(planes.device).cuda_stream
        backend.native_cuda().dct2(source, result.view(shape), inverse, stream)
    else:
        backend.native().dct2(to_dlpack(source), to_dlpack(result.view(shape)), inverse, backend.threads())
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
