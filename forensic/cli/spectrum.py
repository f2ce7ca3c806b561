"""`forensic spectrum`: what the model looks at, for one image or many."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic.cli import console
from forensic.errors import ExitCode, FileOutcome, UsageError

if TYPE_CHECKING:
    from forensic.spectra.reading import ImageSpectrum

Kind = Literal["fft", "dct", "radial", "autocorrelation", "all"]
Channel = Literal["luminance", "red", "green", "blue"]
_SUFFIXES = (".png", ".svg", ".html", ".json", ".npz")
_PLOTTED = 4
_GOOD_ORDER = ("fft", "dct", "autocorrelation", "radial")


def spectrum(
    images: Annotated[list[Path], typer.Argument(help="Images or folders; only ever read.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Figure (.png, .svg), page (.html) or numbers (.json, .npz).")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="Which spectra go into the file.")] = "all",
    channel: Annotated[Channel, typer.Option(help="What of the colours is looked at.")] = "luminance",
) -> None:
    """Show the spectra of images: Fourier, DCT, radial.

    \b
    forensic spectrum photo.png                            a table and a plot on the terminal
    forensic spectrum photo.png --out figure.png           image, Fourier, DCT, autocorrelation, radial
    forensic spectrum folder/ --kind radial --out all.svg  each image, then mean and spread
    forensic spectrum folder/ --out spectra.npz            the numbers

    Every image is cut into 128 px tiles at native resolution, on the grid of a scan, and the spectra are means over the
    tiles: an image of any size compares with the class spectra of the weights. Without --out nothing is written; in
    a pipe each image is a JSON line. Images that can not be read are named, and the exit code is then 3.
    """
    if out is not None and out.suffix.lower() not in _SUFFIXES:
        raise UsageError(str(out), "is of no form that spectrum writes", f"Choose one of {', '.join(_SUFFIXES)}")
    from forensic.case.evidence import guard_output, roots_of

    if out is not None:
        guard_output(out, roots_of(path for path in images if path.exists()))
        if not out.resolve().parent.is_dir():
            raise UsageError(str(out), "its folder does not exist", f"Make it with `mkdir -p {out.parent}`")
    paths = list(_files(images))
    if not paths:
        raise UsageError(console.safe(str(images[0])), "holds no image", "Name images, or a folder with some")
    spectra, unread = _read(paths, channel)
    if spectra:
        if out is not None:
            _write(spectra, _GOOD_ORDER if kind == "all" else (kind,), out)
            console.talk(f"{console.safe(str(out))}: {_images(len(spectra))}, {spectra[0].done.partition(':')[0]}")
        else:
            _show(spectra)
    if unread:
        console.talk(f"{_images(unread)} of {len(paths)} could not be used")
        raise typer.Exit(ExitCode.UNREADABLE)


def _files(arguments: Sequence[Path]) -> Iterator[Path]:
    """Files as given; below folders, in byte order, what has an image's extension. Links below are not followed."""
    from forensic.case.evidence import is_folder
    from forensic.data.signatures import EXTENSIONS

    known = frozenset().union(*EXTENSIONS.values())
    for argument in arguments:
        if not is_folder(argument):
            yield argument
            continue
        found = []
        for folder, folders, names in os.walk(argument):
            folders.sort(key=os.fsencode)
            found += [Path(folder, name) for name in names if Path(name).suffix[1:].lower() in known]
        yield from sorted((path for path in found if not path.is_symlink()), key=os.fsencode)


def _read(paths: Sequence[Path], channel: str) -> tuple[list[ImageSpectrum], int]:
    from forensic.case import evidence
    from forensic.case.rows import display_path
    from forensic.data.inspection import DecodeLimits
    from forensic.spectra.reading import spectrum_of

    spectra, unread = [], 0
    with console.progress(len(paths), "reading") as progress:
        for path in paths:
            name = display_path(os.fsencode(path))[0]
            try:
                data = evidence.read(os.fsencode(path), max_bytes=DecodeLimits().max_bytes).data
                spectra.append(spectrum_of(data, name=name, channel=channel))
            except FileOutcome as outcome:
                unread += 1
                console.warn(f"{console.safe(name)}: {outcome.reason}")
            progress.advance()
    return spectra, unread


def _write(spectra: Sequence[ImageSpectrum], kinds: Sequence[str], out: Path) -> None:
    from forensic.case.output import replacing
    from forensic.spectra import export, figure, page

    form = out.suffix.lower()[1:]
    with replacing(out) as stream:
        if form in ("png", "svg"):
            figure.write_figure(spectra, kinds, stream, form=form, told=console.safe)
        elif form == "html":
            page.write_html(spectra, kinds, stream, told=console.safe)
        elif form == "json":
            export.write_json(spectra, kinds, stream)
        else:
            export.write_npz(spectra, kinds, stream)


def _show(spectra: Sequence[ImageSpectrum]) -> None:
    """JSON lines in a pipe; for a person a table, a plot of each of the first few, and of the mean."""
    from forensic.spectra.export import summary
    from forensic.spectra.reading import group_spectrum
    from forensic.spectra.terminal import braille_plot, levelled

    if not console.is_terminal():
        import json

        for one in spectra:
            console.data(json.dumps(summary(one), ensure_ascii=True, allow_nan=False))
        return
    at = (8, 16, 32, 48, 63)
    columns = ["image", ">size", ">tiles", *(f">{r / 128:.3f}" for r in at)]
    rows = [
        (_short(one.name), f"{one.width}×{one.height}", str(one.tiles), *(f"{one.profile[r]:.2f}" for r in at))
        for one in spectra
    ]
    console.stdout_table(columns, rows, title="log10 of radial power at so many cycles a pixel")
    for one in spectra[:_PLOTTED]:
        console.stdout_text("\n".join(["", one.name.replace("\n", "\\n"), *braille_plot(levelled(one.profile))]))
    if len(spectra) > 1:
        group = group_spectrum(spectra)
        console.stdout_text("\n".join(["", f"mean of {group.count}", *braille_plot(levelled(group.mean))]))
    console.stdout_text(
        f"\n{spectra[0].done}\nplots: log10 of power times squared frequency, which makes a photograph level"
    )


def _short(name: str) -> str:
    """The end of a long path, for a table that must leave room for numbers; the plots below say it whole."""
    return name if len(name) <= 28 else f"…{name[-27:]}"


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
