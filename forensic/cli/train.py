"""`forensic train`: options to a plan, the plan to `forensic.train`, its events to the terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from forensic.cli import console
from forensic.errors import UsageError

if TYPE_CHECKING:
    from forensic.train.events import Event, ImageRead, RunSummary, StepDone
    from forensic.train.loop import TrainPlan
    from forensic.train.run_folder import RunConfig

_DEFAULT_DATA = Path("dataset")
_NAMED = 20
"""So many files that can not be used are named; the rest is counted, and all stand in `data.jsonl`."""


def train(
    ctx: typer.Context,
    split: Annotated[int | None, typer.Option(help="Split of OSMA, 1 to 5; 1 where not given.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of OSMA or osma-mini; ./dataset where not given.")
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of class folders: DIR/CLASS/* or DIR/train/CLASS/*.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="forensic (default), reference (the authors' program) or paper (the text)."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs; one new augmenter each.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of every draw; 0 where not given.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Run folder; runs/split1-forensic-s0 by split and seed.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML as --print-config prints it; options go before it.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A field of the recipe; repeatable.")
    ] = None,
    record_open_space: Annotated[
        bool,
        typer.Option("--record-open-space", help="Keep the networks of each epoch, for evaluate --history."),
    ] = False,
    print_config: Annotated[bool, typer.Option("--print-config", help="Print the configuration and leave.")] = False,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with a run; needs no other option.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; cuda where there is one.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch; part of the run's bits.")] = None,
    preprocessing: Annotated[
        Literal["tiles-128-v2", "tiles-128-v1", "pose-128-v1"] | None,
        typer.Option(help="Takes the place of the layout's."),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Decode every image anew, and keep none for the next run.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; warnings and errors only.")] = False,
) -> None:
    """Train weights on a folder of known generators.

    \b
    forensic train --split 1                               OSMA in ./dataset
    forensic train --data osma-mini --epochs 12            osma-mini
    forensic train --data osma-mini --recipe reference     the authors' program, step by step
    forensic train --classes my-generators --out runs/my   a folder of class folders
    forensic train --resume runs/my                        after a stop, at the last checkpoint
    forensic train --print-config --set lr=1e-4 > my.toml  all fields with their values

    Writes a run folder with losses, checkpoints and, at the end, weights.safetensors and its card weights.toml.
    """
    console.set_quiet(quiet=quiet)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
    from forensic.train.run_folder import config_to_toml

    cache = None if no_cache else _cache_folder()
    if resume is not None:
        _only_resume(ctx)
        _run(_resumed(resume, cache))
        return
    options = {
        "split": split,
        "seed": seed,
        "device": device,
        "threads": threads,
        "preprocessing": preprocessing,
        "record_open_space": record_open_space or None,
        **_where(data, classes),
    }
    if recipe is not None and config is not None:
        raise UsageError("--recipe", "does not go with --config: the file names its recipe")
    given = {name: value for name, value in options.items() if value is not None}
    wanted = _config(config, recipe, given, epochs, set_ or [])
    if print_config:
        console.stdout_text(config_to_toml(wanted, _versions()).rstrip("\n"))
        return
    _run(_new(out or _default_out(wanted), wanted, cache))


def _only_resume(ctx: typer.Context) -> None:
    for name in ctx.params:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and name not in ("resume", "quiet", "no_cache"):
            option = "--" + name.rstrip("_").replace("_", "-")
            raise UsageError(option, "does not go with --resume: the run folder holds its own configuration")


def _where(data: Path | None, classes: Path | None) -> dict[str, Any]:
    if data is not None and classes is not None:
        raise UsageError("--classes", "does not go with --data", "Name one folder")
    if classes is not None:
        return {"data": str(classes.absolute()), "classes_dir": True}
    return {} if data is None else {"data": str(data.absolute()), "classes_dir": False}


def _config(
    file: Path | None, name: str | None, options: dict[str, Any], epochs: int | None, assignments: list[str]
) -> RunConfig:
    from dataclasses import replace

    import torch

    from forensic.train.config import FORENSIC, find_recipe, set_field
    from forensic.train.run_folder import RunConfig, config_from_toml

    if file is None:
        base = RunConfig(
            data=str(_DEFAULT_DATA.absolute()),
            device="cuda" if torch.cuda.is_available() else "cpu",
            threads=torch.get_num_threads(),
            recipe=find_recipe(name or FORENSIC.name),
        )
    else:
        try:
            base = config_from_toml(file.read_text(encoding="utf-8"), str(file))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(str(file), f"can not be read: {error}") from error
    wanted = replace(base, **options)
    try:
        wanted.data.encode()
    except UnicodeEncodeError:
        raise UsageError(
            wanted.data, "a run's configuration holds no name that is not UTF-8", "Name the folder by a link to it"
        ) from None
    wanted = replace(wanted, data=str(Path(wanted.data).absolute()))  # a file may hold a relative one
    if wanted.device.partition(":")[0] not in ("cpu", "cuda"):
        raise UsageError(f"--device {wanted.device}", "is neither cpu nor cuda")
    if wanted.device != "cpu" and not torch.cuda.is_available():
        raise UsageError(f"--device {wanted.device}", "torch sees no CUDA device", "See `forensic doctor`")
    recipe = wanted.recipe
    for assignment in assignments:
        recipe = set_field(recipe, assignment)
    return replace(wanted, recipe=recipe if epochs is None else set_field(recipe, f"epochs={epochs}"))


def _default_out(config: RunConfig) -> Path:
    data = Path(config.data).name if config.classes_dir else f"split{config.split}"
    return Path("runs") / f"{data}-{config.recipe.name}-s{config.seed}"


def _new(out: Path, config: RunConfig, cache: Path | None) -> TrainPlan:
    from forensic.train.loop import TrainPlan

    return TrainPlan(out, config, _versions(), cache)


def _resumed(run: Path, cache: Path | None) -> TrainPlan:
    from forensic.train.loop import TrainPlan

    return TrainPlan(run, None, {}, cache)


def _cache_folder() -> Path:
    """Decoded images of training folders, by their content: `forensic/pixels` below $XDG_CACHE_HOME or `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - stays as it is without a home
    return Path(base) / "forensic" / "pixels"


def _versions() -> dict[str, str]:
    """What the run began with, for the record."""
    import torch

    from forensic import __version__, kernels

    return {"forensic": __version__, "torch": torch.__version__} | {
        f"kernels.{name}": text for name, text in kernels.describe().items()
    }


def _run(plan: TrainPlan) -> None:
    from forensic.train.loop import train as core

    with _Display() as display:
        try:
            summary = core(plan, display.show)
        except KeyboardInterrupt:
            console.talk(f"stopped; go on with `forensic train --resume {plan.out}`")
            raise
    _tell(summary)


def _tell(summary: RunSummary) -> None:
    if summary.was_finished:
        console.talk(f"{summary.folder}: is finished already; the weights are {summary.weights}")
        return
    if summary.left_out:
        console.warn(
            f"{len(summary.left_out)} training images could not be used and were left out; "
            f"{summary.folder / 'data.jsonl'} names them"
        )
    console.talk(f"{summary.steps} steps done; the weights are {summary.weights}, their card lies beside them")


class _Display(console.Stages):
    """Shows the events of a run as progress on stderr."""

    def __init__(self) -> None:
        super().__init__()
        self._left_out = 0
        self._epochs = 0

    def show(self, event: Event) -> None:
        """Called for each event as it happens."""
        from forensic.train import events

        match event:
            case events.ImageRead():
                self._read(event)
            case events.Remark():
                console.talk(event.text)
            case events.RunBegun():
                self._epochs = event.epochs
                self.close()
                if event.done_steps:
                    console.talk(f"going on after {event.done_steps} of {event.total_steps} steps")
                self.open("training", event.total_steps, "steps").update(done=event.done_steps)
            case events.StepDone():
                self.open("training", None, "steps").update(done=event.step, note=self._losses(event))
            case events.EpochDone():
                measured = ", ".join(f"{name} {value:.3f}" for name, value in event.validation.items())
                console.talk(f"epoch {event.epoch} of {self._epochs} done{': ' if measured else ''}{measured}")
            case events.FinishingImage():
                if event.done == 1:
                    self.close()
                self.open("measuring", event.total, "images").update(done=event.done)

    def _read(self, event: ImageRead) -> None:
        self.open("reading images", event.total, "images").update(done=event.done)
        if event.left_out is not None:
            self._left_out += 1
            if self._left_out <= _NAMED:
                console.warn(f"{event.left_out}. Left out of training")

    def _losses(self, event: StepDone) -> str:
        terms = " ".join(f"{name} {value:.3g}" for name, value in event.losses.items())
        return f"epoch {event.epoch}/{self._epochs} {terms}"
