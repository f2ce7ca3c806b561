"""The only reader and writer of weights: tensors, card, hash. Nothing is ever unpickled.

NAME.safetensors   network.*         what a task model holds: float16 from two axes on, float32 below (the variances of
                                     batch norm span more than float16 does); imported ones float32 throughout
                   scorer.*          constants float64; means and whitening float32 where distances take part, centre
                                     and whitening_of_all too where they are relative, `spectrum_` before the names
                                     where they are the spectrum's; of the kind `softmax`: temperature float64
                   spectra.mean|std  (K, 64) float32: log10 of the radial spectrum of each class
                   enrolment.*       where the score is of traces: what adding a class needs (forensic.models.enrolment)
                   enrolled.*, before.*  where classes were added (forensic.models.enrol): their means (E, 900) float32
                                     and images; scorer, spectra and card (uint8) of the weights without them
                   compare.*         where `forensic compare` works: offset and directions float32, between and
                                     calibration float64 (forensic.models.verification)
NAME.toml          the card (forensic.models.card) with the SHA-256 over both

Finding, listing and verifying import no torch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.numpy

import forensic
from forensic.errors import MissingError, VerificationError, WeightsError
from forensic.hidden_files import hidden_until_whole
from forensic.models.card import Card, card_from_toml, card_to_toml, digest, sealed
from forensic.models.enrolment import Enrolment, enrolment_from_tensors, images_from_tensors
from forensic.models.scorer import Scorer, scorer_from_tensors
from forensic.models.verification import Verification, verification_from_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from forensic.models.feature_extractor import TaskModel

    Tensors = dict[str, NDArray[Any]]
    Spectra = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]

DEFAULT_NAME = "osma-mini"
"""Which of the bundled weights is used when none is named."""
SPECTRUM_BINS = 64
SUFFIX = ".safetensors"

_REMEDY = "Take the pair of .safetensors and .toml anew from where it came"
_NO_COMPARISON = (
    "It is fitted with the score traces, from five classes on: `forensic weights rescore --score traces --data DIR "
    "--out NEW.safetensors`, DIR what they were trained on"
)
_LIST = "`forensic weights list` shows those that are here; `forensic train` makes new ones"


@dataclass(frozen=True)
class Weights:
    """A loaded weights file."""

    name: str
    card: Card
    model: TaskModel
    """In evaluation mode, float32, without gradients; its values are those of the file."""
    scorer: Scorer
    spectra: Spectra
    """Class -> (mean, spread) of log10 of the radial spectrum, (64,) each; may be empty."""

    @property
    def hash(self) -> str:
        """12 hex digits, as findings carry them."""
        return self.card.short_hash


@dataclass(frozen=True)
class Listed:
    """One of the bundled weights, as `weights list` shows it."""

    name: str
    path: Path
    size: int
    """Bytes of the tensors file."""
    default: bool
    card: Card | None
    """None where the card can not be read."""
    problem: str | None = None


def bundled_folder() -> Path:
    """Where the bundled weights lie: inside the installed package, or beside it in a checkout."""
    package = Path(forensic.__file__).resolve().parent
    inside = package / "weights"
    return inside if any(inside.glob(f"*{SUFFIX}")) else package.parent / "weights"


def find_weights(name: str | Path | None = None, *, folder: Path | None = None) -> Path:
    """The tensors file of a name or a path.

    Args:
        name: a bundled name, or a path to either file of a pair (it has a `/` or one of the two suffixes); None is
            the default.
        folder: where names are looked up, the bundled folder when None.

    Raises:
        MissingError: no such weights.
    """
    text = "" if name is None else str(name)
    if isinstance(name, Path) or os.sep in text or text.endswith((SUFFIX, ".toml")):
        path = Path(text)
        path = path.with_suffix(SUFFIX) if path.suffix == ".toml" else path
        if not path.is_file():
            raise MissingError(text, "no such weights file", _LIST)
        return path
    folder = folder or bundled_folder()
    names = _names(folder)
    if not text:
        text = DEFAULT_NAME if len(names) != 1 else names[0]
    if text not in names:
        have = f"bundled are {', '.join(names)}" if names else f"no weights are bundled in {folder}"
        raise MissingError(f"weights {text}", have, _LIST)
    return folder / f"{text}{SUFFIX}"


def list_weights(folder: Path | None = None) -> list[Listed]:
    """The bundled weights by name; cards are read, tensors are not."""
    folder = folder or bundled_folder()
    names = _names(folder)
    found = []
    for name in names:
        path = folder / f"{name}{SUFFIX}"
        default = name == DEFAULT_NAME or len(names) == 1
        try:
            card, problem = read_card(path), None
        except WeightsError as error:
            card, problem = None, error.reason
        found.append(Listed(name, path, path.stat().st_size, default, card, problem))
    return found


def read_card(path: Path) -> Card:
    """The card beside a tensors file; the hash is not checked.

    Raises:
        WeightsError: there is no card, or it can not be read.
    """
    return card_from_toml(_card_text(path), str(path.with_suffix(".toml")))


def verify_weights(path: Path) -> str:
    """Reads a pair whole and checks hash, names, shapes of scorer and spectra, and that every value is finite.

    Args:
        path: the tensors file.

    Returns:
        The hash, 64 hex digits.

    Raises:
        VerificationError: the files do not agree with the card's hash.
        WeightsError: they can not be read, or do not fit.
    """
    try:
        card, tensors = read_pair(path)
    except WeightsError as error:
        if isinstance(error.__cause__, VerificationError):
            raise error.__cause__ from None
        raise
    _scorer(tensors, card, path)
    _spectra(tensors, card, path)
    _check_enrolment(tensors, card, path)
    _verification(tensors, card, path)
    return card.hash


def load_weights(name_or_path: str | Path | None = None, *, device: str = "cpu", folder: Path | None = None) -> Weights:
    """Weights ready for use.

    Args:
        name_or_path: as for `find_weights`; None is the default.
        device: where the network goes, `cpu` or `cuda`.
        folder: where names are looked up, the bundled folder when None.

    Raises:
        MissingError: no such weights.
        WeightsError: damaged, another format, or tensors that do not fit the card.
    """
    path = find_weights(name_or_path, folder=folder)
    card, tensors = read_pair(path)
    scorer, spectra = _scorer(tensors, card, path), _spectra(tensors, card, path)
    from forensic.data.prepare import PREPROCESSINGS  # noqa: PLC0415 - for the same reason as torch
    from forensic.models.network_state import network_from_tensors  # noqa: PLC0415 - list and verify run without torch

    if card.preprocessing not in PREPROCESSINGS:
        raise WeightsError(str(path), f"needs the preprocessing {card.preprocessing}, unknown to this version")
    try:
        model = network_from_tensors(tensors_below("network", tensors), card.num_trained, card.architecture)
    except ValueError as error:
        raise WeightsError(str(path), str(error), _REMEDY) from error
    return Weights(path.stem, card, model.to(device), scorer, spectra)


def load_verification(path: Path) -> tuple[Card, Verification]:
    """Card and comparison of a tensors file, without its network.

    Raises:
        MissingError: the weights carry no comparison.
        WeightsError: damaged, another format, or tensors that do not fit the card.
    """
    card, tensors = read_pair(path)
    found = _verification(tensors, card, path)
    if found is None:
        raise MissingError(path.stem, "these weights carry no comparison", _NO_COMPARISON)
    return card, found


def save_weights(
    out: Path,
    model: TaskModel,
    scorer: Scorer,
    spectra: Spectra,
    card: Card,
    *,
    exact: bool = False,
    enrolment: Enrolment | None = None,
    verification: Verification | None = None,
) -> Card:
    """Writes NAME.safetensors and NAME.toml, each under a hidden name; renamed when both are whole.

    Args:
        out: path of the tensors file.
        model: what is stored is its values after rounding; round first and measure then (`network_state.rounded`).
        scorer: fitted on the rounded model.
        spectra: class -> (mean, spread), (64,) each; may be empty.
        card: without hash.
        exact: the model is stored in float32 as it is.
        enrolment: what adding a class later needs.
        verification: for `forensic compare`; the card's block `comparison` speaks of it.

    Returns:
        The card as written, with its hash.

    Raises:
        WeightsError: a value is not finite after rounding: the training has diverged.
        OSError: the disk is full or the folder can not be written; nothing new is left.
        ValueError: the card speaks of another kind of score.
    """
    if card.scorer != scorer.kind:
        raise ValueError(f"the card says {card.scorer}, the scorer is of the kind {scorer.kind}")
    from forensic.models.network_state import network_tensors  # noqa: PLC0415 - list and verify run without torch

    tensors: Tensors = {f"network.{name}": value for name, value in network_tensors(model, exact=exact).items()}
    tensors |= {f"scorer.{name}": value for name, value in scorer.tensors().items()}
    if spectra:
        for place, what in enumerate(("mean", "std")):
            rows = [spectra[name][place] for name in card.classes]
            tensors[f"spectra.{what}"] = np.stack(rows).astype(np.float32)
    if enrolment is not None:
        tensors |= {f"enrolment.{name}": value for name, value in enrolment.tensors().items()}
    if verification is not None:
        tensors |= {f"compare.{name}": value for name, value in verification.tensors().items()}
    return write_pair(out, tensors, card)


def write_pair(out: Path, tensors: Tensors, card: Card) -> Card:
    """Writes tensors and card as `save_weights` does; returns the card with its hash.

    Raises:
        WeightsError: a value is not finite.
        OSError: the disk is full or the folder can not be written; nothing new is left.
    """
    broken = _not_finite(tensors)
    if broken:
        raise WeightsError(str(out), f"{broken} is not finite: the training has diverged", "Train with a smaller lr")
    blob = safetensors.numpy.save({name: value.copy(order="C") for name, value in sorted(tensors.items())})
    card = sealed(card, blob)
    # the card first: without its tensors it is no pair that anybody finds, and it says what was being written
    with hidden_until_whole([out.with_suffix(".toml"), out]) as (card_file, tensors_file):
        tensors_file.write(blob)
        card_file.write(card_to_toml(card).encode())
    return card


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))


def _card_text(path: Path) -> str:
    beside = path.with_suffix(".toml")
    try:
        return beside.read_bytes().decode()
    except FileNotFoundError as error:
        raise WeightsError(str(path), f"has no card: {beside.name} is not beside it", _REMEDY) from error
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(str(beside), f"can not be read: {_reason(error)}", _REMEDY) from error


def read_pair(path: Path) -> tuple[Card, Tensors]:
    """Card and tensors of a tensors file, hash and finite values checked.

    Raises:
        WeightsError: damaged, or of another format.
    """
    text = _card_text(path)
    card = card_from_toml(text, str(path.with_suffix(".toml")))
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise WeightsError(str(path), f"can not be read: {_reason(error)}", _REMEDY) from error
    found = digest(blob, text)
    if found != card.hash:
        mismatch = VerificationError(str(path), f"SHA-256 with card is {found}, the card says {card.hash}", _REMEDY)
        raise WeightsError(str(path), "does not fit the hash in its card: damaged or changed", _REMEDY) from mismatch
    try:
        tensors = safetensors.numpy.load(blob)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise WeightsError(str(path), f"is no safetensors file: {_reason(error)}", _REMEDY) from error
    if broken := _not_finite(tensors):
        raise WeightsError(str(path), f"tensor {broken} has values that are not finite", _REMEDY)
    return card, tensors


def _not_finite(tensors: Mapping[str, NDArray[Any]]) -> str:
    return next((name for name, value in sorted(tensors.items()) if not np.isfinite(value).all()), "")


def tensors_below(prefix: str, tensors: Tensors) -> Tensors:
    """Those whose names begin with `prefix.`, without it."""
    return {name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")}


def _scorer(tensors: Tensors, card: Card, path: Path) -> Scorer:
    dimension = card.architecture.get("embedding_dim")
    try:
        if not isinstance(dimension, int):
            raise ValueError(f"the architecture's embedding_dim is {dimension!r}")  # noqa: TRY301, TRY004 - a value of the card
        return scorer_from_tensors(tensors_below("scorer", tensors), card.scorer, card.num_classes, dimension)
    except ValueError as error:
        raise WeightsError(str(path), f"scorer: {error}", _REMEDY) from error


def _check_enrolment(tensors: Tensors, card: Card, path: Path) -> None:
    """What a scan does not look at."""
    try:
        if kept := tensors_below("enrolment", tensors):
            enrolment_from_tensors(kept, card.num_trained)
        if kept := tensors_below("enrolled", tensors):
            images_from_tensors({name: value for name, value in kept.items() if name != "means"}, card.num_trained)
    except ValueError as error:
        raise WeightsError(str(path), f"enrolment: {error}", _REMEDY) from error


def _spectra(tensors: Tensors, card: Card, path: Path) -> Spectra:
    rows = tensors_below("spectra", tensors)
    if not rows:
        return {}
    expected = (card.num_classes, SPECTRUM_BINS)
    for what in ("mean", "std"):
        shape = rows[what].shape if what in rows else None
        if shape != expected:
            raise WeightsError(str(path), f"spectra.{what}: expected {expected}, got {shape}", _REMEDY)
    return {name: (rows["mean"][place], rows["std"][place]) for place, name in enumerate(card.classes)}


def _verification(tensors: Tensors, card: Card, path: Path) -> Verification | None:
    rows = tensors_below("compare", tensors)
    if not rows:
        return None
    try:
        return verification_from_tensors(rows, card.num_trained)
    except ValueError as error:
        raise WeightsError(str(path), f"compare.{error}", _REMEDY) from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error).splitlines()[0] if str(error) else type(error).__name__
