"""The end of training: a task model becomes weights.

First the values are rounded to what the file will hold; scorer, threshold and measures are then taken on the rounded
model, so that the card speaks of the weights that are shipped. Training images give class spectra, validation
images, known and unknown, as stored and re-encoded, the threshold. For most kinds of score training images also give
class means and covariance, validation images the standardisation. Whole pictures (`val_full`) give the threshold
for images of more than one tile: they hold sky and other flat parts that nobody would choose as a crop, so that their
scores are lower.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

import forensic
from forensic.data import decode
from forensic.data.loader import Reencoding, random_crop, reencode
from forensic.data.prepare import TILE, prepare
from forensic.errors import FileOutcome, MissingError, Unreadable, WeightsError
from forensic.models.card import Card, Training, Validated, files_hash
from forensic.models.enrolment import fit_enrolment
from forensic.models.measures import Judged, measures_of, threshold_of
from forensic.models.network_state import architecture_fields, rounded
from forensic.models.predict import Predictor, predict_images
from forensic.models.score_kinds import ScoreKind, appended
from forensic.models.scorer import Scorer, fit_scorer
from forensic.models.verification import verification_of_training
from forensic.models.weights import save_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forensic.data.cache import TrainingImages
    from forensic.data.layouts import Layout, Sample
    from forensic.models.feature_extractor import TaskModel

    Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]

Profile = Callable[["NDArray[np.uint8]"], "NDArray[np.float32]"]
"""(T, 3, 128, 128) uint8 -> (64,) float32; `forensic.spectra.profile.log_radial`, handed in by the caller."""

LICENCE = "Apache-2.0; the training images have licences of their own, see the data they come from"

_LIMITS = (
    "Knows the classes of this card and nothing else. Unknown means that none of them fits; it does not mean "
    "generated, and known does not mean that no other generator could have made the image. The error rates hold for "
    "images like the validation images; other formats, sizes, contents and generators were not measured."
)
_LIMITS_OF_DATA = {
    "osma-mini": (
        "Trained on photographs, four small auto-encoders and two up-scalers: enough to see the tool work, not enough "
        "for casework. None of today's image generators is among the known classes."
    )
}


@dataclass(frozen=True)
class FinishPlan:
    """What `finish_weights` is told beside model and data."""

    recipe: dict[str, Any]
    """Name and every field of the recipe, TOML values; for the card."""
    reencoding: Reencoding
    """How training images were compressed; share 0: validation is on images as stored only."""
    seed: int
    """Of crops, re-encoding and bootstrap."""
    command: str = ""
    """What makes weights like these; for the card."""
    per_class: int = 500
    """At most this many images of a class for means, covariance and spectra, and of a source for validation."""
    device: str = "cpu"
    licence: str = LICENCE
    limits: str = ""
    """Sentences that take the place of those for the layout."""
    score: ScoreKind = "sum"
    """The kind of the score."""


@dataclass
class _Condition:
    """Validation images in one form: as stored, or re-encoded."""

    known: list[tuple[Sample, Outputs]] = field(default_factory=list)
    unknown: list[tuple[Sample, Outputs]] = field(default_factory=list)


@dataclass
class _Seen:
    """What validation has met."""

    formats: set[str] = field(default_factory=set)
    sides: list[int] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def finish_weights(
    model: TaskModel,
    layout: Layout,
    images: TrainingImages,
    out: Path,
    plan: FinishPlan,
    *,
    profile: Profile,
    on_image: Callable[[int, int], None] | None = None,
) -> Card:
    """Writes weights with their card.

    Args:
        model: trained; it is not changed.
        layout: whose val, val_unseen and val_full are used; its test images are not touched.
        images: the training images.
        out: path of the tensors file, NAME.safetensors; the card goes beside it.
        plan: the rest.
        profile: the radial profile of an image, for the class spectra.
        on_image: called with (done, total) as images pass.

    Returns:
        The card as written, with its hash. Same arguments and machine: same bytes of both files.

    Raises:
        WeightsError: the model has values that are not finite.
        MissingError: a class has no training image.
    """
    shipped = rounded(model)
    for name, value in shipped.state_dict().items():
        if not value.isfinite().all():  # before any image meets it
            raise WeightsError(str(out), f"network.{name} is not finite: training diverged", "Train with a smaller lr")
    predictor = Predictor(shipped, plan.device, features=appended(plan.score))
    finisher = _Finisher(predictor, layout, plan, on_image)
    train = _evenly(images.samples, plan.per_class)
    finisher.expect(len(train), layout.val, layout.val_unseen, layout.val_full)
    features, labels, profiles = finisher.train_features(images, train, profile)
    for label, name in enumerate(layout.classes):
        if not (labels == label).any():
            raise MissingError(f"class {name}", "has no training image that can be read")
    spectra = {name: _spread(profiles[label]) for label, name in enumerate(layout.classes)}
    fitted = verification_of_training(features, labels, [images.samples[at] for at in train], plan.score, plan.seed)
    conditions = finisher.conditions(layout.val, layout.val_unseen)
    known = [outputs for condition in conditions.values() for _, outputs in condition.known]
    fallback = ""
    if not known:
        how = "chosen" if plan.score == "softmax" else "standardised"
        fallback = f"no known validation images: {how} on training images; "
        known = finisher.training_outputs
    scorer = fit_scorer(features, labels, known, len(layout.classes), kind=plan.score)
    crops = finisher.crops(conditions, scorer)
    scores_known = [scorer(*outputs).score for outputs in known]
    scores_unknown = [one.scored.score for one in crops if not one.known]
    whole = finisher.whole_pictures(scorer)
    threshold = threshold_of(scores_known, scores_unknown, whole, fallback)
    metrics = measures_of([*crops, *whole], conditions, threshold, plan.seed)
    enrolment = None
    if appended(plan.score) == "traces":
        enrolment = fit_enrolment(features, labels, len(layout.classes), [*crops, *whole])
    counts = [sum(sample.label == label for sample in images.samples) for label in range(len(layout.classes))]
    card = Card(
        preprocessing=layout.preprocessing,
        classes=layout.classes,
        real="real" if "real" in layout.classes else "",
        threshold=threshold,
        training=Training(
            data=layout.name,
            images=dict(zip(layout.classes, counts, strict=True)),
            hash=files_hash(images.hashes),
            left_out=(
                *(f"{_below(record.sample.path, layout.root)}: {record.reason}" for record in images.damaged),
                *finisher.seen.left_out,
            ),
            command=plan.command,
        ),
        validated=finisher.validated(),
        architecture=architecture_fields(model.architecture),
        recipe=plan.recipe,
        metrics=metrics,
        tool=f"forensic {forensic.__version__}",
        licence=plan.licence,
        limits=plan.limits or " ".join(filter(None, [_LIMITS, _LIMITS_OF_DATA.get(layout.name, "")])),
        score=scorer.scale,
        scorer=scorer.kind,
        comparison=fitted.block,
    )
    return save_weights(
        out, finisher.model, scorer, spectra, card, enrolment=enrolment, verification=fitted.verification
    )


class _Finisher:
    """Passes over the images; counts them for the caller's progress."""

    def __init__(
        self, predictor: Predictor, layout: Layout, plan: FinishPlan, on_image: Callable[[int, int], None] | None
    ) -> None:
        self.predictor = predictor
        self.model = predictor.model
        self.seen = _Seen()
        self.training_outputs: list[Outputs] = []
        self._layout = layout
        self._plan = plan
        self._on_image = on_image
        self._forms = ("stored", "jpeg") if plan.reencoding.share > 0 else ("stored",)
        # a discriminant's covariance needs more images
        self._train_forms = self._forms + self._forms[1:] * (2 if appended(plan.score) == "traces" else 0)
        self._again = Reencoding(1.0, plan.reencoding.quality_min, plan.reencoding.quality_max)
        self._done = self._total = 0
        self._known = self._unknown = 0

    def expect(self, train: int, *validation: Sequence[Sample]) -> None:
        some = sum(len(_evenly_by_source(samples, self._plan.per_class)) for samples in validation)
        self._total = train * len(self._train_forms) + some * len(self._forms)

    def _count(self) -> None:
        self._done += 1
        if self._on_image:
            self._on_image(self._done, self._total)

    def _draws(self, *key: int) -> np.random.Generator:
        return np.random.default_rng((self._plan.seed, 2, *key))  # 2: the loader's draws are 1

    def train_features(
        self, images: TrainingImages, chosen: Sequence[int], profile: Profile
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], dict[int, list[NDArray[np.float32]]]]:
        """One crop of each image, in every form: features (N, F), labels (N,), profiles of the stored form."""
        profiles: dict[int, list[NDArray[np.float32]]] = {}

        def crops() -> Iterator[tuple[int, NDArray[np.uint8]]]:
            for index in chosen:
                label = images.samples[index].label
                draws = self._draws(0, index)
                square = random_crop(images[index], TILE, draws)
                profiles.setdefault(label, []).append(profile(_planar(square)))
                for form in self._train_forms:
                    yield label, _planar(square if form == "stored" else reencode(square, self._again, draws))

        labels, features = [], []
        for label, logits, tiles in predict_images(self.predictor, crops()):
            labels.append(label)
            features.append(tiles)
            self.training_outputs.append((logits, tiles))
            self._count()
        if not features:
            raise MissingError(str(self._layout.root), "has no training image that can be read")
        return np.concatenate(features), np.array(labels, dtype=np.int64), profiles

    def conditions(self, known: Sequence[Sample], unknown: Sequence[Sample]) -> dict[str, _Condition]:
        """Logits and features of the validation images in every form."""
        found = {form: _Condition() for form in self._forms}
        for samples, side in ((known, "known"), (unknown, "unknown")):
            for (form, sample), *outputs in predict_images(self.predictor, self._tiles(samples, 1)):
                getattr(found[form], side).append((sample, tuple(outputs)))
                self._count()
        self._known, self._unknown = len(found["stored"].known), len(found["stored"].unknown)
        return found

    def crops(self, conditions: Mapping[str, _Condition], scorer: Scorer) -> list[Judged]:
        """What was said of each validation image, in every form."""
        return [
            _judged(form, sample, scorer, outputs)
            for form, condition in conditions.items()
            for sample, outputs in (*condition.known, *condition.unknown)
        ]

    def whole_pictures(self, scorer: Scorer) -> list[Judged]:
        """What was said of each whole picture, in every form."""
        found = []
        pictures = self._tiles(self._layout.val_full, 2)
        for (form, sample), logits, features in predict_images(self.predictor, pictures):
            found.append(_judged(form, sample, scorer, (logits, features), whole=True))
            self._count()
        return found

    def _tiles(self, samples: Sequence[Sample], key: int) -> Iterator[tuple[tuple[str, Sample], NDArray[np.uint8]]]:
        """Each sample prepared as a scan would, in every form; what can not be read is noted and left out."""
        for place, sample in enumerate(_evenly_by_source(samples, self._plan.per_class)):
            try:
                decoded = _decoded(sample)
                for form in self._forms:
                    draws = self._draws(key, place, sample.label + 1)
                    pixels = decoded.pixels if form == "stored" else reencode(decoded.pixels, self._again, draws)
                    yield (form, sample), prepare(pixels, self._layout.preprocessing).tiles
            except FileOutcome as outcome:
                self.seen.left_out.append(f"{_below(sample.path, self._layout.root)}: {outcome.reason}")
                continue
            self.seen.formats.add(decoded.format)
            self.seen.sides += decoded.pixels.shape[:2]

    def validated(self) -> Validated:
        """Formats, sides and counts that validation covered."""
        again = self._again if len(self._forms) > 1 else None
        return Validated(
            formats=tuple(sorted(self.seen.formats | ({"JPEG"} if again else set()))),
            sides=(min(self.seen.sides, default=TILE), max(self.seen.sides, default=TILE)),
            jpeg_quality=(again.quality_min, again.quality_max) if again else None,
            images=self._known,
            unknown=self._unknown,
        )


