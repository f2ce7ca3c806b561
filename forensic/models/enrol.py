"""A class more, from images and without training; and less again.

    images     10 to 200, of equal files one; half of them fit the class, half measure it. Pictures that look alike stay
               in one half: otherwise the measure would be of images that fitted the class
    mean       of the traces of the first half, as stored and re-encoded like training images. In 900 numbers the mean
               of few images lies far from further images, so its part outside the plane of the trained classes is
               drawn back by the share that its own scatter explains (James and Stein 1961)
    the rest   `forensic.models.enrolled`

An image's half depends on its bytes and on no name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from forensic.data import decode
from forensic.data.loader import Reencoding, reencode
from forensic.data.prepare import prepare
from forensic.data.sample import UNKNOWN, check_class_name, list_images
from forensic.errors import FileOutcome, UsageError, WeightsError
from forensic.models.card import Card, files_hash
from forensic.models.enrolled import Added, Trained, put_together, taken_apart
from forensic.models.enrolment import keep_images
from forensic.models.measures import Judged
from forensic.models.network_state import network_from_tensors
from forensic.models.predict import Predictor, predict_images
from forensic.models.score_kinds import TRACE_FEATURES
from forensic.models.scorer import Scored, scorer_from_tensors
from forensic.models.weights import read_pair, tensors_below, write_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forensic.models.discriminant import Whitening
    from forensic.models.finish import Profile

LEAST, MOST = 10, 200
LEAST_HALF = 3
"""Images on either side, where many look alike."""
ALIKE = 4
"""Of the 64 bits of `_look`, at most so many differ between pictures that stay together."""
_SAME = 1.0
"""Squared Mahalanobis distance of the traces of one image that is met twice, where two images are hundreds apart: what
is kept in float16 differs by less."""
_AGAIN = 3
"""Re-encoded forms of an image that fits, as for training images."""
_HOW = "class mean in the plane of residual traces, from images and without training"


@dataclass
class _Picture:
    """One image of the folder."""

    digest: str
    look: int
    judged: list[Judged]
    """As stored, then re-encoded."""
    profile: NDArray[np.float32] | None = None


def enrol(
    path: Path,
    name: str,
    folder: Path,
    out: Path,
    *,
    profile: Profile,
    device: str = "cpu",
    on_image: Callable[[int, int], None] | None = None,
) -> Card:
    """Writes weights that know one class more.

    Args:
        path: tensors file of weights whose score is of traces; it may have enrolled classes already.
        name: of the class.
        folder: its images, anywhere below.
        out: path of the new tensors file.
        profile: the radial profile of an image, for the class spectra.
        device: `cpu` or `cuda`.
        on_image: called with (done, total).

    Returns:
        The card as written; `enrolled` has what was measured. Same weights and images: same bytes of both files.

    Raises:
        UsageError: fewer than 10 images that can be read, too many that look alike, a class that is there, or images of
            a known class.
        MissingError: a name that no class can have.
        WeightsError: weights that keep nothing to enrol with.
    """
    check_class_name(name, "the class")
    card, tensors = read_pair(path)
    if name in card.classes:
        raise UsageError(f"class {name}", f"is known to {path.stem} already", "Choose another name")
    trained, added = taken_apart(path, card, tensors)
    if not any(
        one.known and not one.whole for one in trained.enrolment.images.judged(trained.enrolment.whitening.offset)
    ):
        raise WeightsError(str(path), "was made without known validation images: no threshold can be fitted")
    listed = list_images(folder)
    if len(listed) > MOST:
        listed = [listed[step * len(listed) // MOST] for step in range(MOST)]
    pictures = list(_read(listed, trained, profile, device, on_image))
    if len(pictures) < LEAST:
        raise UsageError(
            str(folder), f"holds {len(pictures)} different images that can be read; a class takes {LEAST} to {MOST}"
        )
    fit, held = _halves(pictures, folder)
    added.append(_added(name, trained, pictures, fit, held, folder))
    written, kept = put_together(trained, added)
    return write_pair(out, kept, written)


def remove(path: Path, name: str, out: Path) -> Card:
    """Writes weights without an enrolled class, byte for byte those that would be there if it had never been added.

    Args:
        path: of the tensors file.
        name: of the class.
        out: path of the new tensors file.

    Raises:
        UsageError: a class that is not there, or a trained one.
    """
    card, tensors = read_pair(path)
    if name not in card.classes:
        raise UsageError(f"class {name}", f"is not known to {path.stem}", f"Enrolled are: {_listed(card)}")
    if name not in card.enrolled:
        raise UsageError(
            f"class {name}",
            "was trained: the network, the covariance and every measure of the card come from its images too",
            f"Only enrolled classes can be removed ({_listed(card)}); train without it",
        )
    trained, added = taken_apart(path, card, tensors)
    written, kept = put_together(trained, [one for one in added if one.name != name])
    return write_pair(out, kept, written)


def _listed(card: Card) -> str:
    return ", ".join(card.enrolled) or "none"


def _read(
    listed: Sequence[Path],
    trained: Trained,
    profile: Profile,
    device: str,
    on_image: Callable[[int, int], None] | None,
) -> Iterator[_Picture]:
    """The images that can be read, each content once, and what the trained weights say of them in every form."""
    card = trained.card
    recipe = card.recipe
    again = None
    if recipe.get("jpeg_share", 0) > 0:
        again = Reencoding(1.0, recipe["jpeg_quality_min"], recipe["jpeg_quality_max"])
    model = network_from_tensors(tensors_below("network", trained.tensors), card.num_trained, card.architecture)
    predictor = Predictor(model, device, features="traces")
    dimension = model.architecture.embedding_dim
    scorer = scorer_from_tensors(tensors_below("scorer", trained.tensors), card.scorer, card.num_classes, dimension)
    digests: set[str] = set()

    def tiles() -> Iterator[tuple[tuple[_Picture, str], NDArray[np.uint8]]]:
        for done, path in enumerate(listed):
            if on_image:
                on_image(done, len(listed))
            try:
                data = path.read_bytes()
                digest = hashlib.sha256(data).hexdigest()
                if digest in digests:
                    continue
                pixels = decode.decode(data, name=str(path)).pixels
                stored = prepare(pixels, card.preprocessing).tiles
            except (OSError, FileOutcome):
                continue
            digests.add(digest)
            picture = _Picture(digest, _look(pixels), [], profile(stored))
            yield (picture, "stored"), stored
            draws = np.random.default_rng(int(digest[:16], 16))
            for _ in range(_AGAIN if again else 0):
                yield (picture, "jpeg"), prepare(reencode(pixels, again, draws), card.preprocessing).tiles  # type: ignore[arg-type]  # counted above

    for (picture, form), logits, features in predict_images(predictor, tiles()):
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        scored: Scored = scorer(logits, features)
        picture.judged.append(Judged(form, UNKNOWN, "", picture.digest, len(logits), scored, mean))
        if len(picture.judged) == 1 + (_AGAIN if again else 0):
            yield picture


def _look(pixels: NDArray[np.uint8]) -> int:
    """64 bits: whether the picture, shrunk to 9 x 8 grey values, brightens from each to its right neighbour."""
    small = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (9, 8), interpolation=cv2.INTER_AREA)
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


def _halves(pictures: Sequence[_Picture], folder: Path) -> tuple[list[_Picture], list[_Picture]]:
    """Those that fit and those that measure, pictures that look alike together.

    Raises:
        UsageError: too many look alike.
    """
    ordered = sorted(pictures, key=lambda picture: picture.digest)
    groups: list[list[_Picture]] = []
    for picture in ordered:
        near = [group for group in groups if any((picture.look ^ one.look).bit_count() <= ALIKE for one in group)]
        merged = [one for group in near for one in group] + [picture]
        groups = [group for group in groups if group not in near] + [merged]
    fit: list[_Picture] = []
    held: list[_Picture] = []
    for group in sorted(groups, key=lambda group: (-len(group), min(one.digest for one in group))):
        (fit if len(fit) <= len(held) else held).extend(group)
    if min(len(fit), len(held)) < LEAST_HALF:
        raise UsageError(str(folder), f"shows {len(groups)} images only, in {len(pictures)} files", "Add other images")
    return fit, held


def _added(
    name: str,
    trained: Trained,
    pictures: Sequence[_Picture],
    fit: Sequence[_Picture],
    held: Sequence[_Picture],
    folder: Path,
) -> Added:
    whitening = trained.enrolment.whitening
    traces = np.stack([[one.features[-TRACE_FEATURES:] for one in picture.judged] for picture in fit]).mean(axis=1)
    stored = np.stack([picture.judged[0].features[-TRACE_FEATURES:] for picture in pictures]) - whitening.offset
    judged = [one for picture in held for one in picture.judged[:2]]
    facts = {
        "how": _HOW,
        "images": len(pictures),
        "fitted_on": len(fit),
        "held_back": len(held),
        "hash": files_hash([picture.digest for picture in pictures]),
        "files": sorted(picture.digest for picture in pictures),
        "unknown_sources": _same_unknown(trained, stored, folder),
    }
    spectrum = None
    if "spectra.mean" in trained.tensors:
        profiles = np.stack([picture.profile for picture in fit if picture.profile is not None]).astype(np.float64)
        spectrum = (profiles.mean(axis=0).astype(np.float32), profiles.std(axis=0, ddof=1).astype(np.float32))
    return Added(
        name,
        drawn_back(traces - whitening.offset, whitening).astype(np.float32),
        keep_images(judged, whitening.offset, per_source=MOST),
        spectrum,
        facts,
    )


def drawn_back(traces: NDArray[np.floating], whitening: Whitening) -> NDArray[np.float64]:
    """The mean of a class of few images, less what its scatter explains outside the plane of the trained classes.

        m = p + o                   whitened mean less that of a trained class, in the plane and outside
        o (1 - v / |o|^2)           v = sum of the images' variances / N, what chance alone makes of |o|^2

    Args:
        traces: (N, 900) of its images, less the offset, N >= 2.
        whitening: of the trained classes.

    Returns:
        (900,) less the offset.
    """
    matrix = whitening.whitening.astype(np.float64)
    whitened = traces.astype(np.float64) @ matrix
    classes = whitening.means.astype(np.float64) @ matrix
    gap = whitened.mean(axis=0) - classes[0]
    spanned = np.linalg.svd(classes[1:] - classes[0], full_matrices=False)[2]
    within = spanned.T @ (spanned @ gap)
    outside = gap - within
    noise = float(whitened.var(axis=0, ddof=1).sum()) / len(whitened)
    length = float(outside @ outside)
    kept = max(0.0, 1 - noise / length) if length > 0 else 0.0
    mean: NDArray[np.float64] = np.linalg.solve(matrix.T, classes[0] + within + kept * outside)
    return mean


def _same_unknown(trained: Trained, stored: NDArray[np.floating], folder: Path) -> list[int]:
    """Numbers of the unknown validation generators of which images are met again: they are of the new class.

    Raises:
        UsageError: images of a known class are met again.
    """
    whitening, images = trained.enrolment.whitening, trained.enrolment.images
    rows = images.about[:, 2] == 0
    matrix = whitening.whitening.astype(np.float64)
    kept, new = images.traces[rows].astype(np.float64) @ matrix, stored.astype(np.float64) @ matrix
    squared = (kept**2).sum(axis=1)[:, None] + (new**2).sum(axis=1) - 2 * kept @ new.T
    met = images.about[rows][(squared < _SAME).any(axis=1)]
    for label in met[met[:, 0] != UNKNOWN, 0]:
        raise UsageError(str(folder), f"holds validation images of the known class {trained.card.classes[label]}")
    return sorted({int(source) for source in met[:, 1]})
