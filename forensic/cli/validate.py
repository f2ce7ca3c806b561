"""`forensic validate`: a laboratory's own statement on one page."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic.cli import console
from forensic.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from forensic.validation.validate import Validated

_NAMED = 20
_SUFFIXES = (".html", ".json")


def validate(
    data: Annotated[
        Path,
        typer.Option(metavar="DIR", help="OSMA, osma-mini, known/ and unknown/, or class folders; only ever read."),
    ],
    weights: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Weights, the default ones where not given.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also what its ratios are worth; its thresholds are measured.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write FILE: a page .html, or .json.")] = None,
    format: Annotated[  # noqa: A002 - the option is called --format everywhere
        Literal["table", "json"] | None, typer.Option(help="table on a terminal, else json.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap that gives the intervals.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; warnings and errors only.")] = False,
) -> None:
    """State the error rates of weights, and of a calibration, on images of your own.

    \b
    forensic validate --data lab/ --out statement.html
    forensic validate --data lab/ --calibration lab.calibration.toml --out statement.html

    In a folder of class folders those named like classes of the weights are known, all others are unknown generators.
    Images that took part in training, in the weights' validation or in the calibration are refused, as far as hashes
    tell. Shares have intervals over photographs; for a generator not seen before the range over generators is told.
    """
    console.set_quiet(quiet=quiet)
    if out is not None:
        _check(out, data)
    from forensic.calibration.file import read_calibration
    from forensic.models.weights import find_weights, load_weights

    path = find_weights(weights)  # what is missing is told before torch is loaded
    fitted = None if calibration is None else read_calibration(calibration)
    from forensic.validation.told import to_json
    from forensic.validation.validate import ValidationPlan
    from forensic.validation.validate import validate as measure

    given = {"--data": data, "--weights": weights, "--calibration": calibration}
    command = ["forensic", "validate", *(word for name, value in given.items() if value for word in (name, str(value)))]
    plan = ValidationPlan(
        weights=load_weights(path),
        weights_file=path,
        data=data,
        calibration=fitted,
        command=shlex.join([*command, "--seed", str(seed)]),
        seed=seed,
    )
    with console.progress(None, "validate", unit="images") as progress:
        outcome = measure(plan, lambda done, total: progress.update(done=done, total=total))
    if out is not None:
        _write(outcome, out)
    if (format or ("table" if console.is_terminal() else "json")) == "json":
        console.data(to_json(outcome))
    else:
        _tables(outcome)
    console.flush()
    _tell(outcome, out)
    if outcome.left_out:
        raise typer.Exit(ExitCode.UNREADABLE)


def _check(out: Path, data: Path) -> None:
    from forensic.case.evidence import guard_output, roots_of

    if out.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"--out {out}", "is no format that can be written", f"One of {', '.join(_SUFFIXES)}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}", "its folder is not there")
    guard_output(out, roots_of([data]))


def _write(outcome: Validated, out: Path) -> None:
    from forensic.case.output import replacing
    from forensic.validation.page import to_page
    from forensic.validation.told import to_json

    page = out.suffix.lower() == ".html"
    content = to_page(outcome, told=console.safe) if page else (to_json(outcome) + "\n").encode()
    with replacing(out) as file:
        file.write(content)


def _tables(outcome: Validated) -> None:
    from forensic.evaluate.tables import percent
    from forensic.validation.told import limits, range_in_words

    statement = outcome.statement
    console.stdout_table(
        ("class", ">named %", ">refused %", ">named otherwise %", ">photographs kept %", ">images"),
        [
            (console.safe(name), *map(percent, (row.named, row.refused, row.other, row.kept)), str(row.images))
            for name, row in [*statement.classes.items(), ("all", statement.known)]
        ],
    )
    console.stdout_table(
        ("unknown generator", ">taken for a known class %", ">for real %", "nearest to", ">images"),
        [
            (console.safe(name), percent(row.accepted), percent(row.real), console.safe(row.nearest), str(row.images))
            for name, row in statement.generators.items()
        ],
    )
    if statement.ratios:
        console.stdout_table(
            ("ratios of class", ">Cllr", ">at least", ">unknown, above 1 %"),
            [
                (
                    console.safe(name),
                    *("" if cost.value is None else f"{cost.value:.2f}" for cost in (row.c_llr, row.c_llr_min)),
                    f"{100 * (row.misleading.value or 0):.1f}",
                )
                for name, row in [*statement.ratios.items(), ("nearest", statement.told)]
                if row is not None
            ],
        )
    for name, what in (("accepted", "a known class"), ("real", "class real")):
        if name in statement.ranges:
            said = range_in_words(f"taken for {what}", statement.ranges[name], len(statement.generators))
            console.stdout_text(console.safe(said))
    for line in limits(outcome):
        console.stdout_text(console.safe(line))


def _tell(outcome: Validated, out: Path | None) -> None:
    for line in outcome.passed_over[:_NAMED]:
        console.warn(console.safe(line))
    for entry in outcome.left_out[:_NAMED]:
        console.warn(f"{console.safe(entry.path)}: {entry.reason}. Left out")
    if count := len(outcome.left_out):
        console.warn("1 image got no score" if count == 1 else f"{count} images got no score")
    if out is not None:
        console.talk(f"written: {console.safe(str(out))}")
