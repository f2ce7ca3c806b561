"""Training images in memory: read once, hashed, checked; what can not be read is named and left out.

With `pose-128-v1` an image is kept as its 128 px square; with `tiles-128-v1` as it is, so that a crop can be taken
anew each pass. Images beyond the budget stay on disk and are decoded again at each use: slower, never different.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forensic.data import decode, prepare
from forensic.errors import FileOutcome, MachineError, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from forensic.data.sample import Sample

DEFAULT_BUDGET = 4 << 30
"""Bytes of pixels kept in memory: OSMA's 60,000 squares of 128 px take 2.9 GB."""


@dataclass(frozen=True)
class Record:
    """What was found in one file."""

    sample: Sample
    sha256: str | None
    """None where the file could not be opened."""
    reason: str | None
    """Why it was left out; None where it is used."""


class TrainingImages:
    """The images that can be used, in the order of their samples.

    Use `read_training_images` to make one.
    """

    def __init__(self, records: list[Record], pixels: list[NDArray[np.uint8] | None], preprocessing: str) -> None:
        self.records = records
        """One for each file, also for those left out."""
        self.samples = [record.sample for record in records if record.reason is None]
        self.hashes = [record.sha256 for record in records if record.reason is None and record.sha256 is not None]
        self._pixels = pixels
        self._preprocessing = preprocessing

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def damaged(self) -> list[Record]:
        """The files left out, with the reason."""
        return [record for record in self.records if record.reason is not None]

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Pixels of a usable image, uint8 (H, W, 3), both sides at least 128; not to be written to.

        Raises:
            MachineError: the file was readable when training began and is not any more.
        """
        kept = self._pixels[index]
        if kept is not None:
            return kept
        sample = self.samples[index]
        try:
            data = sample.path.read_bytes()
            if hashlib.sha256(data).hexdigest() != self.hashes[index]:
                raise MachineError(
                    str(sample.path), "changed while training", "Start over with data that stay as they are"
                )
            return _pixels(data, sample, self._preprocessing)
        except (OSError, FileOutcome) as error:
            raise MachineError(
                str(sample.path), f"can not be read any more: {error}", "Go on with `forensic train --resume RUN`"
            ) from error


def read_training_images(
    samples: Sequence[Sample],
    preprocessing: str,
    *,
    budget: int = DEFAULT_BUDGET,
    threads: int = 2,
    on_read: Callable[[Record], None] | None = None,
) -> TrainingImages:
    """Reads, hashes and decodes every sample once.

    Args:
        samples: of any label.
        preprocessing: `tiles-128-v1` or `pose-128-v1`.
        budget: bytes of pixels to keep.
        threads: that decode side by side; the result does not depend on them.
        on_read: called for each file, in order.
    """
    records: list[Record] = []
    pixels: list[NDArray[np.uint8] | None] = []

    def read(sample: Sample) -> tuple[Record, NDArray[np.uint8] | None]:
        try:
            data = sample.path.read_bytes()
        except OSError as error:
            return Record(sample, None, error.strerror or type(error).__name__), None
        digest = hashlib.sha256(data).hexdigest()
        try:
            return Record(sample, digest, None), _pixels(data, sample, preprocessing)
        except FileOutcome as outcome:
            return Record(sample, digest, outcome.reason), None

    kept = 0
    with ThreadPoolExecutor(threads) as pool:
        # blocks bound what is decoded ahead; within a block the order is that of the samples
        for at in range(0, len(samples), 64):
            for record, image in pool.map(read, samples[at : at + 64]):
                records.append(record)
                if record.reason is None and image is not None:
                    kept += image.nbytes
                    pixels.append(image if kept <= budget else None)
                if on_read:
                    on_read(record)
    return TrainingImages(records, pixels, preprocessing)


def _pixels(data: bytes, sample: Sample, preprocessing: str) -> NDArray[np.uint8]:
    pixels = decode.decode(data, name=str(sample.path)).pixels
    height, width = pixels.shape[:2]
    if min(height, width) < prepare.LEAST_SIDE:
        raise Skipped(f"too small: {width}x{height}, least side is {prepare.LEAST_SIDE}")
    if preprocessing == "pose-128-v1":
        return np.ascontiguousarray(prepare.prepare(pixels, preprocessing).tiles[0].transpose(1, 2, 0))
    return prepare.pad_to_tile(pixels)
