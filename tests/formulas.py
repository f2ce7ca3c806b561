"""The inputs of tests/golden by their closed formulas (tests/golden/README.md), and networks filled with them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from forensic.models.augmenter import Augmenter
from forensic.models.feature_extractor import TaskModel

CLASSES = 7
_WORDS = np.uint64(2**32)


def hashed(index: np.ndarray, seed: int) -> np.ndarray:
    """hash(i, s): uint64 in [0, 2^32)."""
    h = (index.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B9 % 2**32)) % _WORDS
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        h = ((h ^ (h >> np.uint64(shift))) * np.uint64(factor)) % _WORDS
    return h


def u(seed: int, *shape: int) -> torch.Tensor:
    """u(seed, shape), float64 in [-1, 1)."""
    values = (hashed(np.arange(math.prod(shape)), seed) >> np.uint64(8)) / 2.0**23 - 1
    return torch.from_numpy(values.reshape(shape))


def image_u8(label: int, sample: int, height: int = 128, width: int = 128) -> np.ndarray:
    """image_u8(c, b, H, W), uint8 (3, H, W)."""
    channel, row, column = np.ogrid[:3, :height, :width]
    t = ((label + 1) * column + 2 * (channel + 1) * row + 37 * sample + 11 * channel) % 256
    noise = hashed((channel * height + row) * width + column, 1000 + 16 * label + sample) >> np.uint64(24)
    return ((3 * np.abs(2 * t - 255) + noise.astype(np.int64)) // 4).astype(np.uint8)


def image(label: int, sample: int, dtype: torch.dtype, height: int = 128, width: int = 128) -> torch.Tensor:
    """Network input (3, H, W) in [-1, 1], computed in `dtype`."""
    return (torch.from_numpy(image_u8(label, sample, height, width)).to(dtype) / 255 - 0.5) / 0.5


def batch(samples: tuple[int, ...], dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of all classes of each sample, in the order (sample, class), and their labels."""
    images = torch.stack([image(label, sample, dtype) for sample in samples for label in range(CLASSES)])
    return images, torch.arange(CLASSES).repeat(len(samples))


def _fill(tensors: list[tuple[torch.Tensor, int | None, str]], base: int) -> None:
    for place, (tensor, fan_in, kind) in enumerate(tensors):
        values = u(base + place, *tensor.shape)
        if fan_in is not None:
            values = values / math.sqrt(fan_in)
        elif kind == "weight":
            values = 1 + 0.1 * values
        else:
            values = 0.1 * values
        with torch.no_grad():
            tensor.copy_(values.to(torch.float32) if tensor.dtype == torch.float32 else values)


def fill_task_model(model: TaskModel, base: int = 100) -> TaskModel:
    """Sets every parameter by its formula, in place, in the authors' order of tensors."""
    tensors: list[tuple[torch.Tensor, int | None, str]] = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            tensors += [(module.weight, fan_in, "weight"), (module.bias, fan_in, "bias")]
        elif isinstance(module, nn.BatchNorm2d):
            tensors += [(module.weight, None, "weight"), (module.bias, None, "bias")]
    _fill(tensors, base)
    return model


def fill_augmenter(augmenter: Augmenter, base: int) -> Augmenter:
    """Sets both convolutions by their formulas, in place."""
    tensors: list[tuple[torch.Tensor, int | None, str]] = []
    for weight, bias in ((augmenter.w1, augmenter.b1), (augmenter.w2, augmenter.b2)):
        fan_in = weight[0].numel()
        tensors += [(weight, fan_in, "weight"), (bias, fan_in, "bias")]
    _fill(tensors, base)
    return augmenter


@dataclass
class RecordedDraws:
    """The recorded order of old augmenters: index = (7 d + 3 + d div 2) mod count for the d-th draw of the run."""

    drawn: int = 0

    def __call__(self, count: int) -> int:
        index = (7 * self.drawn + 3 + self.drawn // 2) % count
        self.drawn += 1
        return index


class RecordedDropout(nn.Module):
    """Dropout 0.2 under the recorded masks: the n-th call keeps flat index i iff (7 i + 3 + n) mod 5 != 0."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return values
        kept = (7 * torch.arange(values.numel()) + 3 + self.calls) % 5 != 0
        self.calls += 1
        return values * kept.reshape(values.shape).to(values.dtype) / 0.8


def authors_names(model: TaskModel) -> dict[str, str]:
    """Our name of each entry of the state -> the authors' name."""
    names = {}
    for name in model.state_dict():
        theirs = name
        if name.startswith("trunk."):
            _, block, layer, rest = name.split(".")
            theirs = f"main.{block}.main.{layer}.{rest}"
        names[name] = theirs.replace("head.", "classification_head.1.")
    return names
