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

    The text leaves its form open (Eq. 1 shows a norm); the mean square is the authors' program's.
    """
    return functional.mse_loss(augmented, images)


def closeness(new: Tensor, known: Tensor, limit: float) -> Tensor:
    """Second term of Eq. 3, without -beta: mean over images of min(cos(z_new, z), d).

    Args:
        new: z_new, embeddings of the newly augmented images, (N, D).
        known: z, embeddings of the images themselves, (N, D).
        limit: d; an image whose cosine is above it is left alone.

    Returns:
        Scalar, to be maximised. At cosine = d the gradient passes.

    The minimum is taken for each image, as Eq. 3 is written; the authors' program clamps the mean of the batch.
    """
    return cosine(new, known).clamp(max=limit).mean()


def diversity(new: Tensor, old: Tensor) -> Tensor:
    """First term of Eq. 3, without alpha: mean over images of cos(z_new, z_old).

    Args:
        new: z_new, embeddings of the newly augmented images, (N, D).
        old: z_old, embeddings of the images augmented by an old augmenter, (N, D).

    Returns:
        Scalar, to be minimised.
    """
    return cosine(new, old).mean()


def classification(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """L_cls of Eq. 4: mean cross-entropy over the K known classes.

    Args:
        logits: (N, K).
        labels: (N,) int64 in [0, K).
        smoothing: share of the target spread evenly over all classes.

    Returns:
        Scalar.
    """
    return functional.cross_entropy(logits, labels, label_smoothing=smoothing)


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """Cosine similarity by rows, (N, D), (N, D) -> (N,); each norm is at least 1e-6."""
    return functional.cosine_similarity(first, second, dim=1, eps=_LEAST_NORM)
