"""The page `weights/README.md`, written from the cards, so that it can not say anything else than they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forensic.models.card import SHORT_HASH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forensic.models.card import Card, Training, Validated
    from forensic.models.weights import Listed

_HEAD = """# Weights

Each is a pair of files: `NAME.safetensors` holds the network in float16, the scorer and the class spectra, `NAME.toml`
is its card: classes, preprocessing, recipe, training data, threshold, measures with intervals, limits, and the SHA-256
over both files. `--weights NAME` picks one in every command that needs weights; `--weights FILE` takes one from
anywhere. This page is written from the cards: `forensic weights list --format markdown > weights/README.md`.
"""

_TABLE = (
    "| name | hash | size | trained on | known classes | closed accuracy, as stored / JPEG | AUROC, as stored / JPEG |",
    "|---|---|---|---|---|---|---|",
)

_TAIL = """The measures are of validation images; `forensic evaluate` gives those of test images. Check the files with
`forensic weights verify`, read a whole card with `forensic weights show NAME`, train your own with `forensic train`.
"""


def weights_page(listed: Sequence[Listed]) -> str:
    """The page as Markdown.

    Args:
        listed: as `list_weights` gives them.
    """
    default = next((entry.name for entry in listed if entry.default), None)
    named = f"Default: `{default}`, used where no weights are named." if default else "None of them is the default."
    rows = [_row(entry.name, entry.size, entry.card) for entry in listed if entry.card is not None]
    about = [_about(entry.name, entry.card) for entry in listed if entry.card is not None]
    return "\n".join([_HEAD, named, "", *_TABLE, *rows, "", *about, _TAIL])


def _row(name: str, size: int, card: Card) -> str:
    cells = (
        f"`{name}`",
        f"`{card.hash[:SHORT_HASH]}`",
        f"{size / 1e6:.1f} MB",
        _said_training(card.training),
        str(len(card.classes)),
        _both(card, "closed_accuracy"),
        _both(card, "auroc"),
    )
    return f"| {' | '.join(cells)} |"


def _said_training(training: Training) -> str:
    count = sum(training.images.values())
    return f"{training.data}, {count:,} images" if count else training.data


def _both(card: Card, measure: str) -> str:
    return " / ".join(said_measure(card.metrics.get(form, {}).get(measure, {})) for form in ("stored", "jpeg"))


def said_measure(row: dict[str, Any]) -> str:
    """A measure of a card in words: `0.943 (0.91-0.97)`, or a dash where it is undefined or absent."""
    if "value" not in row:
        return "-"
    said = f"{row['value']:.3f}"
    return f"{said} ({row['low']:.2f}-{row['high']:.2f})" if "low" in row else said


def _said_validated(validated: Validated) -> str:
    if validated.images == 0:
        return "Validated on no image: no error rate is known; every finding is flagged `not-validated`."
    formats = ", ".join(validated.formats)
    if validated.jpeg_quality is not None:
        formats += f" (JPEG quality {validated.jpeg_quality[0]} to {validated.jpeg_quality[1]})"
    least, greatest = validated.sides
    counts = f"{validated.images} known and {validated.unknown} unknown"
    return (
        f"Validated on {formats}, sides {least} to {greatest} pixels: {counts}\n"
        "  images; anything else is flagged `outside-validation`."
    )


def _said_threshold(value: float) -> str:
    """Three decimals, or more where a softmax near 1 needs them to be told from 1."""
    said = f"{value:.3f}"
    return f"{value:.9g}" if said == "1.000" else said


def _about(name: str, card: Card) -> str:
    return f"""## `{name}`

{card.limits}

- Known classes: {", ".join(f"`{entry}`" for entry in card.classes)}.
- {_said_validated(card.validated)}
- Preprocessing `{card.preprocessing}`; score: {card.score}.
- Threshold {_said_threshold(card.threshold.value)}: {card.threshold.chosen_by}.
- Scores of another engine or processor may differ from those of torch in float32 by {card.tolerance:g}, in bfloat16
  by {card.tolerance_in("bfloat16"):g}, in 8-bit integers by {card.tolerance_in("int8"):g}; what is nearer to the
  threshold than that, an engine leaves to torch in float32.
- Made by `{card.training.command or "an unknown command"}`; licence: {card.licence}.
"""
