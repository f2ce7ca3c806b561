"""The task model as scans run it on a processor: batch norm folded, activations fused, weights laid out once.

float32 throughout and the same bits every time. Where torch has oneDNN's fused convolution, the leaky ReLU costs no
pass of its own and the weights lie as its kernels read them; elsewhere the same convolutions run plainly.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from forensic.models.folding import FoldedLayer, FoldedTrunk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from forensic.models.feature_extractor import TaskModel


class Ending:
    """What follows the trunk: neck, embedding and head.

    Args:
        model: in evaluation mode; copied, so that later changes of it are not seen.
        batch: images a call.
        fused: as for `FoldedNetwork`; torch's own convolution adds in another order where it has one thread.
    """

    def __init__(self, model: TaskModel, batch: int, *, fused: bool | None = None) -> None:
        neck = copy.deepcopy(model.neck)
        self._neck: Callable[[Tensor], Tensor] = neck
        if isinstance(neck, nn.Sequential) and isinstance(neck[0], nn.Conv2d) and neck[0].bias is not None:
            layer = FoldedLayer(neck[0].weight, neck[0].bias, neck[0].stride, (0, 0), 0).to(torch.float32)
            side = model.architecture.size // 16
            shape = (batch, layer.weight.shape[1], side, side)
            self._neck = _flat(convolution(layer, shape, activated=False, fused=fused))
        self._fc = copy.deepcopy(model.fc)
        self._head = copy.deepcopy(model.head)

    def __call__(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Output of the trunk (B, C, S / 16, S / 16) -> logits (B, K), embeddings (B, D)."""
        embeddings = self._fc(self._neck(values))
        return self._head(embeddings), embeddings


def _flat(run: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda values: run(values).flatten(1)


class FoldedNetwork:
    """Trunk, neck and head of a task model for batches of one size, on the processor.

    Args:
        model: in evaluation mode; later changes of it are not seen.
        batch: images a call.
        fused: whether oneDNN's fused convolution is used; None: where it is to be had.
    """

    def __init__(self, model: TaskModel, batch: int, *, fused: bool | None = None) -> None:
        side = model.architecture.size
        self._convolutions: list[Callable[[Tensor], Tensor]] = []
        for layer in folded_layers(model.trunk):
            self._convolutions.append(convolution(layer, (batch, layer.weight.shape[1], side, side), fused=fused))
            side = (side + 2 * layer.padding[0] - layer.weight.shape[2]) // layer.stride[0] + 1
        self._ending = Ending(model, batch, fused=fused)

    def __call__(self, spectra: Tensor) -> tuple[Tensor, Tensor]:
        """Output of the input layer (B, 3, S, S) float32 -> logits (B, K), embeddings (B, D)."""
        return self._ending(self.trunk(spectra))

    def trunk(self, spectra: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, C, S / 16, S / 16), channels last."""
        values = spectra.contiguous(memory_format=torch.channels_last)
        for convolution in self._convolutions:
            values = convolution(values)
        return values


def folded_layers(trunk: nn.Sequential) -> list[FoldedLayer]:
    """The trunk's blocks as float32 convolutions, folded in float64 and rounded once."""
    return [layer.to(torch.float32) for layer in FoldedTrunk(copy.deepcopy(trunk).double()).layers]


def has_fused_convolution() -> bool:
    """Whether this torch has oneDNN with the fused convolution, on a processor that oneDNN is fast on."""
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    fast = there and torch.backends.cpu.get_cpu_capability().startswith("AVX")
    names = ("_convolution_pointwise", "_reorder_convolution_weight")
    return fast and all(hasattr(torch.ops.mkldnn, name) for name in names)


def convolution(
    layer: FoldedLayer, shape: Sequence[int], *, activated: bool = True, fused: bool | None = None
) -> Callable[[Tensor], Tensor]:
    """A layer for channels-last values of one shape, with its weights laid out for it.

    Args:
        layer: float32.
        shape: of the values, (B, C, H, W); another one is right too, only slower.
        activated: whether the leaky ReLU follows.
        fused: whether oneDNN's fused convolution is used; None: where it is to be had.
    """
    make = _fused if (has_fused_convolution() if fused is None else fused) else _plain
    return make(layer, shape, activated=activated)


def _plain(layer: FoldedLayer, _shape: Sequence[int], *, activated: bool) -> Callable[[Tensor], Tensor]:
    weight = layer.weight.contiguous(memory_format=torch.channels_last)

    def run(values: Tensor) -> Tensor:
        found = functional.conv2d(values, weight, layer.bias, layer.stride, layer.padding)
        return functional.leaky_relu(found, layer.slope, inplace=True) if activated else found

    return run


def _fused(layer: FoldedLayer, shape: Sequence[int], *, activated: bool) -> Callable[[Tensor], Tensor]:
    stride, padding, dilation, groups = list(layer.stride), list(layer.padding), [1, 1], 1
    activation = ("leaky_relu", [layer.slope], "") if activated else ("none", [], "")
    operators = torch.ops.mkldnn
    weight = operators._reorder_convolution_weight(  # noqa: SLF001 - torch's own compiler calls these two
        layer.weight, padding, stride, dilation, groups, list(shape)
    )

    def run(values: Tensor) -> Tensor:
        found: Tensor = operators._convolution_pointwise(  # noqa: SLF001
            values, weight, layer.bias, padding, stride, dilation, groups, *activation
        )
        return found

    return run
