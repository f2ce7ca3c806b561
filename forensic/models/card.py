"""The card of weights: what they know, how they were made, what was measured. TOML beside the tensors; no torch here.

The card's hash line is left out of the hash it holds; every other byte of card and tensors file counts.
"""

from __future__ import annotations

import hashlib
import math
import re
import tomllib
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import tomli_w

from forensic.errors import WeightsError

FORMAT = 1
"""Version of card and tensors file together; a reader refuses any other."""
SHORT_HASH = 12
"""Hex digits of the hash in findings."""
BFLOAT16_TOLERANCE = 0.15
"""Of scores that came from bfloat16, for all cards: scores count standard deviations of known validation images, and no
card needs new bytes for it. Measured with the bundled weights on 1,317 images of osma-mini: 0.098."""

INT8_TOLERANCE = 0.4
"""The same of 8-bit integers. Measured with the bundled weights on 270 validation images of osma-mini, 52 samples and
147 tiles unlike any image: 0.070; with the score `sum`, which is the network's alone, on those images: 0.242."""
_TOLERANCES = {"bfloat16": BFLOAT16_TOLERANCE, "int8": INT8_TOLERANCE}
_HASH_LINE = re.compile(r'^hash = "[^"\n]*"\n', re.MULTILINE)
_HEAD = (
    "# The card of a weights file; belongs to the .safetensors of the same name. Edited, it no longer fits its hash.\n"
)


@dataclass(frozen=True)
class Threshold:
    """Known if and only if score >= threshold."""

    value: float
    chosen_by: str
    by_tiles: tuple[tuple[int, float], ...] = ()
    """(tiles, value) rising in tiles: the last row whose tiles an image reaches takes the place of `value`."""

    def at(self, tiles: int) -> float:
        """The threshold for an image of so many tiles."""
        value = self.value
        for least, row in self.by_tiles:
            if tiles >= least:
                value = row
        return value


@dataclass(frozen=True)
class Training:
    """What the weights have seen."""

    data: str
    """Name of the layout."""
    images: dict[str, int]
    """Class -> number of images used."""
    hash: str
    """SHA-256 over the sorted SHA-256 digests of the image files, in hex, each with a line end."""
    left_out: tuple[str, ...] = ()
    """Damaged files: path below the data's root and reason."""
    command: str = ""
    """What makes weights like these."""


@dataclass(frozen=True)
class Validated:
    """What the error rates speak of; a finding outside of it is flagged `outside-validation`."""

    formats: tuple[str, ...]
    """As findings name them: `PNG`, `JPEG`."""
    sides: tuple[int, int]
    """Least and greatest side of the validation images, pixels."""
    jpeg_quality: tuple[int, int] | None = None
    """Lowest and highest quality, as libjpeg counts; None without JPEG."""
    images: int = 0
    """Known validation images; 0: not validated, and every finding is flagged so."""
    unknown: int = 0
    """Unknown validation images; they are other generators than the test's."""

    def covers(self, image_format: str | None, width: int, height: int, jpeg_quality: int | None) -> bool:
        """Whether an image of this format and size is inside, and a JPEG's quality too.

        Args:
            image_format: as findings name it.
            width: pixels.
            height: pixels.
            jpeg_quality: as libjpeg counts. None for what is no JPEG; of a JPEG where it can not be told, which is
                then outside.
        """
        least, greatest = self.sides
        if image_format not in self.formats or min(width, height) < least or max(width, height) > greatest:
            return False
        if image_format != "JPEG" or self.jpeg_quality is None:
            return True
        lowest, highest = self.jpeg_quality
        return jpeg_quality is not None and lowest <= jpeg_quality <= highest


@dataclass(frozen=True)
class Card:
    """Everything that stands in the card, in its order."""

    preprocessing: str
    classes: tuple[str, ...]
    """In label order."""
    real: str
    """Which class is real; empty where none is."""
    threshold: Threshold
    training: Training
    validated: Validated
    architecture: dict[str, Any]
    recipe: dict[str, Any]
    """Name and every field of the recipe."""
    metrics: dict[str, Any]
    """Condition -> measures on validation images, each {value, low, high} or {reason}."""
    tool: str
    """Name and version of the program that wrote the weights."""
    licence: str
    limits: str
    """Plain sentences on what these weights can not do."""
    score: str
    """The scale of the score, in words."""
    scorer: str = "sum"
    """The kind of the score, `forensic.models.scorer`; not written where it is `sum`, the only one of older cards."""
    enrolled: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Class that was added without training -> images, their hashes, measures; such classes are the last ones."""
    before: str = ""
    """Hash of the weights without enrolled classes, 64 hex digits; empty where there are none."""
    comparison: dict[str, Any] = field(default_factory=dict)
    """What `forensic compare` is worth, `forensic.models.verification`; not written where the weights have none."""
    tolerance: float = 1e-3
    """Scores of another engine or processor, in float32, may differ by this much."""
    format: int = FORMAT
    hash: str = field(default="", compare=False)
    """SHA-256 over the tensors file and the card without its hash line, 64 hex digits."""

    @property
    def short_hash(self) -> str:
        """The first 12 digits, as findings carry them."""
        return self.hash[:SHORT_HASH]

    def tolerance_in(self, precision: Literal["float32", "bfloat16", "int8"]) -> float:
        """By how much a score may differ from that of torch in float32, by the precision that gave it."""
        return max(self.tolerance, _TOLERANCES.get(precision, 0.0))

    def enrolled_with(self, sha256: str) -> bool:
        """Whether a file of this hash, hex digits, took part in the enrolment of a class."""
        return any(sha256 in entry.get("files", ()) for entry in self.enrolled.values())

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.classes)

    @property
    def num_trained(self) -> int:
        """Classes that the network's head has."""
        return len(self.classes) - len(self.enrolled)

    def to_dict(self) -> dict[str, Any]:
        """As the TOML reads: plain values, lists and tables."""
        return tomllib.loads(card_to_toml(self))


