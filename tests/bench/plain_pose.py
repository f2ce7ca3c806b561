"""One training step of POSE as a plain composition of torch's own modules: what a good torch user would write.

Written from the pseudo-code of the method alone; nothing of `forensic` is used. Two programs:

- `authors`: the authors' program. Un-normalised DCT, softmax taken for logits at temperature 0.1, two draws of an old
  augmenter a step; training mode in the first epoch, evaluation mode after it.
- `ours`: the losses of the recipe `forensic`. Standardised log-DCT, cross-entropy, cosines clamped by image, half of
  the batch augmented, batch statistics in every epoch, one old augmenter a step; each half of a step computes its
  own features.

What a good user does about speed is done: leaky ReLU in place, no graph where none is needed, no gradient for frozen
parameters, a vectorised batch-hard triplet loss. Options, of which the faster ones count: memory layout, two forms of
the DCT, Adam with one kernel for all that it does, autocast to bfloat16.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCKS = ((1, 4, 2), (1, 3, 1), (2, 4, 2), (2, 3, 1), (4, 4, 2), (4, 3, 1), (8, 4, 2), (8, 3, 1))
MARGIN, CLOSE, DIVERSE, LIMIT = 0.3, 1e-2, 1e-4, 0.95


@dataclass(frozen=True)
class Options:
    """How the plain program is run."""

    channels_last: bool = True
    dct: str = "matrix"
    """`matrix`: two products with the cosine matrix; `fft`: by a real FFT of the reordered signal."""
    fused_adam: bool = True
    bfloat16: bool = False
    """The network under torch.autocast."""

    def __str__(self) -> str:
        layout = "channels-last" if self.channels_last else "contiguous"
        precision = "autocast to bfloat16" if self.bfloat16 else "float32"
        adam = "fused" if self.fused_adam else "by torch defaults"
        return f"{precision}, {layout}, DCT by {self.dct}, Adam {adam}"


def dct_by_matrix(x: Tensor) -> Tensor:
    """Un-normalised DCT-II of the last two axes: y[k] = 2 sum_n x[n] cos(pi (2n+1) k / 2N), along both."""
    size = x.shape[-1]
    cosines = cosine_matrix(size, x.dtype, x.device)
    return cosines @ x @ cosines.T


@cache
def cosine_matrix(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """2 cos(pi (2n+1) k / 2N), row k."""
    n = torch.arange(size, dtype=torch.float64)
    return (2 * torch.cos(math.pi * (2 * n[None, :] + 1) * n[:, None] / (2 * size))).to(dtype).to(device)


def dct_by_fft(x: Tensor) -> Tensor:
    """The same, as torch_dct does it: even samples, then odd ones backwards, a real FFT, a rotation."""
    for _ in range(2):
        size = x.shape[-1]
        v = torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], dim=-1)
        spectrum = torch.fft.fft(v)
        angle = -math.pi * torch.arange(size, dtype=x.dtype, device=x.device) / (2 * size)
        x = 2 * (spectrum.real * angle.cos() - spectrum.imag * angle.sin())
        x = x.transpose(-1, -2)
    return x


DCT: dict[str, Callable[[Tensor], Tensor]] = {"matrix": dct_by_matrix, "fft": dct_by_fft}


class PlainAugmenter(nn.Module):
    """Two convolutions."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x))  # type: ignore[no-any-return]


