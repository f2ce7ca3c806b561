"""The terms of Eq. 2, 3 and 4 (POSE, CVPR 2023), each with the form the program of the authors shows or the text says.

Notation: x images, z embedding, x' augmented images, cos the cosine similarity of two embeddings of one image.
Constants (alpha, beta, d) are arguments: their values stand in the recipe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_NORM = 1e-6
"""Norms below this are taken as this in the cosine; source: the authors' program."""


def reconstruction(augmented: Tensor, images: Tensor) -> Tensor:
    """L_recons of Eq. 2: mean squared error over all elements.

    Args:
        augmented: x' = A(x), (N, 3, S, S), in the units of `images`.
        images: x, (N, 3, S, S) in [-1, 1].

    Returns:
        Scalar.

    The text leaves its form open (Eq. 1 shows a norm); the mean square is the authors' program's, without its floor of
    0, below which no mean square lies.
    """
    return functional.mse_loss(augmented, images)


def closeness(new: Tensor, known: Tensor, limit: float, clamp: str = "image") -> Tensor:
    """Second term of Eq. 3, without -beta: the cosine of z_new and z, no more than d, as a mean over images.

    Args:
        new: z_new, embeddings of the newly augmented images, (N, D).
        known: z, embeddings of the images themselves, (N, D).
        limit: d; what is above it is left alone.
        clamp: `image`, mean of min(cos, d), as Eq. 3 is written; `batch`, min(mean of cos, d), the authors' program's
            max(1 - mean of cos, 1 - d) but for sign and constant.

    Returns:
        Scalar, to be maximised. At cosine = d the gradient passes.
    """
    similarity = cosine(new, known)
    return similarity.mean().clamp(max=limit) if clamp == "batch" else similarity.clamp(max=limit).mean()


def diversity(new: Tensor, old: Tensor) -> Tensor:
    """First term of Eq. 3, without alpha: mean over images of cos(z_new, z_old).

    Args:
        new: z_new, embeddings of the newly augmented images, (N, D).
        old: z_old, embeddings of the images augmented by an old augmenter, (N, D).

    Returns:
        Scalar, to be minimised.
    """
    return cosine(new, old).mean()


def classification(
    logits: Tensor, labels: Tensor, smoothing: float = 0.0, *, temperature: float = 1.0, double_softmax: bool = False
) -> Tensor:
    """L_cls of Eq. 4: mean cross-entropy over the K known classes.

    Args:
        logits: (N, K).
        labels: (N,) int64 in [0, K).
        smoothing: share of the target spread evenly over all classes.
        temperature: divides what is taken for logits; source: the authors' program has 0.1.
        double_softmax: take softmax(logits) for logits, as the authors' program does; a saturated image, right or
            wrong, then has no gradient.

    Returns:
        Scalar.
    """
    values = logits.softmax(dim=1) if double_softmax else logits
    return functional.cross_entropy(values / temperature, labels, label_smoothing=smoothing)


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """Cosine similarity by rows, (N, D), (N, D) -> (N,); each norm is at least 1e-6."""
    return functional.cosine_similarity(first, second, dim=1, eps=_LEAST_NORM)
