"""`forensic weights`: list, show, verify; none of them loads torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic.cli import console

if TYPE_CHECKING:
    from forensic.models.weights import Listed

app = typer.Typer(
    name="weights",
    help="""List, show and verify weights.

    \b
    forensic weights list            what is bundled, which is the default
    forensic weights show            the card of the default ones
    forensic weights verify          every bundled pair against its hash
    """,
    rich_markup_mode=None,
    no_args_is_help=True,
)

_NAME = typer.Argument(metavar="[NAME|FILE]", help="Weights; the default ones where not given.", show_default=False)


@app.command("list")
def list_(
    format: Annotated[  # noqa: A002 - the option is called --format everywhere
        Literal["table", "json", "markdown"] | None, typer.Option(help="table on a terminal, else json.")
    ] = None,
) -> None:
    """List the bundled weights; the default ones are marked.

    \b
    forensic weights list
    forensic weights list --format markdown > weights/README.md
    """
    from forensic.models.weights import bundled_folder, list_weights
    from forensic.models.weights_page import weights_page

    listed = list_weights()
    form = format or ("table" if console.is_terminal() else "json")
    if form == "markdown":
        console.data(weights_page(listed).rstrip("\n"))
    elif form == "json":
        console.data(json.dumps([_to_dict(entry) for entry in listed], indent=2))
    else:
        console.stdout_table(("name", "hash", ">MB", "classes", "preprocessing", ""), [_row(entry) for entry in listed])
    if not listed:
        console.warn(f"no weights are bundled in {bundled_folder()}. `forensic train` makes some")


@app.command()
def show(
    weights: Annotated[str | None, _NAME] = None,
    format: Annotated[  # noqa: A002 - the option is called --format everywhere
        Literal["toml", "json"], typer.Option(help="How the card is printed.")
    ] = "toml",
) -> None:
    """Print the card: classes, threshold, training data, measures, limits.

    \b
    forensic weights show
    forensic weights show runs/my/weights.safetensors --format json
    """
    from forensic.models.card import card_to_toml
    from forensic.models.weights import find_weights, read_card

    card = read_card(find_weights(weights))
    if format == "json":
        console.data(json.dumps(card.to_dict(), indent=2))
    else:
        console.stdout_text(card_to_toml(card).rstrip("\n"))


@app.command()
def verify(
    weights: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME|FILE]...", help="Weights; all bundled ones where not given.")
    ] = None,
) -> None:
    """Check files against the hash in their card; exit code 4 where they do not agree.

    \b
    forensic weights verify
    forensic weights verify runs/my/weights.safetensors
    """
    from forensic.models.weights import find_weights, list_weights, verify_weights

    paths = [find_weights(name) for name in weights] if weights else [entry.path for entry in list_weights()]
    for path in paths:
        console.data(f"{console.safe(str(path))}: ok, SHA-256 {verify_weights(path)}")
    if not paths:
        console.warn("no weights are bundled. `forensic train` makes some")


def _to_dict(entry: Listed) -> dict[str, object]:
    card = entry.card
    return {
        "name": entry.name,
        "default": entry.default,
        "path": str(entry.path),
        "bytes": entry.size,
        "hash": card.hash if card else None,
        "classes": list(card.classes) if card else None,
        "preprocessing": card.preprocessing if card else None,
        "problem": entry.problem,
    }


def _row(entry: Listed) -> tuple[str, ...]:
    megabytes = f"{entry.size / 1e6:.1f}"
    if entry.card is None:
        return (entry.name, "-", megabytes, "-", "-", entry.problem or "")
    card = entry.card
    mark = "default" if entry.default else ""
    return (entry.name, card.short_hash, megabytes, ", ".join(card.classes), card.preprocessing, mark)
