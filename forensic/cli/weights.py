"""`forensic weights`: list, show, verify, import, rescore, enrol, remove; the first three load no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from forensic.cli import console
from forensic.errors import ExitCode, ForensicError, UsageError, refused

if TYPE_CHECKING:
    from forensic.models.weights import Listed

app = typer.Typer(
    name="weights",
    help="""List, show, verify, import, rescore weights; enrol and remove classes.

    \b
    forensic weights list            what is bundled, which is the default
    forensic weights show            the card of the default ones
    forensic weights verify          every bundled pair against its hash
    forensic weights import F.pth    a published task model of the paper's authors
    forensic weights rescore         the same network with another score
    forensic weights enrol           a class more, from a few images
    forensic weights remove          that class less
    """,
    rich_markup_mode=None,
    no_args_is_help=True,
)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refused(str(out), error, "Nothing was left there") from error


def _check_out(out: Path, read: Path) -> None:
    """Before the work. Weights are never replaced by what is made of them: a card names those before by their hash.

    Raises:
        UsageError: no name of weights, or the very weights that are read.
    """
    from forensic.models.weights import SUFFIX

    if out.suffix != SUFFIX:
        raise UsageError(str(out), f"weights end in {SUFFIX}", f"Name it {out.stem}{SUFFIX}")
    pairs = ((out, read), (out.with_suffix(".toml"), read.with_suffix(".toml")))
    if any(one.exists() and other.exists() and one.samefile(other) for one, other in pairs):
        raise UsageError(str(out), "is what is read", "Choose another --out; it stays as it is")


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

    Every one is checked, whatever the others are; the exit code is that of the worst.
    """
    from forensic.models.weights import find_weights, list_weights, verify_weights

    names: list[str] | list[Path] = weights or [entry.path for entry in list_weights()]
    worst = ExitCode.DONE
    for name in names:
        try:
            path = find_weights(name)
            console.data(f"{console.safe(str(path))}: ok, SHA-256 {verify_weights(path)}")
        except ForensicError as error:
            console.error(str(error))
            worst = max(worst, error.exit_code)
    if not names:
        console.warn("no weights are bundled. `forensic train` makes some")
    if worst:
        raise typer.Exit(worst)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What torch.save wrote: model.pth; only read.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to, NAME.safetensors; its card goes beside it.")],
    split: Annotated[
        int | None, typer.Option(metavar="N", help="Take the class names of OSMA's split N, 1 to 5.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Class names in label order; numbered where neither is given.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(metavar="X", help="From which softmax on an image is known, 0 to 1; 0.5 where not given."),
    ] = None,
) -> None:
    """Import a published task model of the paper's authors; nothing in the file is run.

    \b
    forensic weights import model.pth --out pose1.safetensors --split 1
    forensic weights import model.pth --out mine.safetensors --classes real,a,b --threshold 0.6
    forensic evaluate --weights pose1.safetensors --data OSMA/ --split 1

    The score is the largest softmax, as in the paper, which gives no threshold: with 0.5 the best class has at least
    as much softmax as all others together. No image validates it, and each finding says so; `forensic evaluate`
    measures it on yours.
    """
    from forensic.models.import_pose import ImportPlan, import_pose

    names = None if classes is None else tuple(name.strip() for name in classes.split(","))
    card = import_pose(file, out, ImportPlan(split=split, classes=names, threshold=threshold))
    console.talk(f"{console.safe(str(out))}: {card.num_classes} classes, threshold {card.threshold.value:g}")
    console.warn("not validated: no error rate is known. `forensic evaluate` measures these weights on your images")


