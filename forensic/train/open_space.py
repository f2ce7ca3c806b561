"""What a run keeps of its open space: the network and the augmenter as they were at the end of each epoch.

RUN/open-space/epoch-N.safetensors, N from 1: `model.*` the task model's state, `augmenter.*` that epoch's augmenter
(`augmenter.PLACE.*` where several learn at once). Float32, as trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors.torch import save

from forensic.train.checkpoint import with_prefix, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from forensic.train.state import TrainingState

FOLDER = "open-space"


def record_open_space(run: Path, epoch: int, state: TrainingState) -> Path:
    """Writes one epoch's file, there entirely or not at all.

    Args:
        run: the run folder.
        epoch: that ends, counted from 0.
        state: before `end_epoch`.

    Raises:
        OSError: the disk is full or refuses.
    """
    tensors: dict[str, Tensor] = with_prefix("model", state.final_model().state_dict())
    new = state.learners.new if state.learners else ()
    for place, one in enumerate(new):
        prefix = "augmenter" if len(new) == 1 else f"augmenter.{place}"
        tensors |= with_prefix(prefix, one.augmenter.state_dict())
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    target = folder / f"epoch-{epoch + 1}.safetensors"
    write_atomically(target, save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))
    return target
