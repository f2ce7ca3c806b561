"""Checks of tensor arguments that the kernels share; messages name the argument, what was expected and what came."""

from __future__ import annotations

import torch
from torch import Tensor

FLOATS = (torch.float32, torch.float64)


def require_tensor(value: object, name: str, dtypes: tuple[torch.dtype, ...] = FLOATS) -> Tensor:
    """`value`, if it is a dense tensor of one of `dtypes` on the CPU or a CUDA device.

    Args:
        value: the argument.
        name: what the caller calls it.
        dtypes: those the kernel is compiled for.

    Raises:
        TypeError: no tensor, or another dtype.
        ValueError: another device or a sparse layout.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a torch.Tensor, got {type(value).__name__}")
    if value.dtype not in dtypes:
        wanted = " or ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
        raise TypeError(f"{name}: expected {wanted}, got {str(value.dtype).removeprefix('torch.')}")
    if not (value.is_cpu or value.is_cuda):
        raise ValueError(f"{name}: expected a tensor on cpu or cuda, got one on {value.device.type}")
    if value.layout != torch.strided:
        raise ValueError(f"{name}: expected a dense tensor, got {value.layout}")
    return value


def require_rank(value: Tensor, name: str, axes: str) -> Tensor:
    """`value`, if its shape has the axes that `axes` lists, such as `(N, 3, H, W)` or `(..., H, W)`.

    Args:
        value: a tensor.
        name: what the caller calls it.
        axes: names of axes; `...` in front allows any number of leading ones.

    Raises:
        ValueError: another number of axes.
    """
    leading = axes.startswith("(...")
    count = axes.count(", ") + 1 - leading
    if value.dim() < count or (value.dim() > count and not leading):
        raise ValueError(f"{name}: expected shape {axes}, got {tuple(value.shape)}")
    return value


def require_like(value: Tensor, name: str, other: Tensor, other_name: str) -> Tensor:
    """`value`, of any shape, if dtype and device are those of `other`.

    Raises:
        TypeError: another dtype.
        ValueError: another device.
    """
    if value.dtype != other.dtype:
        raise TypeError(f"{name}: expected {other.dtype} as {other_name}, got {value.dtype}")
    if value.device != other.device:
        raise ValueError(f"{name}: expected device {other.device} as {other_name}, got {value.device}")
    return value


def require_out(out: object, like: Tensor, name: str) -> Tensor:
    """`out`, if a kernel may write the result for `like`, of any shape, into it: alike in shape, dtype and contiguous.

    Args:
        out: the argument.
        like: what the result is computed from, any strides.
        name: what the caller calls `like`.

    Raises:
        TypeError: no tensor, or another dtype.
        ValueError: another shape or device, not contiguous, memory that overlaps, a gradient that would be recorded.
    """
    target = require_like(require_tensor(out, "out"), "out", like, name)
    if target.shape != like.shape:
        raise ValueError(f"out: expected shape {tuple(like.shape)} as {name}, got {tuple(target.shape)}")
    if not target.is_contiguous():
        raise ValueError("out: expected a contiguous tensor")
    if torch.is_grad_enabled() and (target.requires_grad or like.requires_grad):
        raise ValueError(f"out: expected neither out nor {name} to require a gradient")
    if like.numel() > 0 and target.untyped_storage().data_ptr() == like.untyped_storage().data_ptr():
        first, end = like.storage_offset(), target.storage_offset() + target.numel()
        last = first + sum((extent - 1) * step for extent, step in zip(like.shape, like.stride(), strict=True))
        if first < end and target.storage_offset() <= last:
            raise ValueError(f"out: expected memory apart from that of {name}")
    return target


def require_planes(value: object, name: str) -> Tensor:
    """`value`, if it is a stack of planes (..., H, W), float32 or float64.

    Raises:
        TypeError, ValueError: as `require_tensor`; fewer than two axes.
    """
    return require_rank(require_tensor(value, name), name, "(..., H, W)")
