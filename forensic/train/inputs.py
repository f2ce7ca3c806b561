"""What a run learns from: the layout, its decoded images, and the batches made of them."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from forensic.data.cache import Kept, TrainingImages, read_training_images
from forensic.data.layouts import read_layout
from forensic.data.loader import BatchLoader, Reencoding
from forensic.data.sampler import ClassBalancedSampler
from forensic.errors import MissingError
from forensic.train.events import ImageRead, Remark
from forensic.train.validation import Validation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from forensic.data.cache import Record
    from forensic.data.sample import Layout
    from forensic.train.config import Recipe
    from forensic.train.events import Event
    from forensic.train.run_folder import RunConfig


@dataclass(frozen=True)
class TrainingInputs:
    """Read once at the start of a run, and again when it is resumed."""

    layout: Layout
    """With the preprocessing that the run uses."""
    images: TrainingImages
    loader: BatchLoader
    sampler: ClassBalancedSampler
    validation: Validation

    def batches(
        self, epoch: int, recipe: Recipe, first: int = 0
    ) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """Pixels (N, 3, S, S) and labels (N,) of the batches of an epoch, counted from 0, from batch `first` on.

        The next batch is made by another thread while the caller works on one; what is in it does not depend on when.
        """
        passes = range(epoch * recipe.passes, (epoch + 1) * recipe.passes)
        chosen = [(batch, pass_index) for pass_index in passes for batch in self.sampler.batches(pass_index)]
        with ThreadPoolExecutor(1, thread_name_prefix="next-batch") as thread:
            ahead = None
            for batch, pass_index in chosen[first:]:
                pixels = thread.submit(self.loader.load, batch, pass_index)
                if ahead is not None:
                    yield ahead[0].result(), ahead[1]
                ahead = pixels, batch.labels
            if ahead is not None:
                yield ahead[0].result(), ahead[1]

    def batches_per_epoch(self, recipe: Recipe) -> int:
        """Steps an epoch."""
        return len(self.sampler) * recipe.passes


def read_run_layout(config: RunConfig) -> Layout:
    """The layout with the preprocessing that the run uses; no image is decoded.

    Raises:
        MissingError: no data, or none to train on.
        UsageError: a split that the layout lacks.
    """
    layout = read_layout(Path(config.data), split=config.split, classes_dir=config.classes_dir)
    if not layout.train:
        subset = (
            "is OSMA's subset for evaluation, which" if layout.name.startswith("osma-subset") else f"({layout.name})"
        )
        raise MissingError(
            config.data, f"{subset} has no training images", "Name a folder that has some with --data or --classes"
        )
    return layout if config.preprocessing is None else replace(layout, preprocessing=config.preprocessing)


def read_inputs(
    config: RunConfig, layout: Layout, on_event: Callable[[Event], None], cache: Path | None = None
) -> TrainingInputs:
    """Reads every training and validation image.

    A damaged image is told, kept in the records and left out.

    Args:
        config: of the run.
        layout: with the preprocessing that the run uses.
        on_event: called as images are read.
        cache: folder that keeps decoded images for the next run; None keeps them in memory.

    Raises:
        MissingError: a class of which no image can be used.
    """
    recipe = config.recipe
    done = 0

    def tell(record: Record) -> None:
        nonlocal done
        done += 1
        on_event(ImageRead(done, len(layout.train), name_left_out(record)))

    if cache is not None and _touches(cache, layout.root):
        on_event(Remark(f"{cache}: lies in or beside the data; decoded images are kept in memory alone"))
        cache = None
    kept = {part: _kept(cache, layout, part, on_event) for part in ("train", "val", "val_unseen")}
    images = read_training_images(
        layout.train, layout.preprocessing, threads=config.threads, on_read=tell, kept=kept["train"]
    )
    labels = [sample.label for sample in images.samples]
    for label, name in enumerate(layout.classes):
        if label not in labels:
            raise MissingError(str(layout.root), f"has no usable training image of class {name}")
    side = recipe.architecture.size
    reencoding = Reencoding(recipe.jpeg_share, recipe.jpeg_quality_min, recipe.jpeg_quality_max)
    known_val, unknown_val = (
        read_training_images(samples, layout.preprocessing, threads=config.threads, kept=kept[part])
        for part, samples in (("val", layout.val), ("val_unseen", layout.val_unseen))
    )
    return TrainingInputs(
        layout=layout,
        images=images,
        loader=BatchLoader(images, config.seed, side, reencoding),
        sampler=ClassBalancedSampler(labels, len(layout.classes), recipe.batch_items, config.seed),
        validation=Validation(known_val, side, unknown_val),
    )


def _kept(cache: Path | None, layout: Layout, part: str, on_event: Callable[[Event], None]) -> Kept | None:
    """One file for each part of a layout, so that a changed folder takes the place of what it was."""
    if cache is None:
        return None
    words = (os.fsencode(layout.root.resolve()), layout.name.encode(), part.encode(), layout.preprocessing.encode())
    name = hashlib.sha256(b"\0".join(words)).hexdigest()[:24]
    return Kept(cache / f"{name}.pixels", lambda text: on_event(Remark(text)))


def _touches(cache: Path, root: Path) -> bool:
    cache, root = cache.resolve(), root.resolve()
    return cache == root or root in cache.parents or cache in root.parents


def name_left_out(record: Record) -> str | None:
    """`PATH: reason` of a file that can not be used, None of one that can."""
    return None if record.reason is None else f"{record.sample.path}: {record.reason}"
