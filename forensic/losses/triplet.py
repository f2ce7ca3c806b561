"""L_metric of Eq. 4 and 5: known and augmented images pushed apart, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from forensic import kernels

if TYPE_CHECKING:
    from torch import Tensor


def metric(
    known: Tensor,
    augmented: Tensor,
    labels: Tensor,
    num_classes: int,
    margin: float,
    form: str = "mean-distance",
) -> Tensor:
    """Batch-hard triplet loss on the stacked embeddings, with labels i and K + i.

    An image of class i has label i, its augmented image K + i, whichever augmenter made it: positives and
    negatives cross known and augmented, and classes are told apart among the augmented too.

    Args:
        known: z, (N, D).
        augmented: z' of the same images in the same order, (N, D).
        labels: (N,) int64 in [0, K).
        num_classes: K.
        margin: m of Eq. 5, in the unit of the distance.
        form: `mean-distance`, plain distances and the mean over anchors, as the authors' program; `sum-squared`,
            squared distances and the sum, as Eq. 5 is written.

    Returns:
        Scalar: over the 2N anchors max(0, farthest positive - nearest negative + m).

    Raises:
        ValueError: shapes that do not fit.

    Source: Eq. 5; the mining is the authors' program's, the text names none.
    """
    squared = form == "sum-squared"
    return kernels.batch_hard_triplet(
        torch.cat([known, augmented]),
        torch.cat([labels, labels + num_classes]),
        margin=margin,
        squared=squared,
        reduction="sum" if squared else "mean",
    )
