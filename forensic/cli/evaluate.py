"""`forensic evaluate`: options to a plan, the plan to `forensic.evaluate`, its numbers to stdout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from forensic.cli import console
from forensic.errors import ExitCode, MissingError, UsageError

if TYPE_CHECKING:
    from forensic.data.layouts import Layout
    from forensic.evaluate.run import Evaluation
    from forensic.models.weights import Weights

_DEFAULT_DATA = Path("dataset")
_NAMED = 20
"""So many images that got no score are named; JSON has them all."""


def evaluate(
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of OSMA or osma-mini; ./dataset where not given.")
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of class folders: DIR/CLASS/* or DIR/test/CLASS/*.")
    ] = None,
    split: Annotated[int, typer.Option(help="Split of OSMA, 1 to 5.")] = 1,
    on: Annotated[Literal["test", "val"], typer.Option(help="Which images.")] = "test",
    weights: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Weights; the default ones where not given.")
    ] = None,
    unseen: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Class folders, or group folders of them, in place of the unknowns."),
    ] = None,
    real: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A flat folder in place of the images of class real.")
    ] = None,
    jpeg: Annotated[
        str | None, typer.Option(metavar="Q[,Q..]", help="Also on the images re-encoded as JPEG at these qualities.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option is called --format everywhere
        Literal["table", "json", "csv"] | None,
        typer.Option(help="table on a terminal, else json."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FIGURE", help="Write the histogram of scores: .png, .svg or .pdf.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap that gives the intervals.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; warnings and errors only.")] = False,
) -> None:
    """Measure weights on known and unknown generators.

    \b
    forensic evaluate --data osma-mini                            test images, default weights
    forensic evaluate --data osma-mini --jpeg 90,75               and re-encoded
    forensic evaluate --data osma-mini --unseen mine/ --real raw/ other unknowns, other photographs
    forensic evaluate --data osma-mini --format json > numbers.json

    Closed-set accuracy is of the best class, whatever the threshold. AUROC, OSCR and FPR95 set all known images
    against each group of unknown ones (positive = known), with 95 % intervals over photographs.
    """
    console.set_quiet(quiet=quiet)
    qualities = _qualities(jpeg)
    _check_out(out)
    if device.partition(":")[0] not in ("cpu", "cuda"):
        raise UsageError(f"--device {device}", "is neither cpu nor cuda")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
    from forensic.models.weights import find_weights, load_weights

    # what is missing is told before torch is loaded
    path = find_weights(weights)
    layout = _layout(data, classes, split)
    from forensic.evaluate.images import select
    from forensic.evaluate.run import EvaluationPlan
    from forensic.evaluate.run import evaluate as run

    loaded = load_weights(path, device=device)
    selection = select(layout, loaded.card.classes, on=on, unseen=unseen, real=real)
    plan = EvaluationPlan(loaded, selection, qualities, seed, device=device)
    with console.progress(None, "evaluate", unit="images") as progress:
        outcome = run(plan, lambda done, total: progress.update(done=done, total=total))
    head = {
        "weights": {"name": loaded.name, "hash": loaded.hash},
        "data": layout.name,
        "on": on,
        "preprocessing": loaded.card.preprocessing,
        "threshold": loaded.card.threshold.value,
        "seed": seed,
    }
    if out is not None:
        _write_figure(outcome, loaded, out)
    _print(outcome, head, format or ("table" if console.is_terminal() else "json"))
    _tell_left_out(outcome)
    if outcome.left_out:
        raise typer.Exit(ExitCode.UNREADABLE)


def _qualities(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    try:
        qualities = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        qualities = (0,)
    if not all(1 <= quality <= 100 for quality in qualities):
        raise UsageError(f"--jpeg {text}", "expected qualities from 1 to 100", "For example --jpeg 90,75")
    return qualities


def _check_out(out: Path | None) -> None:
    """Before the work, not after it."""
    if out is None:
        return
    from importlib.util import find_spec

    from forensic.evaluate.figures import FORMATS

    if out.suffix.lower() not in FORMATS:
        raise UsageError(f"--out {out}", "is no figure format", f"One of {', '.join(FORMATS)}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}", "its folder is not there")
    if find_spec("matplotlib") is None:
        remedy = "Install it with `pip install 'forensic-attribution[plot]'`"
        raise MissingError("matplotlib", "is not installed; the figure needs it", remedy)


def _layout(data: Path | None, classes: Path | None, split: int) -> Layout:
    from forensic.data.layouts import read_layout

    if data is not None and classes is not None:
        raise UsageError("--classes", "does not go with --data", "Name one folder")
    if classes is not None:
        return read_layout(classes, split=split, classes_dir=True)
    return read_layout(data or _DEFAULT_DATA, split=split)


def _write_figure(outcome: Evaluation, weights: Weights, out: Path) -> None:
    import tempfile

    from forensic.evaluate.figures import score_histogram

    figure = score_histogram(outcome.stored, weights.card.threshold.value, out)
    try:
        handle, hidden = tempfile.mkstemp(dir=out.absolute().parent, prefix=f".{out.name}-")
        with os.fdopen(handle, "wb") as file:
            file.write(figure)
        Path(hidden).chmod(0o644)
        Path(hidden).replace(out)
    except OSError as error:
        raise UsageError(f"--out {out}", f"can not be written: {error.strerror}") from error


def _print(outcome: Evaluation, head: dict[str, Any], form: str) -> None:
    from forensic.evaluate.tables import to_csv, to_json, to_tables

    if form == "json":
        console.data(to_json(outcome, head))
    elif form == "csv":
        console.data(to_csv(outcome).rstrip("\n"))
    else:
        weights = head["weights"]
        console.stdout_text(f"weights {weights['name']} ({weights['hash']}) on {head['data']}, {head['on']} images")
        for table in to_tables(outcome):
            console.stdout_text("")
            console.stdout_table(table.columns, table.rows, title=table.title)
    console.flush()


def _tell_left_out(outcome: Evaluation) -> None:
    for entry in outcome.left_out[:_NAMED]:
        console.warn(f"{entry.path}: {entry.reason}. Left out")
    if outcome.left_out:
        console.warn(f"{len(outcome.left_out)} images got no score and count nowhere")
