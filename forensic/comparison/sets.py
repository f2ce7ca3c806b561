"""Files to a set of images: where each lies among the generators, and its spectra. Files are only read, once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from forensic.case import evidence
from forensic.case.rows import display_path
from forensic.data.decode import decode
from forensic.data.inspection import DecodeLimits
from forensic.data.jpeg_quality import jpeg_quality
from forensic.data.prepare import prepare
from forensic.data.signatures import EXTENSIONS
from forensic.errors import FileOutcome
from forensic.spectra.reading import ImageSpectrum, spectrum_of_decoded
from forensic.traces.features import trace_features

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from forensic.models.card import Card
    from forensic.models.verification import Verification

_KNOWN = frozenset().union(*EXTENSIONS.values())


@dataclass(frozen=True)
class SetImage:
    """One image of a set."""

    path: str
    sha256: str
    place: NDArray[np.float64]
    """(D,) among the generators."""
    spectrum: ImageSpectrum
    flags: tuple[str, ...]
    """`small`, `outside-validation`, and those of the decoder."""


@dataclass
class ImageSet:
    """What was found below one argument."""

    name: str
    images: list[SetImage] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """(path, reason) of files that can not be used."""

    @property
    def places(self) -> NDArray[np.float64]:
        """(N, D), N >= 1."""
        return np.stack([image.place for image in self.images])

    @property
    def flags(self) -> dict[str, int]:
        """Flag -> images that have it, by name."""
        names = sorted({name for image in self.images for name in image.flags})
        return {name: sum(name in image.flags for image in self.images) for name in names}


def image_files(argument: Path) -> list[Path]:
    """A file as given; of a folder, in byte order, what lies below it with an image's extension, links left out."""
    if not evidence.is_folder(argument):
        return [argument]
    found = []
    for folder, _, names in os.walk(argument):
        found += [Path(folder, name) for name in names if Path(name).suffix[1:].lower() in _KNOWN]
    return sorted((path for path in found if not path.is_symlink()), key=os.fsencode)


def read_set(
    argument: Path, files: Sequence[Path], card: Card, verification: Verification, on_file: Callable[[], None]
) -> ImageSet:
    """Reads a set; what can not be used stands in `left_out`.

    Args:
        argument: what the user named, for the set's name.
        files: of `image_files`.
        card: of the weights; says how images are prepared and what was validated.
        verification: of the same weights.
        on_file: called after each file.
    """
    found = ImageSet(display_path(os.fsencode(argument))[0])
    seen: set[str] = set()
    for path in files:
        name = display_path(os.fsencode(path))[0]
        try:
            read = evidence.read(os.fsencode(path), max_bytes=DecodeLimits().max_bytes)
            if read.sha256 in seen:
                found.left_out.append((name, "the same bytes as another file of this set"))
                continue
            found.images.append(_image(name, read, card, verification))
            seen.add(read.sha256)
        except FileOutcome as outcome:
            found.left_out.append((name, outcome.reason))
        finally:
            on_file()
    return found


def _image(name: str, read: evidence.Evidence, card: Card, verification: Verification) -> SetImage:
    decoded = decode(read.data, name=name)
    prepared = prepare(decoded.pixels, card.preprocessing)
    height, width = decoded.pixels.shape[:2]
    covered = card.validated.covers(decoded.format, width, height, jpeg_quality(read.data))
    return SetImage(
        path=name,
        sha256=read.sha256,
        place=verification.place(trace_features(torch.from_numpy(prepared.tiles)).numpy()),
        spectrum=spectrum_of_decoded(decoded, name=name),
        flags=(*decoded.flags, *prepared.flags, *(() if covered else ("outside-validation",))),
    )
