"""The whitening of residual traces that weights keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forensic.errors import MissingError, WeightsError
from forensic.models.enrolment import enrolment_from_tensors
from forensic.models.weights import read_pair, tensors_below

if TYPE_CHECKING:
    from pathlib import Path

    from forensic.models.card import Card
    from forensic.models.discriminant import Whitening


def load_whitening(path: Path) -> tuple[Card, Whitening]:
    """Card and whitening of a tensors file, without its network.

    Raises:
        MissingError: the weights keep none.
        WeightsError: damaged, another format, or tensors that do not fit the card.
    """
    card, tensors = read_pair(path)
    kept = tensors_below("enrolment", tensors)
    if not kept:
        raise MissingError(
            path.stem,
            "these weights keep no whitening of traces",
            "It is fitted with the score traces: `forensic weights rescore --score traces --data DIR --out "
            "NEW.safetensors`, DIR what they were trained on",
        )
    try:
        return card, enrolment_from_tensors(kept, card.num_trained).whitening
    except ValueError as error:
        raise WeightsError(str(path), f"enrolment: {error}", "Take the weights from where they came from") from error
