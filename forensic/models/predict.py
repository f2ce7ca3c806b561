"""Tiles to logits and features, in batches of one size.

Features are what a score looks at beside the logits: the embedding (D), and behind it, for scores that need them, block
means of the log spectrum (48), and behind these traces (900).

A share of a batch that is not full is padded, so that every tile meets the same arithmetic whatever its neighbours are:
libraries choose their algorithm by batch size, and another one differs in the last bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import torch

from forensic.models.inference import FoldedNetwork, has_fused_convolution
from forensic.models.score_kinds import APPENDED, Appended, appended
from forensic.models.winograd import MOST_WORKERS, SHARE, WinogradNetwork
from forensic.traces.features import trace_features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray
    from torch import Tensor

    from forensic.models.feature_extractor import TaskModel
    from forensic.models.weights import Weights

    Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]

Key = TypeVar("Key")

BATCH = SHARE
"""Tiles that are computed together on the processor, where more is not faster: eight tiles' activations stay in its
caches."""
CUDA_BATCH = 32
"""Tiles a batch on a device. Either size is part of what a score depends on in its last bits, hence one for all."""


class Predictor:
    """Runs a task model on tiles.

    Args:
        weights: loaded weights, or a task model alone.
        device: `cpu` or `cuda`.
        batch: tiles a batch, rounded up to whole shares; what suits the device where None.
        augmenter: what the tiles, scaled, pass before they come to the model, (N, 3, S, S) -> same.
        network: runs in place of the model's own trunk and head, on the processor and for batches of this size: output
            of the input layer (batch, 3, S, S) float32 -> logits (batch, K), embeddings (batch, D).
        features: what they hold behind the embedding; what the weights' score needs where None.
    """

    def __init__(
        self,
        weights: Weights | TaskModel,
        device: str = "cpu",
        batch: int | None = None,
        augmenter: torch.nn.Module | None = None,
        network: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
        *,
        features: Appended | None = None,
    ) -> None:
        if isinstance(weights, torch.nn.Module):
            model, needed = weights, appended("")
        else:
            model, needed = weights.model, appended(weights.scorer.kind)
        self._appended = needed if features is None else features
        self.device = torch.device(device)
        self.model = model.to(self.device)
        self.augmenter = None if augmenter is None else augmenter.to(self.device)
        if network is None and self.device.type == "cpu":
            threads = torch.get_num_threads()
            wanted = batch or BATCH * min(threads, MOST_WORKERS)
            self._share = min(wanted, BATCH)
            self.batch = -(-wanted // self._share) * self._share
            self._network = on_processor(model, self.batch, threads)
        else:
            self.batch = self._share = batch or (BATCH if self.device.type == "cpu" else CUDA_BATCH)
            self._network = network or _whole(model)
        side = model.architecture.size
        self._slots = np.zeros((self.batch, 3, side, side), dtype=np.uint8)

    def __call__(self, tiles: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits and features of tiles.

        Args:
            tiles: (N, 3, S, S) uint8, planar RGB, S the side of the architecture; N may be 0.

        Returns:
            logits (N, K) and features (N, D) or wider, float32.

        Raises:
            TypeError: the tiles are not uint8.
            ValueError: another shape.
            RuntimeError: the model was put into training mode.
        """
        if tiles.dtype != np.uint8:
            raise TypeError(f"tiles: expected uint8, got {tiles.dtype}")
        if tiles.ndim != 4 or tiles.shape[1:] != self._slots.shape[1:]:
            raise ValueError(f"tiles: expected (N, {str(self._slots.shape[1:])[1:]}, got {tiles.shape}")
        if self.model.training:
            raise RuntimeError("the model is in training mode: its results would depend on the batch")
        columns = self.model.architecture.embedding_dim + APPENDED[self._appended]
        logits = np.empty((len(tiles), self.model.num_classes), dtype=np.float32)
        features = np.empty((len(tiles), columns), dtype=np.float32)
        for start in range(0, len(tiles), self.batch):
            some = tiles[start : start + self.batch]
            shares = -(-len(some) // self._share) * self._share
            self._slots[: len(some)] = some
            self._slots[len(some) : shares] = 0
            batch_logits, batch_features = self._forward(self._slots[:shares])
            logits[start : start + len(some)] = batch_logits[: len(some)]
            features[start : start + len(some)] = batch_features[: len(some)]
        return logits, features

    @property
    def ahead(self) -> int:
        """Tiles that `predict_images` gathers for one call of `of_images`."""
        return self.batch

    def of_images(self, images: Sequence[NDArray[np.uint8]]) -> list[Outputs]:
        """Logits (T, K) and features of each image, from its tiles (T, 3, S, S); batches are filled across."""
        return of_images(self, images)

    def _forward(self, slots: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with torch.inference_mode(), same_every_time():
            tiles = torch.from_numpy(slots).to(self.device)
            images = scaled(tiles)
            images = images if self.augmenter is None else self.augmenter(images)
            spectra = self.model.input_layer(images)
            logits, features = self._network(spectra)
            behind = []
            if self._appended:
                behind.append(self.model.input_layer.block_means(images, spectra))
            if self._appended == "traces":  # of 8-bit pixels: an augmenter's are none, and no score is taken there
                behind.append(trace_features(tiles))
            features = torch.cat([features, *behind], dim=1)
            return logits.cpu().numpy(), features.cpu().numpy()


def of_images(predict: Callable[[NDArray[np.uint8]], Outputs], images: Sequence[NDArray[np.uint8]]) -> list[Outputs]:
    """Logits (T, K) and features of each image, from one call with the tiles of all.

    Args:
        predict: tiles (N, 3, S, S) -> logits (N, K) and features of each.
        images: tiles of each, (T, 3, S, S) uint8.
    """
    if not images:
        return []
    logits, features = predict(np.concatenate(images))
    ends = np.cumsum([len(tiles) for tiles in images])[:-1]
    return list(zip(np.split(logits, ends), np.split(features, ends), strict=True))


def on_processor(model: TaskModel, batch: int, threads: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """A network for a processor: with about half the multiplications where oneDNN is fast, else as it is.

    Args:
        model: in evaluation mode; later changes of it are not seen.
        batch: the most images a call; a multiple of `BATCH`, or fewer than that.
        threads: those of torch.

    Returns:
        Output of the input layer (B, 3, S, S) float32 -> logits (B, K), embeddings (B, D).
    """
    if has_fused_convolution():
        return WinogradNetwork(model, batch, threads)
    network = FoldedNetwork(model, BATCH)

    def run(spectra: Tensor) -> tuple[Tensor, Tensor]:
        logits, embeddings = zip(*map(network, torch.split(spectra, BATCH)), strict=True)
        return torch.cat(logits), torch.cat(embeddings)

    return run


def _whole(model: TaskModel) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """The model as it is, on its device."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch takes it, its stub does not

    def run(spectra: Tensor) -> tuple[Tensor, Tensor]:
        embeddings = model.features(spectra)
        return model.head(embeddings), embeddings

    return run


class ImagePredictor(Protocol):
    """What gives logits and features of whole images: a `Predictor`, or an engine around one."""

    @property
    def ahead(self) -> int:
        """Tiles to gather for one call."""

    def of_images(self, images: Sequence[NDArray[np.uint8]]) -> list[Outputs]:
        """Logits (T, K) and features of each image, in their order."""


def predict_images(
    predictor: ImagePredictor, images: Iterable[tuple[Key, NDArray[np.uint8]]]
) -> Iterator[tuple[Key, NDArray[np.float32], NDArray[np.float32]]]:
    """Logits and features of images of any number of tiles, in their order, with batches filled across images.

    Args:
        predictor: what runs.
        images: (key, tiles (T, 3, S, S) uint8); read only as far ahead as the predictor asks for.

    Yields:
        key, logits (T, K), features (T, D) or (T, D + 48).
    """
    waiting: list[tuple[Key, NDArray[np.uint8]]] = []
    count = 0
    for key, tiles in images:
        waiting.append((key, tiles))
        count += len(tiles)
        if count >= predictor.ahead:
            yield from _apart(predictor, waiting)
            waiting, count = [], 0
    yield from _apart(predictor, waiting)


def _apart(
    predictor: ImagePredictor, images: list[tuple[Key, NDArray[np.uint8]]]
) -> Iterator[tuple[Key, NDArray[np.float32], NDArray[np.float32]]]:
    outputs = predictor.of_images([tiles for _, tiles in images])
    for (key, _), (logits, features) in zip(images, outputs, strict=True):
        yield key, logits, features


def scaled(images: torch.Tensor) -> torch.Tensor:
    """uint8 0..255 of any shape -> float32 in [-1, 1]: (v / 255 - 0.5) / 0.5 in that order, as the authors do."""
    return (images.to(torch.float32) / 255.0 - 0.5) / 0.5


def same_every_time() -> AbstractContextManager[None]:
    """The cuDNN library without benchmarks, without algorithms that add in any order, in full float32."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