@app.command()
def rescore(
    score: Annotated[str, typer.Option(metavar="KIND", help="As the recipe's field score.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to, NAME.safetensors; its card goes beside it.")],
    weights: Annotated[str | None, _NAME] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What they were trained on: OSMA or osma-mini.")
    ] = None,
    classes: Annotated[Path | None, typer.Option(metavar="DIR", help="The same, a folder of class folders.")] = None,
    split: Annotated[int, typer.Option(help="Split of OSMA, 1 to 5.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the run.")] = 0,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")] = "cpu",
) -> None:
    """Give trained weights another score and threshold; the network stays as it is, nothing is trained.

    \b
    forensic weights rescore --data osma-mini --score traces --out new.safetensors
    forensic weights rescore runs/my/weights.safetensors --classes my-generators --score softmax --out my.safetensors

    Score and threshold are fitted on training and validation images, as at the end of a training run; the images must
    be those that the weights were trained on. Kinds: sum, softmax, margin, energy, distance, relative, spectrum,
    odds-spectrum, combined, traces, traces-alone (`forensic/models/scorer.py` has their formulas).
    """
    from forensic.data.prepare import PREPROCESSINGS, same_crops
    from forensic.models.score_kinds import KINDS
    from forensic.models.weights import find_weights, load_weights
    from forensic.train.finishing import rescore as core
    from forensic.train.inputs import read_run_layout
    from forensic.train.run_folder import RunConfig

    kind = next((kind for kind in KINDS if kind == score), None)
    if kind is None:
        raise UsageError(f"--score {score}", "is no kind of score", f"It is one of {', '.join(KINDS)}")
    if (data is None) == (classes is None):
        raise UsageError("--data, --classes", "name one folder, what the weights were trained on")
    path = find_weights(weights)
    _check_out(out, path)
    loaded = load_weights(path, device=device)
    folder = data if classes is None else classes
    newest = next(one for one in PREPROCESSINGS if same_crops(one, loaded.card.preprocessing))
    config = RunConfig(data=str(folder), classes_dir=classes is not None, split=split, preprocessing=newest)
    with _writing(out):
        card = core(loaded, read_run_layout(config), out, kind, seed=seed, device=device)
    console.talk(f"{console.safe(str(out))}: score {card.scorer}, threshold {card.threshold.value:g}")


_W = typer.Argument(metavar="W", help="Weights, by name or file.")
_OUT = typer.Option(metavar="FILE", help="Where to, NAME.safetensors; its card goes beside it.")


@app.command()
def enrol(
    weights: Annotated[str, _W],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the new class.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Its images, 10 to 200.")],
    out: Annotated[Path, _OUT],
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")] = "cpu",
) -> None:
    """Add a class from a few images, without training; half of them fit it, half measure it.

    \b
    forensic weights enrol osma-mini new-generator images/ --out more.safetensors
    forensic scan images/ --weights more.safetensors

    All classes then share one score, by residual traces alone, and the threshold is fitted anew to the validation
    images that the weights keep. The card says what that changes: `forensic weights show`.
    """
    from forensic.case.evidence import guard_output, roots_of
    from forensic.models.enrol import enrol as core
    from forensic.models.weights import find_weights
    from forensic.spectra.profile import log_radial

    guard_output(out, roots_of([folder]))
    path = find_weights(weights)
    _check_out(out, path)
    with _writing(out):
        card = core(path, name, folder, out, profile=log_radial, device=device)
    entry = card.enrolled[name]
    said = f"{card.num_classes} classes, threshold {card.threshold.value:g}"
    halves = f"{console.safe(name)} from {entry['fitted_on']} images, measured on {entry['held_back']} others"
    console.talk(f"{console.safe(str(out))}: {said}; {halves}")
    console.stdout_table(
        ("", ">before", ">after"),
        [row for form in ("stored", "jpeg") if form in entry for row in _measured(form, entry)],
    )


@app.command()
def remove(
    weights: Annotated[str, _W],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of an enrolled class.")],
    out: Annotated[Path, _OUT],
) -> None:
    """Take an enrolled class out again; what is left is what was there before, byte for byte.

    \b
    forensic weights remove more.safetensors new-generator --out as-before.safetensors
    """
    from forensic.models.enrol import remove as core
    from forensic.models.weights import find_weights

    path = find_weights(weights)
    _check_out(out, path)
    with _writing(out):
        card = core(path, name, out)
    console.talk(f"{console.safe(str(out))}: {card.num_classes} classes, hash {card.short_hash}")


def _measured(form: str, entry: dict[str, Any]) -> list[tuple[str, str, str]]:
    counts = entry[form]
    held, known, unknown = entry["held_back"], counts["known"], counts["unknown"]
    said = "as stored" if form == "stored" else "as JPEG"
    return [
        (f"held back, {said}: named", "-", f"{counts['held_back_named']} of {held}"),
        (
            f"held back, {said}: taken for another class",
            f"{counts['held_back_taken_for_another_before']} of {held}",
            f"{counts['held_back_taken_for_another']} of {held}",
        ),
        (
            f"known images, {said}: accepted",
            f"{counts['known_accepted_before']} of {known}",
            f"{counts['known_accepted']} of {known}",
        ),
        (f"known images, {said}: taken for the new class", "-", f"{counts['known_taken_for_it']} of {known}"),
        (
            f"unknown images, {said}: accepted",
            f"{counts['unknown_accepted_before']} of {unknown}",
            f"{counts['unknown_accepted']} of {unknown}",
        ),
        (f"unknown images, {said}: taken for the new class", "-", f"{counts['unknown_taken_for_it']} of {unknown}"),
    ]


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
