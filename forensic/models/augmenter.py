"""The augmenter A: a few convolutions that change an image's trace and little else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from forensic import kernels

if TYPE_CHECKING:
    from collections.abc import Callable

Activation = Literal["none", "relu", "leaky-relu", "tanh", "sigmoid"]
Resampling = Literal["none", "down-up"]

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "leaky-relu": lambda values: functional.leaky_relu(values, 0.2),  # the trunk's slope
    "tanh": Tensor.tanh,
    "sigmoid": Tensor.sigmoid,
}
_DEPTHS = range(1, 5)


@dataclass(frozen=True)
class AugmenterShape:
    """What decides the parameters of an augmenter. The defaults are the authors' program's.

    Raises:
        ValueError: an even kernel, a depth outside 1 to 4, or `down-up` without two convolutions of 3x3 and more.
    """

    channels: int = 32
    """Between the convolutions."""
    kernel: int = 3
    """Side of a kernel in pixels, odd; the padding keeps the size."""
    depth: int = 2
    """Convolutions, 1 to 4."""
    activation: Activation = "none"
    """Between the convolutions, not after the last; leaky ReLU has a slope of 0.2."""
    resampling: Resampling = "none"
    """`down-up`: the first convolution has stride 2, the last one is transposed, with stride 2."""

    def __post_init__(self) -> None:
        if self.channels < 1 or self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"channels, kernel: expected above 0 and odd, got {self.channels}, {self.kernel}")
        if self.depth not in _DEPTHS:
            raise ValueError(f"depth: expected 1 to 4, got {self.depth}")
        if self.activation != "none" and self.activation not in _ACTIVATIONS:
            raise ValueError(f"activation: expected none or one of {', '.join(_ACTIVATIONS)}, got {self.activation}")
        if self.resampling not in ("none", "down-up"):
            raise ValueError(f"resampling: expected none or down-up, got {self.resampling}")
        if self.resampling == "down-up" and (self.depth < 2 or self.kernel < 3):  # else pixels would be lost for good
            raise ValueError(f"resampling: down-up needs depth 2 and kernel 3, got {self.depth} and {self.kernel}")

    @property
    def is_standard(self) -> bool:
        """Whether it is the two plain convolutions of the method, whatever their channels and kernel."""
        return self.depth == 2 and self.activation == "none" and self.resampling == "none"

    def build(self) -> Augmenter:
        """An augmenter of this shape, all parameters 0."""
        return Augmenter(**asdict(self))


class Augmenter(nn.Module):
    """Convolutions with zero padding; arguments as the fields of `AugmenterShape`, which is kept as `shape`.

    The method's own shape, two convolutions without activation, runs in the project's kernel and has its parameters:
    w1 (C, 3, k, k), b1 (C,), w2 (3, C, k, k), b2 (3,). Other shapes are plain torch convolutions,
    `convolutions.0.weight`, `convolutions.0.bias`, and so on.

    Raises:
        ValueError: as for `AugmenterShape`.

    Source: POSE, section 3.2; the authors' program: C = 32, k = 3. Other shapes: its Fig. 6.
    """

    def __init__(
        self,
        channels: int = 32,
        kernel: int = 3,
        depth: int = 2,
        activation: Activation = "none",
        resampling: Resampling = "none",
    ) -> None:
        super().__init__()
        self.shape = AugmenterShape(channels, kernel, depth, activation, resampling)
        if self.shape.is_standard:
            self.w1 = nn.Parameter(torch.zeros(channels, 3, kernel, kernel))
            self.b1 = nn.Parameter(torch.zeros(channels))
            self.w2 = nn.Parameter(torch.zeros(3, channels, kernel, kernel))
            self.b2 = nn.Parameter(torch.zeros(3))
        else:
            self.convolutions = _convolutions(self.shape)

    @property
    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of each convolution, in order."""
        if self.shape.is_standard:
            return [(self.w1, self.b1), (self.w2, self.b2)]
        return [(one.weight, one.bias) for one in self.convolutions]  # type: ignore[misc]  # a ModuleList forgets what is in it

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> same; neither clamped nor rounded."""
        if self.shape.is_standard:
            augmented: Tensor = kernels.augment(images, self.w1, self.b1, self.w2, self.b2)
            return augmented
        values = images
        for place, convolution in enumerate(self.convolutions):
            if place and self.shape.activation != "none":
                values = _ACTIVATIONS[self.shape.activation](values)
            if isinstance(convolution, nn.ConvTranspose2d):
                size = [images.shape[2], images.shape[3]]  # an odd side and the even one below it have the same half
                values = convolution(values, output_size=size)
            else:
                values = convolution(values)
        return values


def _convolutions(shape: AugmenterShape) -> nn.ModuleList:
    between = [shape.channels] * (shape.depth - 1)
    found = nn.ModuleList()
    for place, (inputs, outputs) in enumerate(zip([3, *between], [*between, 3], strict=True)):
        resampled = shape.resampling == "down-up"
        stride = 2 if resampled and place in (0, shape.depth - 1) else 1
        kind = nn.ConvTranspose2d if resampled and place == shape.depth - 1 else nn.Conv2d
        found.append(kind(inputs, outputs, shape.kernel, stride=stride, padding=shape.kernel // 2))
    with torch.no_grad():
        for parameter in found.parameters():  # whoever wants values draws them from a generator of their own
            parameter.zero_()
    return found
