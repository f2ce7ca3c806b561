"""`forensic compare`: two files or folders, one source or two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic.cli import console
from forensic.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from forensic.comparison.run import Comparison
    from forensic.comparison.sets import ImageSet
    from forensic.models.card import Card

_SUFFIXES = (".png", ".svg", ".html")
_NAMED = 20
"""So many files that can not be used are named; JSON has them all."""


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="An image or a folder of images; only ever read.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The other one.")],
    weights: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Weights, the default ones where not given.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option is called --format everywhere
        Literal["table", "json"] | None, typer.Option(help="table on a terminal, else json.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Both spectra and their difference: figure (.png, .svg), page (.html)."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; warnings and errors only.")] = False,
) -> None:
    """Weigh whether one generator made two images or folders, known or not.

    \b
    forensic compare a.png b.png                     two images: often no decision
    forensic compare seized/ checkpoint-output/      do these files come from that checkpoint?
    forensic compare a/ b/ --out difference.html     and both spectra with their difference
    forensic compare a/ b/ --format json > compared.json

    Looks at residual traces, and needs no generator to be known. Same source means: as like as images of one generator
    are; the same network trained anew can look so too. The ratio is calibrated on generators that were left out of
    training, and its error rates by numbers of images are told with it; they hold for images like those.
    Put all images of one source into one folder: ten tell far more than one.
    """
    console.set_quiet(quiet=quiet)
    if out is not None:
        _check(out, first, second)
    from forensic.models.weights import find_weights, load_verification

    path = find_weights(weights)
    card, verification = load_verification(path)  # what is missing is told before torch is loaded
    from forensic.comparison.run import compare_sets, to_dict
    from forensic.comparison.sets import image_files, read_set

    files = {argument: image_files(argument) for argument in (first, second)}
    for argument, found in files.items():
        if not found:
            raise UsageError(console.safe(str(argument)), "holds no image", "Name an image, or a folder with some")
    with console.progress(sum(map(len, files.values())), "reading") as progress:
        sets = [read_set(each, files[each], card, verification, progress.advance) for each in (first, second)]
    _tell(sets)
    if not (sets[0].images and sets[1].images):
        console.talk("nothing to compare: a side has no image that can be used")
        raise typer.Exit(ExitCode.UNREADABLE)
    unreadable = any(each.left_out for each in sets)
    comparison = compare_sets(sets[0], sets[1], card, verification)
    if comparison.shared:
        console.warn(f"{_images(comparison.shared)} of {console.safe(str(second))} also in the first: left out there")
    if out is not None:
        _write(comparison, card, out)
    if (format or ("table" if console.is_terminal() else "json")) == "json":
        console.data(json.dumps(to_dict(comparison, card, path.stem), ensure_ascii=True, allow_nan=False))
    else:
        _show(comparison, card, path.stem)
    if unreadable:
        raise typer.Exit(ExitCode.UNREADABLE)


def _check(out: Path, *evidence: Path) -> None:
    from forensic.case.evidence import guard_output, roots_of

    if out.suffix.lower() not in _SUFFIXES:
        raise UsageError(str(out), "is of no form that compare writes", f"Choose one of {', '.join(_SUFFIXES)}")
    guard_output(out, roots_of(path for path in evidence if path.exists()))
    if not out.resolve().parent.is_dir():
        raise UsageError(str(out), "its folder does not exist", f"Make it with `mkdir -p {out.parent}`")


def _tell(sets: list[ImageSet]) -> None:
    left_out = [row for each in sets for row in each.left_out]
    for name, reason in left_out[:_NAMED]:
        console.warn(f"{console.safe(name)}: {reason}")
    if len(left_out) > _NAMED:
        console.warn(f"and {len(left_out) - _NAMED} more")


def _show(comparison: Comparison, card: Card, name: str) -> None:
    from forensic.comparison.run import MEANING, rates_in_words

    compared = comparison.compared
    rows = [
        (each.name, str(len(each.images)), ", ".join(f"{flag} {count}" for flag, count in each.flags.items()))
        for each in (comparison.one, comparison.other)
    ]
    console.stdout_table(("compared", ">images", "flags"), rows)
    console.stdout_text(_line(comparison), style="bold")
    console.stdout_text(f"That is: {MEANING[compared.verdict]}.")
    console.stdout_text(rates_in_words(comparison, card))
    console.stdout_text(f"Weights {name} ({card.short_hash})")


def _line(comparison: Comparison) -> str:
    compared = comparison.compared
    return f"{compared.verdict}: log10 of the ratio {compared.log10_ratio:+.2f}, from -2 to 2; decided from 1 on"


def _write(comparison: Comparison, card: Card, out: Path) -> None:
    from forensic.case.output import replacing
    from forensic.comparison.run import MEANING, rates_in_words
    from forensic.spectra.pair import write_pair
    from forensic.spectra.reading import group_spectrum

    one, other = (
        group_spectrum([image.spectrum for image in each.images]) for each in (comparison.one, comparison.other)
    )
    names = (console.safe(comparison.one.name), console.safe(comparison.other.name))
    told = [_line(comparison), f"That is: {MEANING[comparison.compared.verdict]}.", rates_in_words(comparison, card)]
    with replacing(out) as stream:
        write_pair(one, other, names, told, stream, form=out.suffix.lower()[1:])
    console.talk(f"{console.safe(str(out))}: {_images(one.count)} and {_images(other.count)}")


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
