"""`forensic benchmark`: options to a plan, the plan to `forensic.benchmark`, its table to stdout."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic.cli import console
from forensic.errors import UsageError

if TYPE_CHECKING:
    from forensic.benchmark.ablation import Row
    from forensic.benchmark.run import BenchmarkPlan, Event

app = typer.Typer(
    name="benchmark",
    help="""Train variants of a recipe side by side and tabulate them.

    \b
    forensic benchmark ablation --data osma-mini    every variant, 150 steps each
    """,
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.callback()
def benchmark() -> None:
    """Keeps `ablation` a subcommand while it is the only one."""


@app.command()
def ablation(
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of OSMA or osma-mini; ./dataset where not given.")
    ] = None,
    split: Annotated[int, typer.Option(help="Split of OSMA, 1 to 5.")] = 1,
    only: Annotated[
        str | None, typer.Option(metavar="NAME[,NAME..]", help="These rows; all of them where not given.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each row, to the nearest whole epoch.")] = 150,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the table and of each row's run.")] = Path(
        "runs/ablation"
    ),
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A field of the base recipe; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; cuda where there is one.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch; part of a run's bits.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Print the rows and leave.")] = False,
    format: Annotated[  # noqa: A002 - the option is called --format everywhere
        Literal["table", "json", "markdown"] | None, typer.Option(help="table on a terminal, else json.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; warnings and errors only.")] = False,
) -> None:
    """Train ablations of the recipe for the same number of steps and measure them on validation images.

    \b
    forensic benchmark ablation --list
    forensic benchmark ablation --data osma-mini                            150 steps a row
    forensic benchmark ablation --data osma-mini --only forensic,base,joint --steps 300
    forensic benchmark ablation --data osma-mini --set architecture.width=16

    Accuracy of the known, AUROC of known against unknown by the largest softmax and by the sum, on images as stored and
    as JPEG of quality 90. Test images are not opened. The same command goes on after a stop; finished rows stay.
    """
    console.set_quiet(quiet=quiet)
    from forensic.benchmark.ablation import find_rows

    rows = find_rows(only)
    if list_:
        console.stdout_table(("row", "what", "sets"), [_listed(row) for row in rows])
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
    plan = _plan(data or Path("dataset"), split, rows, steps, out, set_ or [], seed, device, threads, only)
    from forensic.benchmark.run import run
    from forensic.benchmark.table import COLUMNS, cells, to_json, to_markdown

    with _Display() as display:
        try:
            table = run(plan, display.show)
        except KeyboardInterrupt:
            console.talk(f"stopped; the same command goes on with what is in {out}")
            raise
    form = format or ("table" if console.is_terminal() else "json")
    if form == "table":
        console.stdout_text(table["command"])
        console.stdout_table(COLUMNS, [cells(result) for result in table["rows"]])
    else:
        console.data((to_json(table) if form == "json" else to_markdown(table)).rstrip("\n"))
    console.talk(f"written: {out / 'table.md'}, {out / 'table.json'}")


def _listed(row: Row) -> tuple[str, str, str]:
    return row.name, row.what, " ".join(row.fields) or "-"


def _plan(
    data: Path,
    split: int,
    rows: tuple[Row, ...],
    steps: int,
    out: Path,
    assignments: list[str],
    seed: int,
    device: str | None,
    threads: int | None,
    only: str | None,
) -> BenchmarkPlan:
    import torch

    from forensic import __version__
    from forensic.benchmark.run import BenchmarkPlan
    from forensic.train.config import FORENSIC, set_field
    from forensic.train.run_folder import RunConfig

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device.partition(":")[0] not in ("cpu", "cuda"):
        raise UsageError(f"--device {device}", "is neither cpu nor cuda")
    if device != "cpu" and not torch.cuda.is_available():
        raise UsageError(f"--device {device}", "torch sees no CUDA device", "See `forensic doctor`")
    base = FORENSIC
    for assignment in assignments:
        if assignment.partition("=")[0].strip() == "epochs":
            raise UsageError(f"--set {assignment}", "does not go with a number of steps", "Use --steps")
        base = set_field(base, assignment)
    threads = threads or torch.get_num_threads()
    words = ["forensic", "benchmark", "ablation", "--data", data.resolve().name]  # a path says nothing elsewhere
    words += ["--split", str(split)] if split != 1 else []
    words += ["--only", ",".join(row.name for row in rows)] if only is not None else []
    words += ["--steps", str(steps)]
    words += [word for assignment in assignments for word in ("--set", assignment)]
    words += ["--seed", str(seed), "--device", device, "--threads", str(threads)]
    return BenchmarkPlan(
        out=out,
        rows=rows,
        base=base,
        steps=steps,
        run=RunConfig(data=str(data.absolute()), split=split, seed=seed, device=device, threads=threads),
        command=shlex.join(words),
        versions={"forensic": __version__, "torch": torch.__version__},
    )


class _Display(console.Stages):
    """Shows the events of a benchmark as progress on stderr, a bar for each part of a row."""

    def __init__(self) -> None:
        super().__init__()
        self._row = ""

    def show(self, event: Event) -> None:
        """Called for each event as it happens."""
        from forensic.benchmark import run
        from forensic.train import events

        match event:
            case run.RowBegun():
                self.close()
                self._row = f"{event.row.name} ({event.place} of {event.count})"
                if event.was_finished:
                    console.talk(f"{self._row}: finished earlier")
            case events.ImageRead():
                self._part("reading", event.total, "images").update(done=event.done)
                if event.left_out is not None:
                    console.warn(f"{event.left_out}. Left out of training")
            case events.RunBegun():
                self._part("training", event.total_steps, "steps").update(done=event.done_steps)
            case events.StepDone():
                self._part("training", None, "steps").update(done=event.step)
            case events.EpochDone():
                pass
            case events.FinishingImage() | run.MeasuringImage():
                label = "finishing" if isinstance(event, events.FinishingImage) else "measuring"
                self._part(label, event.total, "images").update(done=event.done)
            case run.RowDone():
                self.close()

    def _part(self, label: str, total: int | None, unit: str) -> console.Progress:
        return self.open(f"{self._row}: {label}", total, unit)