def _judged(form: str, sample: Sample, scorer: Scorer, outputs: Outputs, *, whole: bool = False) -> Judged:
    photo = sample.photo or str(sample.path)
    mean = outputs[1].mean(axis=0, dtype=np.float64).astype(np.float32)
    return Judged(form, sample.label, sample.source, photo, len(outputs[0]), scorer(*outputs), mean, whole)


def _decoded(sample: Sample) -> decode.Decoded:
    try:
        data = sample.path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from error
    return decode.decode(data, name=str(sample.path))


def _evenly(samples: Sequence[Sample], most: int) -> list[int]:
    """Indices of at most `most` samples of each label, evenly taken, in order."""
    return _thinned([sample.label for sample in samples], most)


def _evenly_by_source(samples: Sequence[Sample], most: int) -> list[Sample]:
    return [samples[index] for index in _thinned([sample.source for sample in samples], most)]


def _thinned(kinds: Sequence[int] | Sequence[str], most: int) -> list[int]:
    places = ([place for place, kind in enumerate(kinds) if kind == one] for one in set(kinds))
    counted = ((some, min(len(some), most)) for some in places)
    return sorted(some[step * len(some) // count] for some, count in counted for step in range(count))


def _planar(square: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S, 3) -> (1, 3, S, S)."""
    return np.ascontiguousarray(square.transpose(2, 0, 1))[None]


def _spread(profiles: list[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and sample standard deviation over the images of a class; spread 0 for a single one."""
    rows = np.stack(profiles).astype(np.float64)
    deviation = rows.std(axis=0, ddof=1) if len(rows) > 1 else np.zeros(rows.shape[1])
    return rows.mean(axis=0).astype(np.float32), deviation.astype(np.float32)


def _below(path: Path, root: Path) -> str:
    """For the card, which is UTF-8: a byte of a name that is none comes out escaped."""
    name = str(path.relative_to(root)) if path.is_relative_to(root) else path.name
    return name.encode("utf-8", "backslashreplace").decode()
