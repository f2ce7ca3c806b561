"""What weights keep so that classes can be added later, without the training images.

    whitening   the shrunk covariance of the traces and the class means: the plane of any classes follows from them
    images      of validation, known and unknown, in every form: their traces, from which standardisation, threshold and
                measures follow, and what the weights said of them

No torch here: cards are listed and files checked without it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from forensic.models.discriminant import Whitening, fit_whitening, whitening_from_tensors
from forensic.models.measures import Judged
from forensic.models.score_kinds import TRACE_FEATURES
from forensic.models.scorer import Scored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FORMS = ("stored", "jpeg")
PER_SOURCE = 40
"""At most this many images of a class or generator in one form are kept; a row takes 1.8 kB."""
_COLUMNS = 7


@dataclass(frozen=True)
class Images:
    """N images, each in one form."""

    names: ClassVar[tuple[str, ...]] = ("traces", "about", "scores")
    """Of the tensors that a weights file keeps."""

    traces: NDArray[np.float16]
    """(N, 900) mean over the tiles, less the whitening's offset."""
    about: NDArray[np.int32]
    """(N, 7) label or -1, number of the class or generator, place in `FORMS`, tiles, whether it is a whole picture,
    number of its photograph, label that was said."""
    scores: NDArray[np.float64]
    """(N,) score that was said."""

    def judged(self, offset: NDArray[np.float32]) -> list[Judged]:
        """As they were when they were kept, but for the names, which are numbers; features are the traces."""
        rows = self.traces.astype(np.float32) + offset
        return [
            Judged(
                form=FORMS[form],
                label=int(label),
                source=str(source),
                photo=str(photo),
                tiles=int(tiles),
                scored=Scored(int(said), float(score), np.array([score])),
                features=row,
                whole=bool(whole),
            )
            for row, score, (label, source, form, tiles, whole, photo, said) in zip(
                rows, self.scores, self.about, strict=True
            )
        ]

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """What a weights file keeps, by name."""
        return {name: getattr(self, name) for name in self.names}


@dataclass(frozen=True)
class Enrolment:
    """Made by `fit_enrolment`."""

    whitening: Whitening
    images: Images

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """What a weights file keeps, by name."""
        return {**self.whitening.tensors(), **self.images.tensors()}


def fit_enrolment(
    features: NDArray[np.floating],
    labels: NDArray[np.integer],
    num_classes: int,
    validation: Sequence[Judged],
) -> Enrolment:
    """What finished weights keep.

    Args:
        features: (N, F) of training images, the last 900 of them traces.
        labels: (N,) in [0, K).
        num_classes: K.
        validation: crops and whole pictures, with features as wide.
    """
    whitening = fit_whitening(features[:, -TRACE_FEATURES:], labels, num_classes)
    return Enrolment(whitening, keep_images(validation, whitening.offset))


def keep_images(judged: Sequence[Judged], offset: NDArray[np.float32], *, per_source: int = PER_SOURCE) -> Images:
    """Some of the images of each class and generator, evenly taken, in their order.

    Args:
        judged: with features (F,), the last 900 of them traces.
        offset: (900,).
        per_source: at most this many of a class or generator in one form.
    """
    groups = [(one.source, one.form, one.whole) for one in judged]
    totals, met = Counter(groups), Counter[tuple[str, str, bool]]()
    chosen = []
    for one, group in zip(judged, groups, strict=True):
        place, total = met[group], totals[group]
        met[group] += 1
        if total <= per_source or place * per_source % total < per_source:
            chosen.append(one)
    sources = {name: number for number, name in enumerate(sorted({one.source for one in chosen}))}
    photos: dict[str, int] = {}
    about = [
        (
            one.label,
            sources[one.source],
            FORMS.index(one.form),
            one.tiles,
            one.whole,
            photos.setdefault(one.photo, len(photos)),
            one.scored.label,
        )
        for one in chosen
    ]
    traces = np.array([one.features[-TRACE_FEATURES:] for one in chosen], dtype=np.float64).reshape(-1, TRACE_FEATURES)
    return Images(
        (traces - offset).astype(np.float16),
        np.array(about, dtype=np.int32).reshape(-1, _COLUMNS),
        np.array([one.scored.score for one in chosen], dtype=np.float64),
    )


def enrolment_from_tensors(tensors: Mapping[str, NDArray[np.generic]], num_classes: int) -> Enrolment:
    """The inverse of `Enrolment.tensors`.

    Raises:
        ValueError: a tensor is missing or unexpected, or a shape or a value does not fit.
    """
    _check_names(tensors, {*Whitening.names, *Images.names})
    whitening = whitening_from_tensors(tensors, "", num_classes, TRACE_FEATURES)
    return Enrolment(whitening, _images(tensors, num_classes))


def images_from_tensors(tensors: Mapping[str, NDArray[np.generic]], num_classes: int) -> Images:
    """The inverse of `Images.tensors`; errors as for `enrolment_from_tensors`."""
    _check_names(tensors, set(Images.names))
    return _images(tensors, num_classes)


def _check_names(tensors: Mapping[str, NDArray[np.generic]], names: set[str]) -> None:
    for name in sorted(tensors.keys() ^ names):
        raise ValueError(f"{name}: {'missing' if name in names else 'unexpected'}")


def _images(tensors: Mapping[str, NDArray[np.generic]], num_classes: int) -> Images:
    count = len(tensors["scores"])
    for name, shape in {"traces": (count, TRACE_FEATURES), "about": (count, _COLUMNS), "scores": (count,)}.items():
        if tensors[name].shape != shape:
            raise ValueError(f"{name}: expected {shape}, got {tensors[name].shape}")
    about = tensors["about"].astype(np.int32)
    lowest = np.array([-1, 0, 0, 1, 0, 0, 0])
    highest = np.array([num_classes - 1, 1 << 30, len(FORMS) - 1, 1 << 30, 1, 1 << 30, num_classes - 1])
    if ((about < lowest) | (about > highest)).any():
        raise ValueError("about: a value is out of range")
    return Images(tensors["traces"].astype(np.float16), about, tensors["scores"].astype(np.float64))
