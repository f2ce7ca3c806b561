"""Small task models whose batch norm has seen something, for tests of what stands in for a model."""

from __future__ import annotations

import torch

from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.train.seeding import new_task_model


def seen_model(size: int, neck: str = "conv1x1") -> TaskModel:
    """Five classes, images (N, 3, size, size) as they are; the same in every run, in evaluation mode."""
    draws = torch.Generator().manual_seed(0)
    shape = Architecture(size=size, width=4, neck=neck, neck_channels=4, embedding_dim=16, input_transform="rgb")  # type: ignore[arg-type]  # a name of one
    made = new_task_model(TaskModel(5, shape), draws)
    with torch.no_grad():
        for name, value in made.named_buffers():
            if "running" in name:
                value.uniform_(0.5, 2.0, generator=draws)
    return made.eval()
