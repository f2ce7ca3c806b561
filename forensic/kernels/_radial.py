"""Mean power on rings of equal spatial frequency: contract, operators, gradients.

The gradient is a kernel of its own. Its own derivatives, which no recipe needs but a check does, go through the twin.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.dlpack import to_dlpack  # type: ignore[attr-defined]  # public, but re-exported from C

from forensic.kernels import backend, reference, tensors
from forensic.kernels.checks import require_planes


def radial_spectrum(images: Tensor, *, implementation: str | None = None) -> Tensor:
    """Mean of |F|^2 on rings of equal frequency, F the DFT over the last two axes.

        P[r] = mean of |F(fy, fx)|^2 over the frequencies with floor(sqrt(fx^2 + fy^2)) = r,  r < R = min(H, W) // 2

    The DFT is not normalised, no window is applied, the mean is not removed; frequencies are signed and scaled to
    min(H, W), so that ring r is r cycles along the shorter side. Which ring a frequency is on is decided in integers.

    Args:
        images: (..., H, W), float32 or float64, any strides, CPU or CUDA; any axis may be empty.
        implementation: `reference`, `cpp` or `cuda` instead of the one that fits the device; for tests and benches.

    Returns:
        (..., R), dtype of `images`, unit of `images` squared. A value that is not finite makes all rings of its plane
        not finite and leaves other planes alone. Twice differentiable.

    Raises:
        TypeError: no tensor, or another dtype.
        ValueError: fewer than two axes, another device, a sparse tensor.

    Source: POSE, figure 2 (azimuthal integral; the authors publish no code for it); recorded sums in
    `tests/golden/spectrum.json`, and `numpy.fft.fft2` is the second opinion.
    """
    require_planes(images, "images")
    if backend.choose(images, implementation) == "reference":
        return reference.radial_spectrum(images)
    if tensors.unobserved(images):
        return _means(images)
    spectrum: Tensor = _radial_spectrum(images)
    return spectrum


def _means(images: Tensor) -> Tensor:
    result = _no_rings_yet(images)
    if result.numel() == 0:
        return result
    source, target = tensors.planes_of(images), result.view(-1, result.shape[-1])
    if images.is_cuda:
        backend.launch("radial_spectrum", source, target)
    else:
        backend.native().radial_spectrum(to_dlpack(source), to_dlpack(target), backend.threads())
    return result


@torch.library.custom_op("forensic::radial_spectrum", mutates_args=())
def _radial_spectrum(images: Tensor) -> Tensor:
    return _means(images)


@torch.library.custom_op("forensic::radial_spectrum_gradient", mutates_args=())
def _radial_spectrum_gradient(images: Tensor, gradient: Tensor) -> Tensor:
    result = torch.zeros(images.shape, dtype=images.dtype, device=images.device)
    if gradient.numel() == 0:
        return result
    weights = tensors.plain(gradient).reshape(-1, gradient.shape[-1])
    flat = result.view(-1, *images.shape[-2:])
    if images.is_cuda:
        backend.launch("radial_spectrum_gradient", tensors.planes_of(images), weights.contiguous(), flat)
    else:
        backend.native().radial_spectrum_gradient(tensors.planes_of(images), weights, flat, backend.threads())
    return result


def _no_rings_yet(images: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    shape = (*images.shape[:-2], min(height, width) // 2)
    return torch.empty(shape, dtype=images.dtype, device=images.device)


def _keep_images(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:  # noqa: ANN401, ARG001 - torch calls it so
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401 - torch has no public type for it
    (images,) = ctx.saved_tensors
    result: Tensor = _radial_spectrum_gradient(images, gradient)
    return result


def _keep_both(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:  # noqa: ANN401, ARG001 - torch calls it so
    ctx.save_for_backward(*inputs)


def _double_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch has no public type
    images, weights = (saved.detach().requires_grad_() for saved in ctx.saved_tensors)
    with torch.enable_grad():
        twin = reference.radial_spectrum_gradient(images, weights)
    return torch.autograd.grad(twin, (images, weights), gradient)


_radial_spectrum.register_fake(_no_rings_yet)
_radial_spectrum_gradient.register_fake(
    lambda images, gradient: torch.empty(images.shape, dtype=images.dtype, device=images.device)  # noqa: ARG005 - by name
)
_radial_spectrum.register_autograd(_backward, setup_context=_keep_images)
_radial_spectrum_gradient.register_autograd(_double_backward, setup_context=_keep_both)