class PlainModel(nn.Module):
    """Eight blocks, a neck, embedding, dropout, head; parameters in the order of the pseudo-code."""

    def __init__(self, num_classes: int, width: int, neck_channels: int, size: int = 128, dropout: float = 0.2) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for multiple, kernel, stride in BLOCKS:
            after = multiple * width
            layers += [
                nn.Conv2d(before, after, kernel, stride, padding=1),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            before = after
        if neck_channels:
            layers.append(nn.Conv2d(before, neck_channels, 1))
            before = neck_channels
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.fc = nn.Linear(before * (size // 16) ** 2, 512)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(512, num_classes)
        self.bfloat16 = False

    def z(self, spectra: Tensor) -> Tensor:
        """Embeddings after dropout."""
        with torch.autocast(spectra.device.type, torch.bfloat16, enabled=self.bfloat16):
            z = self.fc(self.trunk(spectra))
        return self.dropout(z.to(spectra.dtype))  # type: ignore[no-any-return]


def triplet(z: Tensor, labels: Tensor) -> Tensor:
    """Batch-hard triplet loss on plain distances, mean over anchors."""
    squares = z.square().sum(1)
    distances = (squares[:, None] + squares[None, :] - 2 * z @ z.T).clamp(min=1e-12).sqrt()
    same = labels[:, None] == labels[None, :]
    farthest = distances.masked_fill(~same, -torch.inf).amax(1)
    nearest = distances.masked_fill(same, torch.inf).amin(1)
    return functional.relu(farthest - nearest + MARGIN).mean()


class PlainPose:
    """Networks, optimisers and old augmenters of one program.

    Args:
        program: `authors` or `ours`.
        num_classes: K.
        options: how it is run.
        augmented: images of a batch that take part in the augmented terms; None for all.
        draw: index of an old augmenter among so many.
        width: channels of the first block; None for the program's own.
    """

    def __init__(
        self,
        program: str,
        num_classes: int,
        options: Options,
        augmented: int | None = None,
        draw: Callable[[int], int] = lambda count: int(torch.randint(count, ())),
        width: int | None = None,
    ) -> None:
        self.authors = program == "authors"
        self.num_classes = num_classes
        self.options = options
        self.some = slice(augmented)
        self.draw = draw
        self.mean, self.std = torch.zeros(3, 128, 128), torch.ones(3, 128, 128)
        self.model = PlainModel(num_classes, width or (64 if self.authors else 32), 0 if self.authors else 48)
        self.model.bfloat16 = options.bfloat16
        self.model.to(memory_format=self.layout)  # type: ignore[call-overload]  # torch takes it, its stub does not
        kind = torch.optim.Adam if self.authors else torch.optim.AdamW
        rate, decay = (1e-4, 0.0) if self.authors else (1e-3, 1e-2)
        self.adam = kind(self.model.parameters(), lr=rate, weight_decay=decay, fused=options.fused_adam)
        self.olds: list[PlainAugmenter] = []
        self.begin_epoch()

    @property
    def layout(self) -> torch.memory_format:
        return torch.channels_last if self.options.channels_last else torch.contiguous_format

    def begin_epoch(self) -> None:
        """A new augmenter, with a new optimiser."""
        self.new = PlainAugmenter()
        self.new.to(memory_format=self.layout)  # type: ignore[call-overload]  # likewise
        self.new_adam = torch.optim.Adam(self.new.parameters(), lr=1e-2, fused=self.options.fused_adam)

    def spectrum(self, x: Tensor) -> Tensor:
        """What the task model sees."""
        y = DCT[self.options.dct](x)
        if not self.authors:
            scale = x.new_full((x.shape[-1],), math.sqrt(2 * x.shape[-1]))
            scale[0] *= math.sqrt(2)
            y = (torch.log((y / scale[:, None] / scale).abs() + 1e-3) - self.mean) / self.std
        return y.contiguous(memory_format=self.layout)

    def step(self, x: Tensor, y: Tensor) -> dict[str, float]:
        """One iteration on images (N, 3, 128, 128) in [-1, 1] with labels (N,)."""
        x = x.contiguous(memory_format=self.layout)
        return self._step_of_authors(x, y) if self.authors else self._step_of_ours(x, y)

    def _step_of_authors(self, x: Tensor, y: Tensor) -> dict[str, float]:
        model, new = self.model, self.new
        # augmenter step
        model.requires_grad_(requires_grad=False)
        self.new_adam.zero_grad()
        augmented = new(x)
        reconstruction = functional.mse_loss(augmented, x)
        z_new = model.z(self.spectrum(augmented))
        with torch.no_grad():
            z = model.z(self.spectrum(x))
        loss = reconstruction
        if self.olds:
            loss = loss + CLOSE * (1 - functional.cosine_similarity(z, z_new, eps=1e-6).mean()).clamp(min=1 - LIMIT)
            with torch.no_grad():
                z_old = model.z(self.spectrum(self._old()(x)))
            loss = loss + DIVERSE * functional.cosine_similarity(z_new, z_old, eps=1e-6).mean()
        loss.backward()
        self.new_adam.step()
        # task step
        model.requires_grad_()
        self.adam.zero_grad()
        z = model.z(self.spectrum(x))
        classification = functional.cross_entropy(model.head(z).softmax(1) / 0.1, y)
        labels = torch.cat([y, y + self.num_classes])
        total = classification + self._metric(z, new, x, labels)
        if self.olds:
            total = total + self._metric(z, self._old(), x, labels)
        total.backward()
        self.adam.step()
        return {
            "total": total.item(),
            "classification": classification.item(),
            "reconstruction": reconstruction.item(),
        }

    def _step_of_ours(self, x: Tensor, y: Tensor) -> dict[str, float]:
        model, new, some = self.model, self.new, self.some
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        old = self._old() if self.olds else None
        # augmenter step; batch statistics of augmented images are used, and not kept
        model.requires_grad_(requires_grad=False)
        self.new_adam.zero_grad()
        augmented = new(x[some])
        reconstruction = functional.mse_loss(augmented, x[some])
        loss = reconstruction
        if old is not None:
            _keep(norms, 0.0)
            z_new = model.z(self.spectrum(augmented))
            with torch.no_grad():
                z = model.z(self.spectrum(x))[some]
                z_old = model.z(self.spectrum(old(x[some])))
            loss = loss - CLOSE * functional.cosine_similarity(z_new, z, eps=1e-6).clamp(max=LIMIT).mean()
            loss = loss + DIVERSE * functional.cosine_similarity(z_new, z_old, eps=1e-6).mean()
        loss.backward()
        self.new_adam.step()
        # task step
        model.requires_grad_()
        self.adam.zero_grad()
        _keep(norms, 0.1)
        z = model.z(self.spectrum(x))
        classification = functional.cross_entropy(model.head(z), y)
        _keep(norms, 0.0)
        labels = torch.cat([y[some], y[some] + self.num_classes])
        total = classification + self._metric(z[some], new, x[some], labels)
        if old is not None:
            total = total + self._metric(z[some], old, x[some], labels)
        total.backward()
        self.adam.step()
        _keep(norms, 0.1)
        return {
            "total": total.item(),
            "classification": classification.item(),
            "reconstruction": reconstruction.item(),
        }

    def _old(self) -> PlainAugmenter:
        return self.olds[self.draw(len(self.olds))]

    def _metric(self, z: Tensor, augmenter: PlainAugmenter, x: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            spectra = self.spectrum(augmenter(x))
        return triplet(torch.cat([z, self.model.z(spectra)]), labels)


def _keep(norms: list[nn.BatchNorm2d], momentum: float) -> None:
    """How much of a forward pass goes into the running statistics."""
    for norm in norms:
        norm.momentum = momentum
