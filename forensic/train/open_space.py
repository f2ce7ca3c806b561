"""What a run keeps of its open space: the network and the augmenter as they were at the end of each epoch.

RUN/open-space/epoch-N.safetensors, N from 1: `model.*` the task model's state, `augmenter.*` that epoch's augmenter
(`augmenter.PLACE.*` where several learn at once). Float32, as trained. The metadata's one key `forensic` is a JSON
object of `format`, `epoch`, `classes` in label order and `preprocessing`: what a reader needs beside the recipe in
`config.toml`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from safetensors.torch import save

from forensic.train.checkpoint import with_prefix, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from forensic.data.sample import Layout
    from forensic.train.state import TrainingState

FOLDER = "open-space"
_METADATA = "forensic"
_FORMAT = 1


def record_open_space(run: Path, epoch: int, state: TrainingState, layout: Layout) -> Path:
    """Writes one epoch's file, there entirely or not at all.

    Args:
        run: the run folder.
        epoch: that ends, counted from 0.
        state: before `end_epoch`.
        layout: of the run.

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
    facts = {
        "format": _FORMAT,
        "epoch": epoch + 1,
        "classes": list(layout.classes),
        "preprocessing": layout.preprocessing,
    }
    values = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(target, save(values, {_METADATA: json.dumps(facts)}))
    return target
