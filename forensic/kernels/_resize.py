"""The centre square of a picture, resized as Pillow does it. NumPy in, NumPy out without torch; tensors as well."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import numpy as np

from forensic.kernels import backend

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

DTypeName = Literal["uint8", "float32"]


@overload
def resize_square(
    image: NDArray[np.uint8],
    size: int = 128,
    *,
    dtype: DTypeName = "uint8",
    out: NDArray[Any] | Tensor | None = None,
    implementation: str | None = None,
) -> NDArray[Any]: ...
@overload
def resize_square(
    image: Tensor,
    size: int = 128,
    *,
    dtype: DTypeName = "uint8",
    out: NDArray[Any] | Tensor | None = None,
    implementation: str | None = None,
) -> Tensor: ...
def resize_square(
    image: NDArray[np.uint8] | Tensor,
    size: int = 128,
    *,
    dtype: DTypeName = "uint8",
    out: NDArray[Any] | Tensor | None = None,
    implementation: str | None = None,
) -> NDArray[Any] | Tensor:
    """Centre square crop, then Pillow's bicubic of the square, bit for bit.

    The square has side s = min(H, W) and begins at row round((H - s) / 2), column round((W - s) / 2), halves to even.
    Rows are resampled first, then columns, each with antialiasing, weights in units of 2^-22, and rounding to 8 bits.
    A square of side `size` is copied. Pillow itself takes columns first on tall pictures: it gives the same bits when
    the square is cropped before.

    Args:
        image: uint8 (H, W, 3), at least one pixel, any strides, may be read-only; NumPy array, or tensor on the CPU or
            a CUDA device. What is on the CPU goes to the CPU kernel, also under FORENSIC_KERNELS=cuda: workers that
            decode have NumPy alone.
        size: side of the result in pixels; where `out` is given, its side.
        dtype: `uint8`, or `float32` for values scaled to [-1, 1] as (v / 255 - 0.5) / 0.5; where `out` is given, its.
        out: uint8 or float32 (3, size, size) on the device of `image`, any strides, written in place; must not overlap
            `image`.
        implementation: `reference`, `cpp` or `cuda` instead of the one that fits the device; for tests and benches.

    Returns:
        `out`, or a new (3, size, size) of the kind of `image`, channels first.

    Raises:
        TypeError: no array, another dtype, a size that is no integer.
        ValueError: another shape, no pixel, a size under 1, an array that is read-only (`out`), on a device that is
            neither CPU nor CUDA, or not where the other is; an implementation for another device.
        MissingError: `cuda` was asked for and is not built.

    Source: the preprocessing of POSE's program; Pillow, `crop` and `resize(BICUBIC)`, is the second opinion.
    """
    device = _require_image(image)
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)):
        raise TypeError(f"size: expected an integer, got {type(size).__name__}")
    if dtype not in ("uint8", "float32"):
        raise ValueError(f"dtype: expected 'uint8' or 'float32', got {dtype!r}")
    if out is None:
        if size < 1:
            raise ValueError(f"size: expected at least 1, got {size}")
        result = _empty_like(image, int(size), dtype)
    else:
        result = out
        _require_out(out, device)
    chosen = _on_cpu(implementation) if device == "cpu" else backend.choose(cast("Tensor", image), implementation)
    if chosen == "reference":
        _write_twin(image, result)
    elif chosen == "cpp":
        backend.native().resize_square(image, result, backend.threads())
    else:
        backend.launch("resize_square", cast("Tensor", image), cast("Tensor", result))
    return result


def _on_cpu(implementation: str | None) -> str:
    """FORENSIC_KERNELS=cuda concerns tensors on a device."""
    name = implementation or ("reference" if backend.asked() == "reference" else "cpp")
    if name not in ("reference", "cpp", "auto"):
        raise ValueError(f"implementation: expected 'reference' or 'cpp' for an array on cpu, got {name!r}")
    return "cpp" if name == "auto" else name


def _require_image(image: object) -> str:
    """The device of `image`, such as `cpu` or `cuda:0`."""
    kind = _kind(image)
    if kind is None:
        raise TypeError(f"image: expected a NumPy array or a torch.Tensor, got {type(image).__name__}")
    name, shape, device = kind
    if name != "uint8":
        raise TypeError(f"image: expected uint8, got {name}")
    if device.partition(":")[0] not in ("cpu", "cuda"):
        raise ValueError(f"image: expected an array on cpu or cuda, got one on {device}")
    if len(shape) != 3 or shape[2] != 3:
        raise ValueError(f"image: expected shape (H, W, 3), got {shape}")
    if min(shape) < 1:
        raise ValueError(f"image: expected at least one pixel, got shape {shape}")
    return device


def _require_out(out: object, where: str) -> None:
    kind = _kind(out)
    if kind is None:
        raise TypeError(f"out: expected a NumPy array or a torch.Tensor, got {type(out).__name__}")
    name, shape, device = kind
    if name not in ("uint8", "float32"):
        raise TypeError(f"out: expected uint8 or float32, got {name}")
    if device != where:
        raise ValueError(f"out: expected an array on {where} as image, got one on {device}")
    if len(shape) != 3 or shape[0] != 3 or shape[1] != shape[2] or shape[1] < 1:
        raise ValueError(f"out: expected shape (3, size, size), got {shape}")


def _kind(array: object) -> tuple[str, tuple[int, ...], str] | None:
    """Name of the dtype, shape and device; None for what is no array."""
    if isinstance(array, np.ndarray):
        return array.dtype.name, array.shape, "cpu"
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(array, torch.Tensor):
        return str(array.dtype).removeprefix("torch."), tuple(array.shape), str(array.device)
    return None


def _empty_like(image: NDArray[np.uint8] | Tensor, size: int, dtype: DTypeName) -> NDArray[Any] | Tensor:
    if isinstance(image, np.ndarray):
        return np.empty((3, size, size), dtype)
    return image.new_empty((3, size, size), dtype=getattr(sys.modules["torch"], dtype))


def _write_twin(image: NDArray[np.uint8] | Tensor, result: NDArray[Any] | Tensor) -> None:
    from forensic.kernels import reference  # noqa: PLC0415 - the twins import torch, this file does not

    pixels: NDArray[Any] = reference.resize_square(_on_host(image), result.shape[1])
    target = _on_host(result)  # shares memory with a tensor on the CPU
    if target.dtype == np.float32:
        pixels = (pixels.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    target[...] = pixels
    if not isinstance(result, np.ndarray) and result.is_cuda:
        result.copy_(sys.modules["torch"].from_numpy(target))


def _on_host(array: NDArray[Any] | Tensor) -> NDArray[Any]:
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()
