"""`forensic evaluate`: options to a plan, the plan to `forensic.evaluate`, its numbers to stdout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from forensic.cli import console
from forensic.errors import ExitCode, MissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from forensic.data.layouts import Layout
    from forensic.evaluate.compare import Comparison
    from forensic.evaluate.history import History, HistoryPlan
    from forensic.evaluate.images import LeftOut
    from forensic.evaluate.run import Evaluation, EvaluationPlan
    from forensic.evaluate.selection import Selection
    from forensic.evaluate.tables import Table
    from forensic.models.weights import Weights

_DEFAULT_DATA = Path("dataset")
_NAMED = 20
"""So many images that got no score are named; JSON has them all."""
_TABLES = (".html", ".json", ".csv")
_FIGURES = (".png", ".svg", ".pdf")


def evaluate(
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of OSMA or osma-mini; ./dataset where not given.")
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of class folders: DIR/CLASS/* or DIR/test/CLASS/*.")
    ] = None,
    split: Annotated[int, typer.Option(help="Split of OSMA, 1 to 5.")] = 1,
    on: Annotated[
        Literal["test", "val"] | None, typer.Option(help="Which images: test, and with --history val.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|FILE", help="Weights, the default ones where not given; twice to compare two."),
    ] = None,
    unseen: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Images, class folders or group folders of them, in place of the unknowns."),
    ] = None,
    real: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A flat folder in place of the images of class real.")
    ] = None,
    jpeg: Annotated[
        str | None, typer.Option(metavar="Q[,Q..]", help="Also on the images re-encoded as JPEG at these qualities.")
    ] = None,
    metrics: Annotated[
        Literal["forensic", "reference"],
        typer.Option(help="reference: as the authors' program computes them, quirks included."),
    ] = "forensic",
    history: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="The networks and augmenters of a run trained with --record-open-space."),
    ] = None,
    class_name: Annotated[
        str | None,
        typer.Option("--class", metavar="NAME", help="With --history: the class to augment, else the first generator."),
    ] = None,
    format: Annotated[  # noqa: A002 - the option is called --format everywhere
        Literal["table", "json", "csv"] | None,
        typer.Option(help="table on a terminal, else json."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write FILE: a page .html, .json, .csv; a histogram .png, .svg, .pdf."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap that gives the intervals, and of the map.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    engine: Annotated[
        Literal["auto", "torch", "openvino", "onnx"],
        typer.Option(help="What runs the network on a CPU; auto is the fastest that is installed."),
    ] = "torch",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; warnings and errors only.")] = False,
) -> None:
    """Measure weights on known and unknown generators.

    \b
    forensic evaluate --data osma-mini                            test images, default weights
    forensic evaluate --data osma-mini --out page.html            and a page with curves and tables
    forensic evaluate --data osma-mini --jpeg 90,75               and re-encoded
    forensic evaluate --data osma-mini --unseen mine/ --real raw/ other unknowns, other photographs
    forensic evaluate --data osma-mini --weights a --weights b    what b changes
    forensic evaluate --data osma-mini --format json > numbers.json
    forensic evaluate --history RUN --out page.html               how a run's open space grew

    Closed-set accuracy is of the best class, whatever the threshold. AUROC, OSCR and FPR95 set all known images
    against each group of unknown ones (positive = known), with 95 % intervals over photographs. With --history the
    score is the largest softmax, and the images are those of the run unless --data or --classes names others.
    """
    console.set_quiet(quiet=quiet)
    qualities = _qualities(jpeg)
    named: list[str | None] = list(weights or []) or [None]
    form = format or ("table" if console.is_terminal() else "json")
    if history is not None or class_name is not None:
        _check_history(history, {"--weights": weights, "--jpeg": jpeg, "--metrics reference": metrics != "forensic"})
    _check(out, device, count=len(named), metrics=metrics, with_figures=history is None)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
    if history is not None:
        _end(
            _history(history, class_name, (data, classes, split), (on or "val", unseen, real), seed, device, form, out)
        )
        return
    on = on or "test"
    from forensic.models.weights import find_weights, load_weights

    # what is missing is told before torch is loaded
    paths = [find_weights(name) for name in named]
    layout = _layout(data, classes, split)
    from forensic.evaluate.compare import check_same_classes
    from forensic.evaluate.run import EvaluationPlan
    from forensic.evaluate.selection import select

    loaded = [load_weights(path, device=device) for path in paths]
    if len(loaded) == 2:
        check_same_classes(loaded[0].card, loaded[1].card, (str(named[0]), str(named[1])))
    plans = [
        EvaluationPlan(
            weights=each,
            selection=select(layout, each.card.classes, on=on, unseen=unseen, real=real),
            jpeg=qualities,
            seed=seed,
            device=device,
            engine=engine,
            computation=metrics,
            with_map=out is not None and out.suffix.lower() == ".html",
        )
        for each in loaded
    ]
    _tell_loose(plans[0].selection, unseen)
    head = {"data": layout.name, "on": on, "metrics": metrics, "seed": seed}
    _end(_measure(plans[0], head, form, out) if len(plans) == 1 else _compare(plans, head, form, out))


def _end(left_out: tuple[LeftOut, ...]) -> None:
    _tell_left_out(left_out)
    if left_out:
        raise typer.Exit(ExitCode.UNREADABLE)


def _measure(plan: EvaluationPlan, head: dict[str, Any], form: str, out: Path | None) -> tuple[LeftOut, ...]:
    from forensic.evaluate.reference import SAID
    from forensic.evaluate.run import evaluate as run
    from forensic.evaluate.tables import to_csv, to_json, to_tables

    with console.progress(None, "evaluate", unit="images") as progress:
        outcome = run(plan, lambda done, total: progress.update(done=done, total=total))
    loaded = plan.weights
    said = {"computation": SAID} if plan.computation == "reference" else {}
    row = {"weights": {"name": loaded.name, "hash": loaded.hash}} | head | said
    row |= {"preprocessing": loaded.card.preprocessing, "threshold": loaded.card.threshold.value}
    made = {"json": lambda: to_json(outcome, row) + "\n", "csv": lambda: to_csv(outcome)}
    if out is not None:
        _write(out, lambda suffix: _made(suffix, made, lambda: _picture(outcome, plan, head, out)))
    title = f"weights {loaded.name} ({loaded.hash}) on {head['data']}, {head['on']} images"
    _print(form, made, title, to_tables(outcome), said.get("computation", ""))
    return outcome.left_out


def _picture(outcome: Evaluation, plan: EvaluationPlan, head: dict[str, Any], out: Path) -> bytes:
    from forensic.evaluate.figures import score_histogram
    from forensic.evaluate.page import to_page

    card = plan.weights.card
    if out.suffix.lower() != ".html":
        return score_histogram(outcome.stored, card.threshold.value, out)
    attributed = outcome.stored.attributed
    known = sum(entry.sample.label >= 0 for entry in attributed)
    facts = {
        "weights": plan.weights.name,
        "hash": plan.weights.hash,
        "data": f"{head['data']}, {head['on']} images",
        "images": f"{known} known, {len(attributed) - known} unknown",
        "preprocessing": card.preprocessing,
        "score": card.score,
        "threshold": f"{card.threshold.value:.4g}; {card.threshold.chosen_by}",
        "metrics": plan.computation,
        "seed": str(plan.seed),
    }
    thresholds = {card.threshold.at(entry.tiles) for entry in attributed}
    threshold = thresholds.pop() if len(thresholds) == 1 else None
    return to_page(outcome, facts, threshold, computation=plan.computation, told=console.safe)


def _compare(plans: Sequence[EvaluationPlan], head: dict[str, Any], form: str, out: Path | None) -> tuple[LeftOut, ...]:
    from forensic.evaluate.compare import compare
    from forensic.evaluate.compare_tables import comparison_to_csv, comparison_to_json, comparison_to_tables

    with console.progress(None, "evaluate", unit="images") as progress:
        outcome = compare(plans[0], plans[1], lambda done, total: progress.update(done=done, total=total))
    both = [plan.weights for plan in plans]
    rows = [{"name": each.name, "hash": each.hash, "threshold": each.card.threshold.value} for each in both]
    row = {"weights": rows} | head
    made = {"json": lambda: comparison_to_json(outcome, row) + "\n", "csv": lambda: comparison_to_csv(outcome)}
    if out is not None:
        _write(out, lambda suffix: _made(suffix, made, lambda: _compared_page(outcome, both, head)))
    named = [f"{each.name} ({each.hash})" for each in both]
    title = f"first {named[0]}, second {named[1]}, on {head['data']}, {head['on']} images"
    _print(form, made, title, comparison_to_tables(outcome), "")
    return outcome.left_out


def _compared_page(outcome: Comparison, both: Sequence[Weights], head: dict[str, Any]) -> bytes:
    from forensic.evaluate.compare_tables import comparison_to_page

    facts = {place: f"{each.name}, {each.hash}" for place, each in zip(("first", "second"), both, strict=True)}
    facts |= {"data": f"{head['data']}, {head['on']} images", "seed": str(head["seed"])}
    title = f"{both[1].name} against {both[0].name}"
    return comparison_to_page(outcome, facts, title, told=console.safe)


def _history(
    run: Path,
    class_name: str | None,
    where: tuple[Path | None, Path | None, int],
    which: tuple[str, Path | None, Path | None],
    seed: int,
    device: str,
    form: str,
    out: Path | None,
) -> tuple[LeftOut, ...]:
    from forensic.data.layouts import read_layout
    from forensic.evaluate.history import SCORE, HistoryPlan, first_generator, measure_history
    from forensic.evaluate.history_tables import history_to_csv, history_to_json, history_to_tables
    from forensic.evaluate.open_space import read_open_space
    from forensic.evaluate.selection import select

    space = read_open_space(run)
    on, unseen, real = which
    own = where[0] is None and where[1] is None
    layout = read_layout(space.data, split=space.split, classes_dir=space.classes_dir) if own else _layout(*where)
    selection = select(layout, space.classes, on=on, unseen=unseen, real=real)
    _tell_loose(selection, unseen)
    with_maps = out is not None and out.suffix.lower() == ".html"
    name = class_name or first_generator(space.classes)
    plan = HistoryPlan(space, selection, name, seed=seed, device=device, with_maps=with_maps)
    with console.progress(None, "evaluate", unit="images") as progress:
        outcome = measure_history(plan, lambda done, total: progress.update(done=done, total=total))
    row: dict[str, Any] = {
        "run": {"path": str(run), "recipe": space.recipe, "epochs": space.epochs},
        "data": layout.name,
        "on": on,
    }
    row |= {"preprocessing": space.preprocessing, "score": SCORE, "seed": seed}
    made = {"json": lambda: history_to_json(outcome, row) + "\n", "csv": lambda: history_to_csv(outcome)}
    if out is not None:
        _write(out, lambda suffix: _made(suffix, made, lambda: _history_page(outcome, plan, row)))
    title = f"run {run} on {layout.name}, {on} images; score: {SCORE}"
    _print(form, made, title, history_to_tables(outcome), "")
    return outcome.left_out


def _history_page(outcome: History, plan: HistoryPlan, row: dict[str, Any]) -> bytes:
    from forensic.evaluate.history_page import history_to_page

    run = row["run"]
    facts = {"run": run["path"], "recipe": run["recipe"], "epochs": str(run["epochs"])}
    facts |= {"data": f"{row['data']}, {row['on']} images", "preprocessing": row["preprocessing"]}
    facts |= {"score": row["score"], "class": plan.class_name, "seed": str(row["seed"])}
    return history_to_page(outcome, facts, f"Open space of {run['path']}", told=console.safe)


def _made(suffix: str, made: dict[str, Callable[[], str]], other: Callable[[], bytes]) -> bytes:
    form = suffix.removeprefix(".")
    return made[form]().encode("utf-8", "surrogateescape") if form in made else other()


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


def _check_history(history: Path | None, others: dict[str, object]) -> None:
    if history is None:
        raise UsageError("--class", "goes with --history only")
    for option, given in others.items():
        if given:
            raise UsageError(option, "does not go with --history: the networks of a run are measured")


def _check(out: Path | None, device: str, *, count: int, metrics: str, with_figures: bool) -> None:
    """Before the work, not after it."""
    if device.partition(":")[0] not in ("cpu", "cuda"):
        raise UsageError(f"--device {device}", "is neither cpu nor cuda")
    if count > 2:
        raise UsageError("--weights", f"is given {count} times", "Two weights can be compared, no more")
    if count == 2 and metrics == "reference":
        raise UsageError("--metrics reference", "does not go with two --weights: it has no intervals")
    if out is None:
        return
    from importlib.util import find_spec

    suffix = out.suffix.lower()
    allowed = (*_TABLES, *_FIGURES) if with_figures and count < 2 else _TABLES
    if suffix not in allowed:
        raise UsageError(f"--out {out}", "is no format that can be written", f"One of {', '.join(allowed)}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}", "its folder is not there")
    if suffix in _FIGURES and find_spec("matplotlib") is None:
        remedy = "Install it with `pip install 'forensic-attribution[plot]'`"
        raise MissingError("matplotlib", "is not installed; the figure needs it", remedy)


def _layout(data: Path | None, classes: Path | None, split: int) -> Layout:
    from forensic.data.layouts import read_layout

    if data is not None and classes is not None:
        raise UsageError("--classes", "does not go with --data", "Name one folder")
    if classes is not None:
        return read_layout(classes, split=split, classes_dir=True)
    return read_layout(data or _DEFAULT_DATA, split=split)


def _write(out: Path, content: Callable[[str], bytes]) -> None:
    from forensic.case.output import replacing

    data = content(out.suffix.lower())
    with replacing(out) as file:
        file.write(data)


def _print(form: str, made: dict[str, Callable[[], str]], title: str, tables: Sequence[Table], notice: str) -> None:
    if form in made:
        console.data(made[form]().rstrip("\n"))
    else:
        console.stdout_text(title)
        if notice:
            console.stdout_text(notice)
        for table in tables:
            console.stdout_text("")
            console.stdout_table(table.columns, table.rows, title=table.title)
    console.flush()


def _tell_loose(selection: Selection, unseen: Path | None) -> None:
    for path in selection.loose[:_NAMED]:
        console.warn(f"{path}: lies beside class folders and belongs to none. Left out")
    if count := len(selection.loose):
        images = "1 image lies" if count == 1 else f"{count} images lie"
        console.warn(f"--unseen {unseen}: {images} beside class folders; give them a folder of their own")


def _tell_left_out(left_out: Sequence[LeftOut]) -> None:
    for entry in left_out[:_NAMED]:
        console.warn(f"{entry.path}: {entry.reason}. Left out")
    if count := len(left_out):
        said = (
            "1 image got no score and counts nowhere"
            if count == 1
            else f"{count} images got no score and count nowhere"
        )
        console.warn(said)
