"""What torch's tensors are to the compiled kernels: who watches them, what crosses over, where results are written.

A call costs a small image's kernel as much as the kernel itself, so each question here is asked in the cheapest way.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import is_in_torch_dispatch_mode
from torch.utils.dlpack import from_dlpack

from forensic.kernels import backend
from forensic.kernels.checks import FLOATS

if TYPE_CHECKING:
    from collections.abc import Sequence


def unobserved(*tensors: Tensor) -> bool:
    """Whether a kernel may compute on `tensors` at once, without its operator.

    An operator of torch.library costs as much time as a small image's transform, and serves only gradients, compilers
    and tracers.

    Args:
        tensors: the arguments of the kernel, any shapes.
    """
    if torch.compiler.is_compiling() or is_in_torch_dispatch_mode():
        return False
    # there is no public question for these two
    if torch._C._get_tracing_state() is not None or forward_ad._current_level >= 0:  # noqa: SLF001
        return False
    gradients = torch.is_grad_enabled()
    return all(type(tensor) is Tensor and not (gradients and tensor.requires_grad) for tensor in tensors)


def plain(tensor: Tensor) -> Tensor:
    """What crosses into a compiled module: `tensor`, any shape, without gradient and lazy sign; mostly itself."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    return tensor.resolve_neg() if tensor.is_neg() else tensor


def planes_of(tensor: Tensor) -> Tensor:
    """`tensor` (..., H, W) as what crosses over, (P, H, W): its own memory where its strides allow."""
    crossing = plain(tensor)
    if crossing.dim() > 3:
        return crossing.flatten(0, -3)
    return crossing if crossing.dim() == 3 else crossing.unsqueeze(0)


def result(shape: Sequence[int], like: Tensor) -> Tensor:
    """Memory for a kernel to write its result into: contiguous, not initialised.

    On the CPU a large one (4 MiB, float32 or float64) gets the memory of an earlier one that is gone, if there is one
    of its size: up to 256 MiB are kept for that.

    Args:
        shape: of the result, any number of axes.
        like: has its dtype and device.

    Returns:
        Shape, dtype and device as asked.

    Raises:
        MemoryError: a large one does not fit.
        MissingError: `forensic._C` is not built.
    """
    size = like.element_size()
    large = like.is_cpu and like.dtype in FLOATS and math.prod(shape) * size >= backend.native().LARGE_OUTPUT
    if large and unobserved():
        made: Tensor = from_dlpack(backend.native().kept_array(tuple(shape), 8 * size))
        return made
    if shape == like.shape:  # the quicker of two ways to ask torch
        return torch.empty_like(like, memory_format=torch.contiguous_format)
    return like.new_empty(shape)
