"""Weights with classes that were added: a function of the weights as trained and of the list of added classes.

All classes, trained and added, get one score, `traces-alone`: distances in the plane of all class means, since the
network's head has no output for an added one. Plane, standardisation, threshold and measures follow from what the
weights keep (`forensic.models.enrolment`). The weights as trained stay inside the file, so that taking every added
class away gives them back byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

import forensic
from forensic.errors import WeightsError
from forensic.models.card import Card, card_from_toml, card_to_toml
from forensic.models.enrolment import FORMS, Enrolment, Images, enrolment_from_tensors, images_from_tensors
from forensic.models.measures import Judged, measures_of, threshold_of
from forensic.models.score_kinds import SPECTRUM_FEATURES
from forensic.models.scorer import scorer_of_plane
from forensic.models.weights import tensors_below

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forensic.models.card import Threshold
    from forensic.models.scorer import StandardisedScorer

    Tensors = dict[str, NDArray[Any]]

REMEDY = (
    "`forensic weights rescore --data ... --score traces --out NEW.safetensors` writes weights that can take classes"
)
_LIMIT = (
    "Enrolled, not trained: {}. Such a class is no more than the mean of its images, and what resembles none of the "
    "trained classes may come nearest to it."
)
_FITTED = "re-fitted for traces alone, the images of enrolled classes took no part: "
_FACTS = ("how", "images", "fitted_on", "held_back", "hash", "files", "unknown_sources")
"""What the card says of an enrolled class that does not depend on the others."""


@dataclass(frozen=True)
class Added:
    """One class that was added."""

    name: str
    mean: NDArray[np.float32]
    """(900,) of its traces, less the whitening's offset."""
    held_back: Images
    """Images that measure it, as the trained weights saw them."""
    spectrum: tuple[NDArray[np.float32], NDArray[np.float32]] | None
    """Mean and spread of its radial spectrum, (64,) each; None where the trained classes have none either."""
    facts: dict[str, Any]
    """For the card: those of `_FACTS`."""


@dataclass(frozen=True)
class Trained:
    """Weights as trained: card and tensors as they stand in their file."""

    card: Card
    tensors: Tensors
    enrolment: Enrolment


def taken_apart(path: Path, card: Card, tensors: Tensors) -> tuple[Trained, list[Added]]:
    """The weights as trained, and what was added to them.

    Args:
        path: of the tensors file, for messages.
        card: of the file.
        tensors: all of its tensors.

    Raises:
        WeightsError: the weights keep nothing that a class could be added with, or a tensor does not fit.
    """
    kept = tensors_below("enrolment", tensors)
    if not kept:
        raise WeightsError(str(path), "keeps no covariance and no validation images of traces", REMEDY)
    try:
        enrolment = enrolment_from_tensors(kept, card.num_trained)
        if not card.enrolled:
            return Trained(card, tensors, enrolment), []
        images = images_from_tensors({name: tensors[f"enrolled.{name}"] for name in Images.names}, card.num_trained)
        before = card_from_toml(tensors["before.card"].tobytes().decode(), str(path))
    except (KeyError, ValueError) as error:
        raise WeightsError(str(path), f"enrolled classes: {error}") from error
    own = {
        name: value for name, value in tensors.items() if name.partition(".")[0] in ("network", "enrolment", "compare")
    }
    own |= {f"scorer.{name}": value for name, value in tensors_below("before.scorer", tensors).items()}
    spectra = tensors_below("spectra", tensors)
    own |= {f"spectra.{name}": value[: card.num_trained] for name, value in spectra.items()}
    added = []
    for place, (name, entry) in enumerate(card.enrolled.items()):
        members = images.about[:, 1] == place
        row = card.num_trained + place
        added.append(
            Added(
                name,
                tensors["enrolled.means"][place],
                Images(images.traces[members], images.about[members], images.scores[members]),
                (spectra["mean"][row], spectra["std"][row]) if spectra else None,
                {fact: entry[fact] for fact in _FACTS if fact in entry},  # earlier versions kept no files
            )
        )
    return Trained(before, own, enrolment), added


