"""The augmenter's two convolutions as one linear map: contract, operators, gradients.

The compiled kernels fold the weights into one small kernel for each border class (csrc/augment.h). The gradient with
respect to the images is again such a map; those of the weights are correlations of the images with the gradient from
above, contracted with the other weights. The gradient of these gradients goes through the twin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from forensic.kernels import backend, reference, tensors
from forensic.kernels.checks import require_like, require_rank, require_tensor
from forensic.kernels.tensors import plain

if TYPE_CHECKING:
    from torch.autograd.function import FunctionCtx

_Grads = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def augment(
    images: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, *, implementation: str | None = None
) -> Tensor:
    """Two convolutions with zero padding, stride 1, and no activation between them.

        hidden = conv2d(images, w1, b1, padding=k // 2);  result = conv2d(hidden, w2, b2, padding=k // 2)

    Several augmenters serve one batch in one call where their weights are stacked along a leading axis of length A.

    Args:
        images: (N, 3, H, W), float32 or float64, any strides, CPU or CUDA; N, H, W may be 0.
        w1: (C, 3, k, k) or (A, C, 3, k, k), C at least 1, k odd; A may be 0.
        b1: (C,) or (A, C).
        w2: (3, C, k, k) or (A, 3, C, k, k).
        b2: (3,) or (A, 3). All weights have dtype and device of `images`.
        implementation: `reference`, `cpp` or `cuda` instead of the one that fits the device; for tests and benches.

    Returns:
        (N, 3, H, W) or (A, N, 3, H, W), contiguous, unit of `images`; each of A augmenters has the bits of a call of
        its own, and the gradient of `images` is the sum of theirs in their order. A value of `images` that is not
        finite makes what lies within k - 1 pixels of it not finite, and nothing else of the result. Twice
        differentiable in all five arguments; the same bits at any number of threads.

    Raises:
        TypeError: no tensor, another dtype, dtypes that differ.
        ValueError: shapes that do not fit, even k, devices that differ.

    Source: POSE (CVPR 2023), section 3.2 and supplement; two `torch.nn.functional.conv2d` are the twin.
    """
    _check(images, w1, b1, w2, b2)
    if backend.choose(images, implementation) == "reference":
        return reference.augment(images, w1, b1, w2, b2)
    if tensors.unobserved(images, w1, b1, w2, b2):
        return _run_forward(images, w1, b1, w2, b2)
    result: Tensor = _augment(images, w1, b1, w2, b2)
    return result


def _check(images: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> None:
    require_rank(require_tensor(images, "images"), "images", "(N, 3, H, W)")
    if images.shape[1] != 3:
        raise ValueError(f"images: expected 3 channels, got shape {tuple(images.shape)}")
    for name, weight in (("w1", w1), ("b1", b1), ("w2", w2), ("b2", b2)):
        require_like(require_tensor(weight, name), name, images, "images")
    stacked = w1.dim() == 5
    require_rank(w1, "w1", "(A, C, 3, k, k)" if stacked else "(C, 3, k, k)")
    lead = tuple(w1.shape[:1]) if stacked else ()
    channels, kernel = w1.shape[-4], w1.shape[-1]
    if channels < 1 or kernel % 2 == 0 or tuple(w1.shape) != (*lead, channels, 3, kernel, kernel):
        raise ValueError(f"w1: expected (C, 3, k, k), C at least 1 and k odd, got {tuple(w1.shape)}")
    for name, weight, shape in (
        ("b1", b1, (*lead, channels)),
        ("w2", w2, (*lead, 3, channels, kernel, kernel)),
        ("b2", b2, (*lead, 3)),
    ):
        if tuple(weight.shape) != shape:
            raise ValueError(f"{name}: expected {shape} beside w1 of {tuple(w1.shape)}, got {tuple(weight.shape)}")


def _weights(w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (plain(w1).contiguous(), plain(b1).contiguous(), plain(w2).contiguous(), plain(b2).contiguous())


def _empty(like: Tensor) -> Tensor:
    return torch.empty(like.shape, dtype=like.dtype, device=like.device)


def _augmented(images: Tensor, w1: Tensor) -> Tensor:
    """An empty result of augmenters `w1` on `images`."""
    return tensors.result((*w1.shape[:-4], *images.shape), images)


def _run_forward(images: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    result = _augmented(images, w1)
    if result.numel() == 0:
        return result
    if images.is_cuda:
        for one, weights in _each(result, (w1, b1, w2, b2)):
            backend.launch("augment", plain(images), *_weights(*weights), one)
    else:
        backend.native().augment(plain(images), *_weights(w1, b1, w2, b2), result, backend.threads())
    return result


_Weights = tuple[Tensor, Tensor, Tensor, Tensor]


def _each(stacked: Tensor, weights: _Weights) -> list[tuple[Tensor, _Weights]]:
    """The parts of `stacked` and of the weights that belong to one augmenter, for kernels that serve one at a time."""
    if weights[0].dim() == 4:
        return [(stacked, weights)]
    return [(stacked[n], (weights[0][n], weights[1][n], weights[2][n], weights[3][n])) for n in range(len(stacked))]


def _run_input_gradient(gradient: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    result = tensors.result(gradient.shape[w1.dim() - 4 :], gradient)
    if gradient.numel() == 0:
        return result.zero_()
    if gradient.is_cuda:
        total: Tensor | None = None
        for one, weights in _each(gradient, (w1, b1, w2, b2)):
            part = torch.empty_like(result)
            backend.launch("augment_input_gradient", plain(one), *_weights(*weights), part)
            total = part if total is None else total.add_(part)
        return result.zero_() if total is None else total
    backend.native().augment_input_gradient(plain(gradient), *_weights(w1, b1, w2, b2), result, backend.threads())
    return result


def _run_weight_gradients(images: Tensor, gradient: Tensor, weights: _Weights) -> list[Tensor]:
    results = [_empty(weight) for weight in weights]
    if gradient.numel() == 0:
        return [result.zero_() for result in results]
    if images.is_cuda:
        for n, (above, own) in enumerate(_each(gradient, weights)):
            to = results if weights[0].dim() == 4 else [result[n] for result in results]
            backend.launch("augment_weight_gradients", plain(images), plain(above), *_weights(*own), *to)
    else:
        backend.native().augment_weight_gradients(
            plain(images), plain(gradient), *_weights(*weights), *results, backend.threads()
        )
    return results


@torch.library.custom_op("forensic::augment", mutates_args=())
def _augment(images: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    return _run_forward(images, w1, b1, w2, b2)


@torch.library.custom_op("forensic::augment_gradients", mutates_args=())
def _augment_gradients(
    gradient: Tensor,
    images: Tensor,
    w1: Tensor,
    b1: Tensor,
    w2: Tensor,
    b2: Tensor,
    of_images: bool,  # noqa: FBT001 - an operator's schema has no keywords of its own
    of_weights: bool,  # noqa: FBT001
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients with respect to images, w1, b1, w2, b2; empty tensors where they were not asked for."""
    weights = (w1, b1, w2, b2)
    to_images = _run_input_gradient(gradient, *weights) if of_images else gradient.new_empty(0)
    to_weights = _run_weight_gradients(images, gradient, weights) if of_weights else [w1.new_empty(0) for _ in weights]
    return to_images, to_weights[0], to_weights[1], to_weights[2], to_weights[3]


@_augment.register_fake
def _(images: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:  # noqa: ARG001 - the operator's schema
    return _augmented(images, w1)


@_augment_gradients.register_fake
def _(
    gradient: Tensor,
    images: Tensor,
    w1: Tensor,
    b1: Tensor,
    w2: Tensor,
    b2: Tensor,
    of_images: bool,  # noqa: FBT001 - the operator's schema
    of_weights: bool,  # noqa: FBT001
) -> _Grads:
    to_images = _empty(images) if of_images else gradient.new_empty(0)
    a, b, c, d = (_empty(weight) if of_weights else weight.new_empty(0) for weight in (w1, b1, w2, b2))
    return to_images, a, b, c, d


def _save(ctx: FunctionCtx, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001 - called with these names
    ctx.save_for_backward(*inputs)


def _backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
    images, w1, b1, w2, b2 = ctx.saved_tensors  # type: ignore[attr-defined]  # torch leaves the field out of its stubs
    wanted: tuple[bool, ...] = ctx.needs_input_grad  # type: ignore[attr-defined]  # likewise
    grads = _augment_gradients(gradient, images, w1, b1, w2, b2, wanted[0], any(wanted[1:]))
    return tuple(one if want else None for one, want in zip(grads, wanted, strict=True))


def _save_all(ctx: FunctionCtx, inputs: tuple[object, ...], output: _Grads) -> None:  # noqa: ARG001 - called with these names
    *tensors, of_images, of_weights = inputs
    ctx.save_for_backward(*(one for one in tensors if isinstance(one, Tensor)))
    ctx.asked = (of_images, of_weights, of_weights, of_weights, of_weights)  # type: ignore[attr-defined]  # ours


def _double_backward(ctx: FunctionCtx, *above: Tensor) -> tuple[Tensor | None, ...]:
    """Through the twin: the gradients as differentiable torch, then torch's own derivative of them."""
    exact = {"deterministic": torch.are_deterministic_algorithms_enabled(), "allow_tf32": False}
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=True, **exact):
        inputs = tuple(one.detach().requires_grad_() for one in ctx.saved_tensors)  # type: ignore[attr-defined]  # as above
        grads = reference.augment_gradients(*inputs)
        pairs = [(one, up) for one, up, asked in zip(grads, above, ctx.asked, strict=True) if asked]  # type: ignore[attr-defined]  # as above
        seconds = torch.autograd.grad(
            [one for one, _ in pairs],
            inputs,
            [up for _, up in pairs],
            allow_unused=True,
            create_graph=torch.is_grad_enabled(),
        )
    return (*seconds, None, None)


_augment.register_autograd(_backward, setup_context=_save)
_augment_gradients.register_autograd(_double_backward, setup_context=_save_all)
