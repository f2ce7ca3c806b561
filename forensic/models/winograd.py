"""The network in torch with about half the multiplications: Winograd's minimal filtering along the rows of the image.

    rows of the layer's input -> a sums of them -> a convolutions, each one row high -> sums -> four rows of output

Four rows of a convolution with r taps along the columns take 4 r products a pixel; F(4, r) takes a = r + 3 products of
sums of rows with sums of taps. The taps' sums are made once. The products of one sum of rows with one row of taps,
over all channels and along the row, are a convolution for which oneDNN is as fast as for the whole one. A stride of 2
makes pairs of rows the unit: four rows deep it has two taps of pairs.

Rows are summed in place of channels-last values, where a row is one run of numbers. float32 throughout; the sums are
shorter than the direct ones, and measured errors no larger. Layers of few channels gain nothing and run directly.

Each worker takes images of its own from end to end. The sums are many and short, and threads that met after each of
them would mostly wait, on a busy machine for whole time slices.

Source: S. Winograd, "Arithmetic Complexity of Computations", SIAM 1980, chapter V; A. Lavin and S. Gray, "Fast
Algorithms for Convolutional Neural Networks", CVPR 2016, which has the matrices of F(4, 3).
"""

from __future__ import annotations

from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

import torch
from torch.nn import functional

from forensic.models.inference import Ending, convolution, folded_layers
from forensic.models.workers import torch_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from forensic.models.feature_extractor import TaskModel
    from forensic.models.folding import FoldedLayer

T = TypeVar("T")

SHARE = 8
"""Images that a worker takes at once, whatever their number and that of threads: what a score depends on."""
WORKER = "share"
"""What the names of their threads begin with."""
MOST_WORKERS = 8
"""Each keeps its own values; threads beyond work within them."""
_DEEP = 4
"""Rows of output that are made together."""

