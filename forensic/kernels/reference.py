"""The twins: each kernel again, slow and obviously right. They define what the compiled kernels must compute.

Nothing here checks arguments: `forensic.kernels` does, before it calls either side. Gradients are autograd's.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

# ---- dct2, idct2 -----------------------------------------------------------------------------------------------------


def dct_matrix(length: int) -> Tensor:
    """The orthonormal DCT-II as a matrix (length, length), float64: row k is frequency k."""
    k = torch.arange(length, dtype=torch.float64)[:, None]
    i = torch.arange(length, dtype=torch.float64)[None, :]
    matrix = torch.cos(math.pi * (2 * i + 1) * k / (2 * length)) * math.sqrt(2 / max(length, 1))
    matrix[:1] = math.sqrt(1 / max(length, 1))
    return matrix


def dct2(images: Tensor) -> Tensor:
    """As `forensic.kernels.dct2`: a matrix product from either side."""
    height, width = images.shape[-2:]
    down, across = dct_matrix(height).to(images), dct_matrix(width).to(images)
    return down @ images @ across.T


def idct2(coefficients: Tensor) -> Tensor:
    """As `forensic.kernels.idct2`: an orthogonal matrix is inverted by its transpose."""
    height, width = coefficients.shape[-2:]
    down, across = dct_matrix(height).to(coefficients), dct_matrix(width).to(coefficients)
    return down.T @ coefficients @ across


# ---- batch_norm_leaky ------------------------------------------------------------------------------------------------


def batch_norm_leaky(
    values: Tensor, weight: Tensor, bias: Tensor, eps: float, slope: float
) -> tuple[Tensor, Tensor, Tensor]:
    """As `forensic.kernels.batch_norm_leaky`; mean and variance with their graph."""
    x = values.to(weight.dtype)
    if values.numel() == 0:
        mean = variance = torch.zeros_like(weight)
    else:
        mean = x.mean(dim=(0, 2, 3))
        variance = (x - mean[:, None, None]).square().mean(dim=(0, 2, 3))
    normal = (x - mean[:, None, None]) / (variance + eps).sqrt()[:, None, None]
    v = normal * weight[:, None, None] + bias[:, None, None]
    return torch.where(v > 0, v, slope * v).to(values.dtype), mean, variance


def dct2_log(images: Tensor, mean: Tensor, std: Tensor, epsilon: float) -> Tensor:
    """As `forensic.kernels.dct2_log`: one step after the other."""
    return (torch.log(dct2(images).abs() + epsilon) - mean) / std


def dct2_log_gradient(images: Tensor, gradient: Tensor, std: Tensor, epsilon: float) -> Tensor:
    """Gradient of sum(gradient * dct2_log(images)) with respect to `images`, differentiable in both.

    Args:
        images: (..., H, W).
        gradient: (..., H, W).
        std: as in `dct2_log`.
        epsilon: as in `dct2_log`.
    """
    coefficients = dct2(images)
    return idct2(gradient * coefficients.sign() / ((coefficients.abs() + epsilon) * std))


# ---- radial_spectrum -------------------------------------------------------------------------------------------------


def ring_of(height: int, width: int) -> Tensor:
    """Ring of each frequency of an unshifted DFT: (H, W) int64, floor(sqrt(fx^2 + fy^2)).

    Frequencies are signed and scaled to the shorter side. In integers: with short side m and long side M,
    floor(sqrt(k^2 + l^2 m^2 / M^2)) is the integer root of floor((k^2 M^2 + l^2 m^2) / M^2).
    """
    short, long = min(height, width), max(height, width)

    def scaled(length: int) -> list[int]:
        """Squares of the frequencies times long^2."""
        factor = long if length == short else short
        return [(min(k, length - k) * factor) ** 2 for k in range(length)]

    rows = scaled(height)
    columns = scaled(width)
    return torch.tensor([[math.isqrt((row + column) // long**2) for column in columns] for row in rows]).reshape(
        height, width
    )


def radial_spectrum(images: Tensor) -> Tensor:
    """As `forensic.kernels.radial_spectrum`: a DFT, |F|^2, and the mean over each ring."""
    height, width = images.shape[-2:]
    rings = min(height, width) // 2
    if images.numel() == 0:  # torch.fft refuses empty stacks
        return images.sum() * images.new_zeros((*images.shape[:-2], rings))
    ring = ring_of(height, width).flatten().clamp(max=rings).to(images.device)
    counts = torch.bincount(ring, minlength=rings + 1)[:rings].to(images.dtype)
    transform = torch.fft.fft2(images)
    power = (transform.real**2 + transform.imag**2).flatten(-2)
    sums = power.new_zeros((*images.shape[:-2], rings + 1)).index_add(-1, ring, power)
    means: Tensor = sums[..., :rings] / counts
    return means


def radial_spectrum_gradient(images: Tensor, gradient: Tensor) -> Tensor:
    """Gradient of sum(gradient * radial_spectrum(images)) with respect to `images`, differentiable in both.

    d|F|^2 / dx = 2 Re(F exp(+2 pi i ...)), summed over frequencies: an inverse DFT without its 1/HW.

    Args:
        images: (..., H, W).
        gradient: (..., R).
    """
    height, width = images.shape[-2:]
    rings = min(height, width) // 2
    ring = ring_of(height, width).flatten().clamp(max=rings).to(images.device)
    counts = torch.bincount(ring, minlength=rings + 1)[:rings].to(images.dtype)
    weight = torch.cat([gradient / counts, gradient.new_zeros((*gradient.shape[:-1], 1))], dim=-1)
    weight = weight.index_select(-1, ring).reshape(*gradient.shape[:-1], height, width)
    back: Tensor = torch.fft.ifft2(torch.fft.fft2(images) * weight).real
    return 2 * height * width * back


# ---- resize_square ---------------------------------------------------------------------------------------------------


def bicubic(t: float) -> float:
    """Keys' kernel with a = -1/2, as Pillow writes it down."""
    a = -0.5
    t = abs(t)
    if t < 1:
        return ((a + 2) * t - (a + 3)) * t * t + 1
    if t < 2:
        return (((t - 5) * t + 8) * t - 4) * a
    return 0.0


