"""Training images: read once, hashed, checked; what can not be read is named and left out.

With `pose-128-v1` an image is kept as its 128 px square; otherwise as it is, so that a crop can be taken
anew each pass. They are kept in a file that is mapped into memory (`pixel_cache.py`), where the next run finds them
decoded, or in memory. Images beyond the space stay on disk and are decoded again at each use: slower, never different.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forensic.data import decode, prepare
from forensic.data.pixel_cache import DamagedError, PixelFile, PixelWriter, key_of_pixels
from forensic.errors import FileOutcome, MachineError, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forensic.data.sample import Sample

_BLOCK = 64
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


@dataclass(frozen=True)
class Kept:
    """Where decoded images are kept for the next run."""

    path: Path
    """NAME.pixels, in a folder of such files alone."""
    tell: Callable[[str], None]
    """Called with one line where the file is of no use, or can not be written."""


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
    kept: Kept | None = None,
) -> TrainingImages:
    """Reads and hashes every sample, and decodes those that were not decoded before.

    Args:
        samples: of any label.
        preprocessing: one of `PREPROCESSINGS`.
        budget: bytes of pixels to keep in memory, where they are not kept in a file.
        threads: that decode side by side; the result does not depend on them.
        on_read: called for each file, in order.
        kept: the file that holds decoded images; the result does not depend on it. None keeps them in memory.
    """
    records: list[Record] = []

    def tell(record: Record) -> None:
        records.append(record)
        if on_read:
            on_read(record)

    if kept is not None and samples:
        try:
            pixels = _read_through_file(samples, preprocessing, threads, tell, kept)
            return TrainingImages(records, pixels, preprocessing)
        except OSError as error:  # of that file: an image that can not be read has a record
            kept.tell(f"{kept.path}: {error.strerror or error}; decoded images are kept in memory alone")
    told, records = len(records), []
    pixels, size = [], 0
    for record, image in _read(samples, preprocessing, threads, None):
        if len(records) < told:
            records.append(record)
        else:
            tell(record)
        if record.reason is None and image is not None:
            size += image.nbytes
            pixels.append(image if size <= budget else None)
    return TrainingImages(records, pixels, preprocessing)


def _read_through_file(
    samples: Sequence[Sample], preprocessing: str, threads: int, tell: Callable[[Record], None], kept: Kept
) -> list[NDArray[np.uint8] | None]:
    """Pixels of the usable samples, from a file that is written anew where it lacks any of them."""
    key = key_of_pixels(preprocessing)
    known = _opened(kept, key)
    seen: list[Record] = []
    writer: PixelWriter | None = None
    try:
        for record, image in _read(samples, preprocessing, threads, known):
            tell(record)
            if record.sha256 is None:
                continue
            if writer is None and not (known is not None and record.sha256 in known):
                writer = PixelWriter(kept.path, key)
                for earlier in seen:
                    _add(writer, earlier, None, known)
            seen.append(record)
            if writer is not None:
                _add(writer, record, image, known)
                if len(seen) % _BLOCK == 1:
                    writer.check_disk()
        file = known if writer is None else writer.finish()
    except BaseException:
        if writer is not None:
            writer.abandon()
        raise
    if file is None:  # not one sample could be opened
        return []
    return [file.pixels(record.sha256) for record in seen if record.reason is None and record.sha256 is not None]


def _opened(kept: Kept, key: str) -> PixelFile | None:
    try:
        return PixelFile(kept.path, key)
    except FileNotFoundError:
        return None
    except DamagedError as error:
        kept.tell(f"{kept.path}: {error}; made anew")
        return None


def _add(writer: PixelWriter, record: Record, image: NDArray[np.uint8] | None, known: PixelFile | None) -> None:
    if record.sha256 is None:
        return
    if known is not None and record.sha256 in known:
        image = known.pixels(record.sha256)
    writer.add(record.sha256, image, record.reason)


def _read(
    samples: Sequence[Sample], preprocessing: str, threads: int, known: PixelFile | None
) -> Iterator[tuple[Record, NDArray[np.uint8] | None]]:
    """Record and pixels of each sample in order; no pixels of what `known` knows."""

    def read(sample: Sample) -> tuple[Record, NDArray[np.uint8] | None]:
        try:
            data = sample.path.read_bytes()
        except OSError as error:
            return Record(sample, None, error.strerror or type(error).__name__), None
        digest = hashlib.sha256(data).hexdigest()
        if known is not None and digest in known:
            return Record(sample, digest, known.reason(digest)), None
        try:
            return Record(sample, digest, None), _pixels(data, sample, preprocessing)
        except FileOutcome as outcome:
            return Record(sample, digest, outcome.reason), None

    with ThreadPoolExecutor(threads) as pool:
        # blocks bound what is decoded ahead; within a block the order is that of the samples
        for at in range(0, len(samples), _BLOCK):
            yield from pool.map(read, samples[at : at + _BLOCK])


def _pixels(data: bytes, sample: Sample, preprocessing: str) -> NDArray[np.uint8]:
    pixels = decode.decode(data, name=str(sample.path)).pixels
    height, width = pixels.shape[:2]
    if min(height, width) < prepare.LEAST_SIDE:
        raise Skipped(f"too small: {width}x{height}, least side is {prepare.LEAST_SIDE}")
    if preprocessing == "pose-128-v1":
        return np.ascontiguousarray(prepare.prepare(pixels, preprocessing).tiles[0].transpose(1, 2, 0))
    return prepare.pad_to_tile(pixels)