def put_together(trained: Trained, added: Sequence[Added]) -> tuple[Card, Tensors]:
    """Card, without its hash, and tensors of the weights with these classes; those as trained where there are none."""
    if not added:
        return trained.card, trained.tensors
    card, enrolment = trained.card, trained.enrolment
    whitening, dimension = enrolment.whitening, int(card.architecture["embedding_dim"])
    plane = whitening.discriminant(np.concatenate([whitening.means, [one.mean for one in added]]))
    gone = {source for one in added for source in one.facts["unknown_sources"]}
    before = [one for one in enrolment.images.judged(whitening.offset) if one.known or int(one.source) not in gone]
    known = [_outputs(one, dimension) for one in before if one.known and not one.whole]
    scorer = scorer_of_plane(plane, known, dimension)
    after = [_again(one, scorer) for one in before]
    threshold = threshold_of(
        [one.scored.score for one in after if one.known and not one.whole],
        [one.scored.score for one in after if not one.known and not one.whole],
        [one for one in after if one.whole],
        _FITTED,
    )
    forms = [form for form in FORMS if any(one.form == form for one in before)]
    entries = {}
    for place, one in enumerate(added):
        label = card.num_classes + place
        held = one.held_back.judged(whitening.offset)
        held_after = [_again(image, scorer) for image in held]
        entries[one.name] = one.facts | {
            form: _counts(
                [image for image in held if image.form == form],
                [image for image in held_after if image.form == form],
                card.threshold,
                threshold,
                label,
            )
            | _counts_of_validation(
                [image for image in before if image.form == form and not image.whole],
                [image for image in after if image.form == form and not image.whole],
                card.threshold,
                threshold,
                label,
            )
            for form in forms
        }
    stored = [one for one in after if one.form == "stored" and not one.whole]
    named = ", ".join(f"{one.name} ({one.facts['images']} images)" for one in added)
    tensors = _tensors(trained, added) | {f"scorer.{name}": value for name, value in scorer.tensors().items()}
    return replace(
        card,
        classes=(*card.classes, *entries),
        threshold=threshold,
        validated=replace(
            card.validated,
            images=sum(one.known for one in stored),
            unknown=sum(not one.known for one in stored),
        ),
        metrics=measures_of(after, forms, threshold, seed=0),
        tool=f"forensic {forensic.__version__}",
        limits=f"{card.limits} {_LIMIT.format(named)}",
        score=scorer.scale,
        scorer=scorer.kind,
        enrolled=entries,
        before=card.hash,
        hash="",
    ), tensors


def _tensors(trained: Trained, added: Sequence[Added]) -> Tensors:
    """All but the scorer's."""
    found = {name: value for name, value in trained.tensors.items() if not name.startswith("scorer.")}
    found |= {f"before.{name}": value for name, value in trained.tensors.items() if name.startswith("scorer.")}
    found["before.card"] = np.frombuffer(card_to_toml(trained.card).encode(), dtype=np.uint8)
    for place, name in enumerate(("mean", "std")):
        rows = [one.spectrum[place] for one in added if one.spectrum is not None]
        if rows:
            found[f"spectra.{name}"] = np.concatenate([found[f"spectra.{name}"], rows]).astype(np.float32)
    found["enrolled.means"] = np.stack([one.mean for one in added])
    tables = []
    for place, one in enumerate(added):
        about = one.held_back.about.copy()
        about[:, 1] = place
        tables.append(replace(one.held_back, about=about))
    for name in Images.names:
        found[f"enrolled.{name}"] = np.concatenate([getattr(table, name) for table in tables])
    return found


def _outputs(one: Judged, dimension: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a scorer of traces takes: no logits, and the traces behind features that it does not look at."""
    blank = np.zeros(dimension + SPECTRUM_FEATURES, dtype=np.float32)
    return np.zeros((1, 1), dtype=np.float32), np.concatenate([blank, one.features])[None]


def _again(one: Judged, scorer: StandardisedScorer) -> Judged:
    return replace(one, scored=scorer(*_outputs(one, scorer.embedding_dim)))


def _accepted(one: Judged, threshold: Threshold) -> bool:
    return one.scored.score >= threshold.at(one.tiles)


def _counts(
    before: Sequence[Judged], after: Sequence[Judged], old: Threshold, new: Threshold, label: int
) -> dict[str, int]:
    """What becomes of the images that were held back."""
    return {
        "held_back_taken_for_another_before": sum(_accepted(one, old) for one in before),
        "held_back_named": sum(_accepted(one, new) and one.scored.label == label for one in after),
        "held_back_taken_for_another": sum(_accepted(one, new) and one.scored.label != label for one in after),
    }


def _counts_of_validation(
    before: Sequence[Judged], after: Sequence[Judged], old: Threshold, new: Threshold, label: int
) -> dict[str, int]:
    """What the new class costs."""
    found = {}
    for side, known in (("known", True), ("unknown", False)):
        some, later = ([one for one in images if one.known == known] for images in (before, after))
        found[side] = len(some)
        found[f"{side}_accepted_before"] = sum(_accepted(one, old) for one in some)
        found[f"{side}_accepted"] = sum(_accepted(one, new) for one in later)
        found[f"{side}_taken_for_it"] = sum(_accepted(one, new) and one.scored.label == label for one in later)
    return found