def resampling_weights(length: int, size: int) -> list[tuple[int, list[int]]]:
    """For each of `size` outputs from `length` inputs: the first input, and integer weights in units of 2^-22."""
    scale = length / size
    stretch = max(scale, 1.0)
    outputs = []
    for i in range(size):
        centre = (i + 0.5) * scale
        first = max(0, int(centre - 2.0 * stretch + 0.5))
        last = min(length, int(centre + 2.0 * stretch + 0.5))
        weights = [bicubic((j - centre + 0.5) * (1.0 / stretch)) for j in range(first, last)]
        total = 0.0
        for weight in weights:
            total += weight
        scaled = [weight / (total or 1.0) * (1 << 22) for weight in weights]
        outputs.append((first, [int(w + 0.5) if w >= 0 else int(w - 0.5) for w in scaled]))
    return outputs


def resample_rows(planes: np.ndarray, size: int) -> np.ndarray:
    """(R, L) uint8 to (R, size) uint8: weights times values, rounded half up, clipped."""
    result = np.empty((len(planes), size), np.uint8)
    for i, (first, weights) in enumerate(resampling_weights(planes.shape[1], size)):
        window = planes[:, first : first + len(weights)].astype(np.int64)
        result[:, i] = np.clip((window @ np.array(weights, np.int64) + (1 << 21)) >> 22, 0, 255)
    return result