_TAPS: dict[int, tuple[tuple[float, ...], ...]] = {
    # points 0, 1, -1, 2 and infinity
    2: ((1 / 2, 0), (-1 / 2, -1 / 2), (-1 / 6, 1 / 6), (1 / 6, 1 / 3), (0, 1)),
    # points 0, 1, -1, 2, -2 and infinity
    3: (
        (1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
        (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1),
    ),
}  # fmt: skip
"""r -> the sums of taps of F(4, r), one a point."""
_AT_ONE = 1
"""The point whose product is added to each of the four rows once: what is added to it is added to all."""


class WinogradNetwork:
    """Trunk, neck and head of a task model on the processor; one call at a time.

    Args:
        model: in evaluation mode; later changes of it are not seen.
        batch: the most images a call; a multiple of `SHARE`, or fewer than that.
        threads: those of torch; the results do not depend on their number, up to `MOST_WORKERS`.
        least_channels: of a layer's input, below which the sums of rows cost more than the multiplications they save.
    """

    def __init__(self, model: TaskModel, batch: int, threads: int, *, least_channels: int = 64) -> None:
        self._share = min(batch, SHARE)
        workers = min(threads, -(-batch // self._share), MOST_WORKERS)
        self._pool = torch_workers(workers, threads // workers, WORKER)
        # there, for oneDNN lays weights out for a number of threads, and the layout decides the order of sums
        self._stages = self._pool.submit(_stages, model, self._share, least_channels).result()
        self._ending = self._pool.submit(Ending, model, self._share).result()
        self._rooms: SimpleQueue[_Room] = SimpleQueue()
        for _ in range(workers):
            self._rooms.put(_Room(self._stages))

    def __call__(self, spectra: Tensor) -> tuple[Tensor, Tensor]:
        """Output of the input layer (B, 3, S, S) float32 -> logits (B, K), embeddings (B, D).

        B is at most the batch, and a multiple of `SHARE` or the batch itself.
        """
        logits, embeddings = zip(*self._of_shares(self._ending, spectra), strict=True)
        return torch.cat(logits), torch.cat(embeddings)

    def trunk(self, spectra: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, C, S / 16, S / 16)."""
        return torch.cat(self._of_shares(torch.clone, spectra))

    def _of_shares(self, then: Callable[[Tensor], T], spectra: Tensor) -> list[T]:
        """What `then` makes of the trunk's values of each share, before the next one takes their room."""

        @torch.inference_mode()  # a mode of the thread
        def run(part: Tensor) -> T:
            room = self._rooms.get()
            try:
                values = functional.pad(part, (0, 0, 1, 1)).contiguous(memory_format=torch.channels_last)
                for stage, rows in zip(self._stages, room.rows, strict=True):
                    values = stage(values, rows, room.scratch)
                return then(values[:, :, 1:-1])
            finally:
                self._rooms.put(room)

        return list(self._pool.map(run, torch.split(spectra, self._share)))


class _Room:
    """Memory for the values of one share, which the stages do not keep: they serve all workers."""

    def __init__(self, stages: Sequence[_Direct | _Winograd]) -> None:
        self.rows = [torch.zeros(stage.rows) for stage in stages]
        self.scratch = torch.empty(max(stage.scratch for stage in stages))


def _stages(model: TaskModel, batch: int, least_channels: int) -> list[_Direct | _Winograd]:
    side, stages = model.architecture.size, list[_Direct | _Winograd]()
    for layer in folded_layers(model.trunk):
        suits = layer.weight.shape[1] >= least_channels and side // layer.stride[0] % _DEEP == 0
        stages.append((_Winograd if suits else _Direct)(layer, batch, side))
        side //= layer.stride[0]
    return stages


class _Direct:
    """A layer as it is. Between stages an image has a row of zeros above it and one below: (B, C, H + 2, W)."""

    scratch = 0
    rows = (0,)

    def __init__(self, layer: FoldedLayer, batch: int, side: int) -> None:
        # a step more padding than the layer has: room for the next layer's rows of zeros
        layer = replace(layer, padding=(layer.stride[0], 1))
        self._convolution = convolution(layer, (batch, layer.weight.shape[1], side + 2, side))

    def __call__(self, values: Tensor, _rows: Tensor, _scratch: Tensor) -> Tensor:
        found = self._convolution(values)
        found[:, :, 0] = 0
        found[:, :, -1] = 0
        return found


class _Winograd:
    """A layer by F(4, r), r = kernel / stride.

    Args:
        layer: a kernel of 3 at stride 1 or of 4 at stride 2, padding 1.
        batch: images a call.
        side: of the image; four strides or a multiple.
    """

    def __init__(self, layer: FoldedLayer, batch: int, side: int) -> None:
        outputs, inputs, kernel, _ = layer.weight.shape
        self._stride, self._slope = layer.stride[0], layer.slope
        taps = kernel // self._stride
        filters = layer.weight.double().view(outputs, inputs, taps, self._stride, kernel)
        self._blocks = side // self._stride // _DEEP
        self._summed = (batch, self._blocks * self._stride, side, inputs)
        self.rows = (batch, side // self._stride + 2, side // self._stride, outputs)
        self._convolutions = []
        for point, sums in enumerate(_TAPS[taps]):
            weight = torch.einsum("oitsk,t->oisk", filters, torch.tensor(sums, dtype=torch.float64))
            row = replace(
                layer,
                weight=weight.float().contiguous(),
                bias=layer.bias if point == _AT_ONE else torch.zeros_like(layer.bias),
                padding=(0, 1),
            )
            shape = (batch, inputs, self._blocks * self._stride, side)
            self._convolutions.append(convolution(row, shape, activated=False))
        made = batch * self._blocks * (side // self._stride) * outputs
        self._count, self._size = taps + _DEEP - 1, batch * self._blocks * self._stride * side * inputs
        self.scratch = max((self._count + 2) * self._size, 4 * made)

    def __call__(self, values: Tensor, made: Tensor, scratch: Tensor) -> Tensor:
        """`made`: (B, H + 2, W, C), of which the first and the last row stay zeros."""
        batch = len(values)
        steps = values.permute(0, 2, 3, 1).reshape(batch, values.shape[2] // self._stride, -1)
        parts = scratch[: (self._count + 2) * self._size].view(self._count + 2, batch, self._blocks, -1)
        *sums, even, odd = parts.unbind()
        _sum_rows(_every_fourth(steps, self._count, self._blocks), sums, even, odd)
        products = [
            run(rows.view(self._summed).permute(0, 3, 1, 2)) for run, rows in zip(self._convolutions, sums, strict=True)
        ]
        flat = [product.permute(0, 2, 3, 1).reshape(batch, self._blocks, -1) for product in products]
        spare = scratch[: 4 * flat[0].numel()].view(4, *flat[0].shape).unbind()
        _sum_products(flat, _every_fourth(made.flatten(2)[:, 1:], _DEEP, self._blocks), spare)
        functional.leaky_relu(made, self._slope, inplace=True)
        return made.permute(0, 3, 1, 2)


def _every_fourth(rows: Tensor, count: int, blocks: int) -> list[Tensor]:
    """Views of rows (B, R, L): the first of each block of four, the second, and so on into the next block."""
    return [rows[:, place : place + _DEEP * (blocks - 1) + 1 : _DEEP] for place in range(count)]


def _sum_rows(rows: Sequence[Tensor], to: Sequence[Tensor], even: Tensor, odd: Tensor) -> None:
    """The sums of r + 3 rows that F(4, r) multiplies, r = 2 or 3: the transposed B of the sources times the rows."""
    if len(rows) == 5:
        torch.sub(rows[3], rows[1], out=to[3])
        torch.sub(rows[2], rows[0], out=even)
        torch.sub(to[3], even, alpha=2, out=to[0])
        torch.sub(rows[4], rows[2], out=even)
        torch.sub(even, to[3], alpha=2, out=to[4])
        torch.sub(rows[3], rows[2], out=odd)
        torch.sub(odd, rows[1], alpha=2, out=to[1])
        torch.sub(rows[3], rows[2], alpha=3, out=odd)
        torch.add(odd, rows[1], alpha=2, out=to[2])
        return
    torch.sub(rows[4], rows[2], alpha=4, out=even)
    torch.sub(rows[3], rows[1], alpha=4, out=odd)
    torch.add(even, odd, out=to[1])
    torch.sub(even, odd, out=to[2])
    torch.sub(rows[4], rows[2], out=even)
    torch.sub(rows[3], rows[1], out=odd)
    torch.add(even, odd, alpha=2, out=to[3])
    torch.sub(even, odd, alpha=2, out=to[4])
    torch.sub(rows[0], rows[2], out=to[5])
    torch.add(even, to[5], alpha=4, out=to[0])
    torch.sub(rows[5], rows[3], out=even)
    torch.sub(even, odd, alpha=4, out=to[5])


def _sum_products(products: Sequence[Tensor], to: Sequence[Tensor], spare: Sequence[Tensor]) -> None:
    """Four rows of output: the transposed A of the sources times the r + 3 products, r = 2 or 3."""
    sum1, difference1, sum2, difference2 = spare
    torch.add(products[1], products[2], out=sum1)
    torch.sub(products[1], products[2], out=difference1)
    if len(products) == 5:
        sum2 = difference2 = products[3]
    else:
        torch.add(products[3], products[4], out=sum2)
        torch.sub(products[3], products[4], out=difference2)
    torch.add(sum1, sum2, out=to[0])
    to[0].add_(products[0])
    torch.add(difference1, difference2, alpha=2, out=to[1])
    torch.add(sum1, sum2, alpha=4, out=to[2])
    torch.add(difference1, difference2, alpha=8, out=to[3])
    to[3].add_(products[-1])
