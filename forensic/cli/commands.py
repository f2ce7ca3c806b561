"""Which commands there are, and how one is loaded when it is asked for.

Help, completion and the correction of a mistyped name read the table below and import nothing; a command's module
is imported only when the command runs. `tests/house/test_docs.py` holds the table against the modules' own help.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
import typer.core
import typer.main


@dataclass(frozen=True)
class Entry:
    """One command or group of commands.

    `target` is `module:attribute`: a function, or a `typer.Typer` with subcommands.
    """

    target: str
    help: str

    @property
    def is_group(self) -> bool:
        """Whether it has subcommands."""
        return self.target.endswith(":app")


COMMANDS: dict[str, Entry] = {
    "scan": Entry("forensic.cli.scan:scan", "Attribute every image to one of the known classes, or to none of them."),
    "report": Entry(
        "forensic.cli.report:report", "Write a case as HTML, CSV or JSON Lines; needs no weights and no images."
    ),
    "case": Entry("forensic.cli.case:app", "Show, verify, annotate, export, compare and merge cases."),
    "spectrum": Entry("forensic.cli.spectrum:spectrum", "Show the spectra of images: Fourier, DCT, radial."),
    "compare": Entry(
        "forensic.cli.compare:compare", "Weigh whether one generator made two images or folders, known or not."
    ),
    "discover": Entry(
        "forensic.cli.discover:discover",
        "Sort what a case rejected into clusters of like traces; hints for the eye.",
    ),
    "provenance": Entry(
        "forensic.cli.provenance:provenance",
        "Show what image files claim about their own origin, and how far that is signed.",
    ),
    "train": Entry("forensic.cli.train:train", "Train weights on a folder of known generators."),
    "evaluate": Entry("forensic.cli.evaluate:evaluate", "Measure weights on known and unknown generators."),
    "calibrate": Entry(
        "forensic.cli.calibrate:calibrate",
        "Fit thresholds, p and likelihood ratios of weights to images of your own.",
    ),
    "validate": Entry(
        "forensic.cli.validate:validate",
        "State the error rates of weights, and of a calibration, on images of your own.",
    ),
    "benchmark": Entry("forensic.cli.benchmark:app", "Train variants of a recipe side by side and tabulate them."),
    "weights": Entry(
        "forensic.cli.weights:app", "List, show, verify, import, rescore weights; enrol and remove classes."
    ),
    "explain": Entry(
        "forensic.cli.explain:explain", "Explain the flags, reasons, verdicts and exit codes that a scan gives."
    ),
    "config": Entry("forensic.cli.configuration:app", "Show where each setting comes from."),
    "doctor": Entry(
        "forensic.cli.doctor:doctor", "Tell what was built, what is missing, and the command that cures it."
    ),
}
"""In the order of the help page."""


class OnDemandGroup(typer.core.TyperGroup):
    """The top command: stubs for help and completion, the real command when one is resolved."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, entry in COMMANDS.items():
            self.commands[name] = typer.core.TyperCommand(
                name=name, callback=None, help=entry.help, short_help=entry.help, rich_markup_mode=None
            )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that `args` names, imported now."""
        name, stub, rest = super().resolve_command(ctx, args)
        return name, stub if name is None else load_command(name), rest


def load_command(name: str) -> Any:
    """The runnable command called `name` in `COMMANDS`."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    target = getattr(import_module(module), attribute)
    holder = typer.Typer(rich_markup_mode=None, add_completion=False)
    if isinstance(target, typer.Typer):
        holder.add_typer(target, name=name)
    else:
        holder.command(name)(target)
    return typer.main.get_group(holder).commands[name]