def card_to_toml(card: Card) -> str:
    """The card as text, with its hash line where it has a hash; the same bytes for the same card."""
    threshold: dict[str, Any] = {"value": card.threshold.value, "chosen_by": card.threshold.chosen_by}
    if card.threshold.by_tiles:
        threshold["by_tiles"] = [{"tiles": tiles, "value": value} for tiles, value in card.threshold.by_tiles]
    validated = asdict(card.validated)
    if card.validated.jpeg_quality is None:
        del validated["jpeg_quality"]
    values = {
        "format": card.format,
        "preprocessing": card.preprocessing,
        "classes": card.classes,
        "real": card.real,
        "licence": card.licence,
        "tool": card.tool,
        "limits": card.limits,
        "score": card.score,
        **({} if card.scorer == "sum" else {"scorer": card.scorer}),
        "tolerance": card.tolerance,
        **({"before": card.before} if card.before else {}),
        "threshold": threshold,
        "training": asdict(card.training),
        "validated": validated,
        "metrics": card.metrics,
        **({"enrolled": card.enrolled} if card.enrolled else {}),
        **({"comparison": card.comparison} if card.comparison else {}),
        "recipe": card.recipe,
        "architecture": card.architecture,
    }
    line = f'hash = "{card.hash}"\n' if card.hash else ""
    return _HEAD + line + tomli_w.dumps(values)


def card_from_toml(text: str, subject: str) -> Card:
    """Reads a card.

    Args:
        text: the TOML.
        subject: name of the file, for messages.

    Raises:
        WeightsError: no TOML, another format, a field that is missing or of another type.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WeightsError(subject, f"is no card: {error}", _REMEDY) from error
    found = values.get("format")
    if found != FORMAT:
        said = "no format line" if found is None else f"format {found!r}"
        raise WeightsError(subject, f"has {said}; this version reads format {FORMAT}", _REMEDY)
    try:
        return _card(values)
    except KeyError as error:
        raise WeightsError(subject, f"lacks the field {error.args[0]}", _REMEDY) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise WeightsError(subject, f"has a field of another kind: {error}", _REMEDY) from error


def digest(tensors: bytes, card_text: str) -> str:
    """SHA-256 over the tensors file and the card without its hash line, 64 hex digits."""
    # only above the first table: a table may have a `hash` of its own
    top, table, rest = card_text.partition("\n[")
    without = _HASH_LINE.sub("", f"{top}\n" if table else top, count=1)
    return hashlib.sha256(tensors + f"{without}[{rest}".encode() if table else tensors + without.encode()).hexdigest()


def sealed(card: Card, tensors: bytes) -> Card:
    """The card with the hash of itself and of its tensors file."""
    return replace(card, hash=digest(tensors, card_to_toml(replace(card, hash=""))))


def files_hash(digests: list[str]) -> str:
    """SHA-256 over sorted hex digests of files, each with a line end."""
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(digests)).encode()).hexdigest()


_REMEDY = "Take the pair of .safetensors and .toml anew from where it came"


def _card(values: dict[str, Any]) -> Card:
    threshold, training, validated = values["threshold"], values["training"], values["validated"]
    by_tiles = tuple((int(row["tiles"]), _finite(row["value"])) for row in threshold.get("by_tiles", []))
    if list(by_tiles) != sorted(by_tiles):
        raise ValueError("threshold.by_tiles does not rise")
    quality = validated.get("jpeg_quality")
    card = Card(
        preprocessing=_text(values["preprocessing"]),
        classes=_texts(values["classes"]),
        real=_text(values["real"]),
        threshold=Threshold(_finite(threshold["value"]), _text(threshold["chosen_by"]), by_tiles),
        training=Training(
            data=_text(training["data"]),
            images={name: int(count) for name, count in training["images"].items()},
            hash=_text(training["hash"]),
            left_out=_texts(training["left_out"]),
            command=_text(training["command"]),
        ),
        validated=Validated(
            formats=_texts(validated["formats"]),
            sides=_pair(validated["sides"]),
            jpeg_quality=None if quality is None else _pair(quality),
            images=int(validated["images"]),
            unknown=int(validated["unknown"]),
        ),
        architecture=dict(values["architecture"]),
        recipe=dict(values["recipe"]),
        metrics=dict(values["metrics"]),
        tool=_text(values["tool"]),
        licence=_text(values["licence"]),
        limits=_text(values["limits"]),
        score=_text(values["score"]),
        scorer=_text(values.get("scorer", "sum")),
        enrolled={name: dict(entry) for name, entry in values.get("enrolled", {}).items()},
        before=_text(values.get("before", "")),
        comparison=dict(values.get("comparison", {})),
        tolerance=_finite(values["tolerance"]),
        format=values["format"],
        hash=_text(values["hash"]),
    )
    if len(set(card.classes)) != len(card.classes) or len(card.classes) < 2:
        raise ValueError("classes must be two or more different names")
    if card.enrolled and card.classes[card.num_trained :] != tuple(card.enrolled):
        raise ValueError("enrolled classes must be the last ones, in their order")
    if card.real and card.real not in card.classes:
        raise ValueError(f"real = {card.real!r} is not among the classes")
    return card


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list of texts, got {value!r}")
    return tuple(_text(entry) for entry in value)


def _finite(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"expected a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, got {value!r}")
    return float(value)


def _pair(value: object) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise TypeError(f"expected two numbers, got {value!r}")
    return int(value[0]), int(value[1])
