"""How far hashes of pictures lie from those of their own thumbnails and of others': for `exif_thumbnail.SAME_UP_TO`.

python tests/bench/thumbnails.py --data OSMA_MINI     minutes; prints the figures that stand beside the constant
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from forensic.data import exif_thumbnail
from forensic.data.exif_thumbnail import differing_bits

SHAPES = (3 / 2, 4 / 3, 16 / 9, 2 / 3)
CROPS = (0.0, 0.025, 0.05, 0.075, 0.1)
BOXES: tuple[Callable[[float], tuple[float, float, float, float]], ...] = (
    lambda f: (f / 2, f / 2, 1 - f / 2, 1 - f / 2),
    lambda f: (f, f, 1, 1),
    lambda f: (0, 0, 1 - f, 1 - f),
    lambda f: (f, 0, 1, 1),
    lambda f: (0, 0, 1, 1 - f),
)
OTHERS = 5000


class Source(NamedTuple):
    photo: str
    picture: Image.Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="osma-mini; its test images are not opened")
    root, rng = parser.parse_args().data, random.Random(1)  # noqa: S311 - draws, no secrets
    exif_thumbnail.SAME_UP_TO = -1  # the least distance, not the first that is small enough
    sources = [Source(photo, shaped(image, shape)) for photo, image in images(root) for shape in SHAPES]
    sys.stdout.write(
        f"{len(sources) // len(SHAPES)} images of {len({source.photo for source in sources})} photographs\n"
    )
    thumbnails = [thumbnail(source.picture, rng) for source in sources]
    for crop in CROPS:
        tell(f"same, cropped by {crop:g}", (
            differing_bits(np.asarray(changed(source.picture, crop, rng)), small)
            for source, small in zip(sources, thumbnails, strict=True)
        ))  # fmt: skip
    tell("another photograph", others(sources, thumbnails, rng))
    for bits in range(9, 17):
        share = np.mean([each > bits for each in distances["another photograph"]])
        sys.stdout.write(f"  above {bits}: {share:.4f}\n")
    quarter = [source.picture for source in sources[::4]]
    for counted, clear in (("all bits", 0), ("clear bits", exif_thumbnail.CLEAR)):
        exif_thumbnail.CLEAR = clear
        faint = [with_contrast(picture, contrast) for contrast in (0.5, 1, 2, 4, 8) for picture in quarter]
        blurred = [picture.filter(ImageFilter.GaussianBlur(picture.width / 12)) for picture in quarter]
        for name, pictures in (("gradients", gradients()), ("little contrast", faint), ("blurred", blurred)):
            found = (differing_bits(np.asarray(each), thumbnail(each, rng)) for each in pictures)
            tell(f"same, {name}, {counted}", found)


distances: dict[str, list[int]] = {}


def tell(name: str, found: Iterator[int]) -> None:
    bits = distances[name] = list(found)
    low, half, high = np.percentile(bits, (1, 50, 99))
    sys.stdout.write(
        f"{name}: {len(bits)} pairs, least {min(bits)}, 1 % {low:g}, median {half:g}, 99 % {high:g}, most {max(bits)}\n"
    )


def images(root: Path) -> Iterator[tuple[str, Image.Image]]:
    """Photograph and picture: class real of train and val, and the whole pictures of val."""
    with (root / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["class"] == "real" and row["split"] in ("train", "val"):
                yield row["photo"], Image.open(root / row["path"]).convert("RGB")
    with (root / "val_full" / "FULL.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row["photo"], Image.open(root / "val_full" / row["file"]).convert("RGB")


def shaped(image: Image.Image, shape: float) -> Image.Image:
    """The middle of it, `shape` times as wide as high."""
    width, height = min(image.width, round(image.height * shape)), min(image.height, round(image.width / shape))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def thumbnail(picture: Image.Image, rng: random.Random) -> np.ndarray:
    """As a JPEG gives it back, 160 x 120 or 120 x 160 between black bars, or 160 pixels long without."""
    frame = rng.choice([(160, 120), (160, 120) if picture.width > picture.height else (120, 160), (160, 160)])
    scale = min(frame[0] / picture.width, frame[1] / picture.height)
    small = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    if frame != (160, 160):
        whole = Image.new("RGB", frame)
        whole.paste(small, ((frame[0] - small.width) // 2, (frame[1] - small.height) // 2))
        small = whole
    out = io.BytesIO()
    small.save(out, "JPEG", quality=rng.choice([60, 70, 80]))
    return np.asarray(Image.open(out).convert("RGB"))


def changed(picture: Image.Image, crop: float, rng: random.Random) -> Image.Image:
    """Brightness and contrast by up to 15 %, and a crop at a corner, at a side or all around."""
    brighter = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.85, 1.15))
    box, (width, height) = rng.choice(BOXES)(crop), picture.size
    edges = (round(box[0] * width), round(box[1] * height), round(box[2] * width), round(box[3] * height))
    return ImageEnhance.Contrast(brighter).enhance(rng.uniform(0.85, 1.15)).crop(edges)


def others(sources: list[Source], thumbnails: list[np.ndarray], rng: random.Random) -> Iterator[int]:
    for _ in range(OTHERS):
        one, other = rng.randrange(len(sources)), rng.randrange(len(sources))
        if sources[one].photo != sources[other].photo:
            yield differing_bits(np.asarray(sources[one].picture), thumbnails[other], rng.choice([1, 1, 2, 5]))


def with_contrast(picture: Image.Image, contrast: float) -> Image.Image:
    """The same with another standard deviation, in grey levels, and a little noise."""
    levels = np.asarray(picture).astype(float)
    levels = (levels - levels.mean()) / levels.std() * contrast + levels.mean()
    noise = np.random.default_rng(1).normal(0, 0.7, levels.shape)
    return Image.fromarray(np.clip(np.rint(levels + noise), 0, 255).astype(np.uint8))


def gradients() -> list[Image.Image]:
    """Like an evening sky."""
    made = []
    for seed in range(120):
        generator = np.random.default_rng(seed)
        low, high = sorted(generator.uniform(0, 255, 2))
        levels = np.linspace(high, low, 320)[:, None, None] + generator.normal(0, (0, 1, 3)[seed % 3], (320, 480, 3))
        made.append(Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8)))
    return made


if __name__ == "__main__":
    main()
