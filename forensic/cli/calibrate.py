"""`forensic calibrate`: folders of pictures and weights to a calibration file."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from forensic.calibration.digits import ratio_in_digits
from forensic.cli import console
from forensic.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from forensic.calibration.record import Calibration, ClassCalibration
    from forensic.validation.calibrate import Fitted

_NAMED = 20
_COLUMNS = (
    "class",
    ">threshold",
    ">photographs kept",
    ">least p",
    ">ratios from",
    ">to",
    ">Cllr",
    ">at least",
    "remark",
)


def calibrate(
    known: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Class folders named like classes of the weights; or images of class real."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to, NAME.calibration.toml.")],
    unknown: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A folder for each generator that the weights do not know; or groups of them."
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Weights, the default ones where not given.")
    ] = None,
    keep: Annotated[float, typer.Option(help="Share of known photographs that each class's threshold keeps.")] = 0.95,
    least_generators: Annotated[
        int, typer.Option(min=3, help="With fewer unknown generators no likelihood ratio is given.")
    ] = 3,
    scale: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Words for ratios, TOML, in place of those that come along.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option is called --format everywhere
        Literal["table", "json"] | None, typer.Option(help="table on a terminal, else json.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; warnings and errors only.")] = False,
) -> None:
    """Fit thresholds, p and likelihood ratios of weights to images of your own.

    \b
    forensic calibrate --known val/ --unknown val_unseen/ --out lab.calibration.toml
    forensic calibrate --known camera/ --out camera.calibration.toml      class real alone
    forensic scan seized/ --calibration lab.calibration.toml

    Photographs count once on the known side, generators on the unknown side: with m unknown generators no ratio of
    m + 1 is claimed, however many images there are. What took part is kept by hash, so that it measures nothing later.
    The figures told here come from generators and photographs that were left out of the fit one at a time; for error
    rates take other images: `forensic validate`.
    """
    console.set_quiet(quiet=quiet)
    _check(out, known, unknown, keep)
    from forensic.calibration.scale import read_scale
    from forensic.models.weights import find_weights, load_weights

    words = read_scale(scale)
    path = find_weights(weights)  # what is missing is told before torch is loaded
    from forensic.calibration.file import calibration_to_toml
    from forensic.case.output import replacing
    from forensic.validation.calibrate import CalibrationPlan
    from forensic.validation.calibrate import calibrate as fit

    given = {"--weights": weights, "--known": known, "--unknown": unknown, "--scale": scale}
    command = [
        "forensic",
        "calibrate",
        *(word for name, value in given.items() if value for word in (name, str(value))),
    ]
    command += ["--keep", f"{keep:g}", "--least-generators", str(least_generators)]
    plan = CalibrationPlan(
        weights=load_weights(path),
        known=known,
        unknown=unknown,
        scale=words,
        keep=keep,
        least_generators=least_generators,
        command=shlex.join(command),
    )
    with console.progress(None, "calibrate", unit="images") as progress:
        fitted = fit(plan, lambda done, total: progress.update(done=done, total=total))
    with replacing(out) as file:
        file.write(calibration_to_toml(fitted.calibration).encode())
    _tell(fitted, format or ("table" if console.is_terminal() else "json"))
    console.talk(f"written: {console.safe(str(out))}, hash {fitted.calibration.short_hash}")
    if fitted.left_out:
        raise typer.Exit(ExitCode.UNREADABLE)


def _check(out: Path, known: Path, unknown: Path | None, keep: float) -> None:
    """Before the work, not after it."""
    from forensic.calibration.file import SUFFIX
    from forensic.case.evidence import guard_output, roots_of

    if not 0 < keep <= 1:
        raise UsageError(f"--keep {keep:g}", "must be above 0 and at most 1")
    if not out.name.endswith(SUFFIX) or out.name == SUFFIX:
        raise UsageError(f"--out {out}", f"must end with {SUFFIX}", f"For example lab{SUFFIX}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}", "its folder is not there")
    guard_output(out, roots_of([known, *([unknown] if unknown else [])]))


def _tell(fitted: Fitted, form: str) -> None:
    from forensic.calibration.words import taken_in_words

    calibration = fitted.calibration
    if form == "json":
        console.data(json.dumps(_to_dict(fitted)))
        console.flush()
    else:
        title = f"weights {calibration.weights_name} ({calibration.weights[:12]})"
        console.stdout_table(_COLUMNS, [_row(name, one) for name, one in calibration.classes.items()], title=title)
        console.flush()
    for line in (*fitted.passed_over[:_NAMED], *calibration.remarks):
        console.warn(console.safe(line))
    for entry in fitted.left_out[:_NAMED]:
        console.warn(f"{console.safe(entry.path)}: {entry.reason}. Left out")
    if count := len(fitted.left_out):
        console.warn("1 image got no score" if count == 1 else f"{count} images got no score")
    console.talk(_what_it_holds_for(calibration))
    for line in taken_in_words(calibration):
        console.talk(console.safe(line))
    for line in calibration.missing:
        console.warn(f"not given by these images: {line}")


def _what_it_holds_for(calibration: Calibration) -> str:
    stand_ins = ", ".join(calibration.generators) or "none"
    return (
        f"holds for {calibration.coverage.sentence}; {calibration.photographs}; "
        f"unknown generators: {console.safe(stand_ins)}"
    )


def _row(name: str, one: ClassCalibration) -> tuple[str, ...]:
    kept = f"{round(one.kept * one.photographs)} of {one.photographs}"
    start = (console.safe(name), f"{one.threshold:.2f}", kept, f"{one.least_p:.3f}")
    if one.ratio is None:
        return (*start, "", "", "", "", one.withheld)
    ratio = one.ratio
    costs = ("" if cost.value is None else f"{cost.value:.2f}" for cost in (ratio.c_llr, ratio.c_llr_min))
    misled = [entry.name for entry in ratio.generators if entry.misleading > 0.5]
    remark = f"{', '.join(map(console.safe, misled))} mostly has a ratio above 1" if misled else ""
    remark = "no information" if ratio.bounds == (0, 0) else remark
    return (*start, *map(ratio_in_digits, ratio.bounds), *costs, remark)


def _to_dict(fitted: Fitted) -> dict[str, Any]:
    from forensic.calibration.file import class_to_dict
    from forensic.calibration.words import propositions

    calibration = fitted.calibration
    return {
        "hash": calibration.hash,
        "weights": calibration.weights,
        "preprocessing": calibration.preprocessing,
        "coverage": calibration.coverage.sentence,
        "photographs": calibration.photographs,
        "generators": calibration.generators,
        "taken": {name: asdict(one) for name, one in calibration.taken.items()},
        "keep": calibration.keep,
        "classes": {
            name: {"propositions": propositions(calibration, name)} | class_to_dict(one)
            for name, one in calibration.classes.items()
        },
        "missing": calibration.missing,
        "remarks": calibration.remarks,
        "left_out": [entry._asdict() for entry in fitted.left_out],
    }