def resize_square(image: np.ndarray, size: int) -> np.ndarray:
    """As `forensic.kernels.resize_square`: uint8 (H, W, 3) to uint8 (3, size, size), along rows first, then columns."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = round((height - side) / 2), round((width - side) / 2)
    square = image[top : top + side, left : left + side]
    if side == size:
        return np.ascontiguousarray(square.transpose(2, 0, 1))
    planes = []
    for channel in range(3):
        across = resample_rows(square[:, :, channel], size)
        planes.append(resample_rows(across.T, size).T)
    return np.stack(planes)


# ---- augment ---------------------------------------------------------------------------------------------------------


def augment(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    """Two convolutions with zero padding and nothing between them.

    Args:
        x: (N, 3, H, W).
        w1: (C, 3, k, k), k odd; or (A, C, 3, k, k), and the others likewise: A augmenters, one after the other.
        b1: (C,).
        w2: (3, C, k, k).
        b2: (3,).

    Returns:
        (N, 3, H, W) or (A, N, 3, H, W), differentiable as often as one likes.
    """
    if w1.dim() == 5:
        each = [augment(x, *weights) for weights in zip(w1, b1, w2, b2, strict=True)]
        # The sum keeps an empty stack in the graph.
        return (
            torch.stack(each)
            if each
            else x.new_zeros((0, *x.shape)) + (x.sum() + w1.sum() + b1.sum() + w2.sum() + b2.sum())
        )
    padding = w1.shape[-1] // 2
    hidden = torch.nn.functional.conv2d(x, w1, b1, padding=padding)  # (N, C, H, W)
    return torch.nn.functional.conv2d(hidden, w2, b2, padding=padding)  # (N, 3, H, W)


def augment_gradients(
    gradient: Tensor, x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Vector-Jacobian product of `augment`, itself differentiable.

    Args:
        gradient: (N, 3, H, W), gradient with respect to the output; (A, N, 3, H, W) of several augmenters.
        x: (N, 3, H, W).
        w1: (C, 3, k, k), and the following, as in `augment`.
        b1: (C,).
        w2: (3, C, k, k).
        b2: (3,).

    Returns:
        Gradients with respect to x, w1, b1, w2, b2, in their shapes.
    """
    with torch.enable_grad():
        inputs = tuple(t if t.requires_grad else t.detach().requires_grad_() for t in (x, w1, b1, w2, b2))
        output = augment(*inputs)
        grads = torch.autograd.grad(output, inputs, gradient, create_graph=True)
    return grads[0], grads[1], grads[2], grads[3], grads[4]


# ---- batch_hard_triplet ----------------------------------------------------------------------------------------------

CLAMP = 1e-12  # least squared distance, as the authors' program clamps it before the root


def pairwise_distances(z: Tensor, *, squared: bool = False) -> Tensor:
    """Euclidean distances by |a|² + |b|² - 2 a·b, clamped below at 1e-12 before the root.

    Args:
        z: (N, D).
        squared: leave the root out.

    Returns:
        (N, N); an entry that was clamped passes no gradient, and neither does the diagonal, which is exactly 1e-6.
    """
    norms = (z * z).sum(dim=1)
    products = z @ z.T
    gaps = norms[:, None] + norms[None, :] - 2 * products
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    # Below the clamp the value is a constant. `where` and not `clamp`, which passes the gradient at equality of the
    # *constant* diagonal too.
    gaps = torch.where(itself, torch.full_like(gaps, CLAMP).detach(), gaps.clamp(min=CLAMP))
    return gaps if squared else gaps.sqrt()


def batch_hard_triplet(
    z: Tensor,
    labels: Tensor,
    margin: float = 0.3,
    squared: bool = False,  # noqa: FBT001, FBT002 - the signature of the public function
    reduction: str = "mean",
) -> Tensor:
    """Batch-hard triplet loss over the whole (N, N) matrix of distances.

    Args:
        z: (N, D) embeddings.
        labels: (N,) int64.
        margin: added to (hardest positive - hardest negative).
        squared: hinge on squared distances (POSE, Eq. 5 to the letter).
        reduction: "mean" over the anchors or "sum".

    Returns:
        Scalar; 0 for an empty batch. `amax` and `amin` share the gradient evenly among tied entries.
    """
    if len(z) == 0:
        return z.sum()
    distances = pairwise_distances(z, squared=squared)
    same = labels[:, None] == labels[None, :]
    hardest_positive = distances.masked_fill(~same, -torch.inf).amax(dim=1)  # the anchor is among its positives
    hardest_negative = distances.masked_fill(same, torch.inf).amin(dim=1)  # +inf without a negative
    hinge = (hardest_positive - hardest_negative + margin).clamp(min=0)  # exactly 0 passes the gradient
    return hinge.sum() if reduction == "sum" else hinge.mean()


def batch_hard_triplet_gradient(
    z: Tensor,
    labels: Tensor,
    margin: float,
    squared: bool,  # noqa: FBT001 - the signature of the public function
    reduction: str,
) -> Tensor:
    """Gradient of `batch_hard_triplet` with respect to z, itself differentiable.

    Args:
        z: (N, D).
        labels: (N,) int64.
        margin: as in `batch_hard_triplet`.
        squared: as in `batch_hard_triplet`.
        reduction: as in `batch_hard_triplet`.

    Returns:
        (N, D).
    """
    with torch.enable_grad():
        z = z if z.requires_grad else z.detach().requires_grad_()
        loss = batch_hard_triplet(z, labels, margin, squared, reduction)
        (gradient,) = torch.autograd.grad(loss, z, create_graph=True)
    return gradient
