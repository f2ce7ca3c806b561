"""`forensic scan`: options to a plan, its events to the streams."""

from __future__ import annotations

import codecs
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from forensic.cli import console
from forensic.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from forensic.scan.interruption import Interruption
    from forensic.scan.plan import ScanPlan
    from forensic.scan.shard import Shard

_SHA256 = re.compile(r"\\?([0-9a-fA-F]{64})(\s|$)")


class OutputFormat(StrEnum):
    """What stdout is written as."""

    table = "table"
    jsonl = "jsonl"
    csv = "csv"


class Thumbnails(StrEnum):
    """What the report shows of each image."""

    full = "full"
    blur = "blur"
    none = "none"


def scan(
    ctx: typer.Context,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH...", help="Images and folders, in any mix; only ever read.")
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Also write FILE: .html, .csv or .jsonl; may be given several times."),
    ] = None,
    case: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the findings here; an unfinished scan goes on.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Weights; see `forensic weights list`.")
    ] = None,
    profile: Annotated[
        Literal["triage", "standard", "court"],
        typer.Option(help="triage: a fast first look; court: pinned engine and threads, all scores, a case."),
    ] = "standard",
    threshold: Annotated[
        float | None, typer.Option(help="Known if the score reaches it; in place of the card's.")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Thresholds, likelihood ratios and p of `forensic calibrate`."),
    ] = None,
    output: Annotated[
        OutputFormat | None, typer.Option("--format", help="On stdout; a table on a terminal, else jsonl.")
    ] = None,
    scores: Annotated[bool, typer.Option("--scores", help="The score of each class in every finding.")] = False,
    files_from: Annotated[
        str | None, typer.Option(metavar="FILE", help="Read more paths from FILE, one a line; - is stdin.")
    ] = None,
    null: Annotated[
        bool, typer.Option("-0", "--null", help="Paths of --files-from end with a zero byte, not a line end.")
    ] = False,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Leave out what matches; may be given several times.")
    ] = None,
    follow_links: Annotated[bool, typer.Option("--follow-links", help="Follow links below folders.")] = False,
    skip_hashes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Leave out files with these SHA-256, as sha256sum lists them.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Only part I of N, told by paths; `case merge` joins the cases.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be read.")] = False,
    question: Annotated[str | None, typer.Option(help="What was asked; for the report's first page.")] = None,
    examiner: Annotated[str | None, typer.Option(help="For the report.")] = None,
    case_number: Annotated[str | None, typer.Option(help="For the report.")] = None,
    exhibit: Annotated[str | None, typer.Option(help="For the report.")] = None,
    note: Annotated[str | None, typer.Option(help="For the report.")] = None,
    stability: Annotated[
        int, typer.Option(min=0, max=5, help="Also score so many mild changes of each image; each costs as much.")
    ] = 0,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Also score the rows that truncated images still hold; in no count.")
    ] = False,
    thumbnails: Annotated[
        Thumbnails, typer.Option(help="Small pictures in the case and its reports; blur: reports only blurred ones.")
    ] = Thumbnails.full,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that decode; one a processor by default.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where the network runs: cpu, cuda or cuda:N.")] = "cpu",
    engine: Annotated[
        Literal["auto", "torch", "openvino", "onnx"] | None,
        typer.Option(help="What runs it on a CPU: the fastest that is here; torch with --case or --report."),
    ] = None,
    max_pixels: Annotated[int, typer.Option(min=1, help="Larger images are unreadable.")] = 250_000_000,
    max_bytes: Annotated[int, typer.Option(min=1, help="Larger files are unreadable.")] = 1 << 30,
    timeout: Annotated[float, typer.Option(help="Seconds one file may take.")] = 30.0,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print every setting with its origin, as a file takes it, and leave.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
) -> None:
    """Attribute every image to one of the known classes, or to none of them.

    \b
    forensic scan photos/                                    a table
    forensic scan photos/ --report report.html               a page to hand over, and report.case
    forensic scan photos/ | jq .path                         JSON Lines in a pipe
    find . -name '*.jpg' -print0 | forensic scan --files-from - -0
    forensic scan photos/ --profile court --case c.case --examiner E --case-number N --question Q
    forensic scan photos/ --shard 1/2 --case one.case        the first half; `forensic case merge` joins the two
    forensic scan photos/ --calibration lab.calibration.toml how many times more probable, and p
    forensic scan --profile triage --print-config            which settings hold, and why

    The same command again goes on with a case that was interrupted, and renders a complete one again.
    Output never goes into a folder that is scanned. Names that begin with a dash come after --.
    """
    from forensic.scan.shard import shard_from

    console.set_quiet(quiet=quiet)
    if print_config:
        _print_config(ctx, profile, report or [])
        return
    arguments = _arguments(paths or [], files_from, null=null)
    part = None if shard is None else shard_from(shard)
    if dry_run:
        _list_only(arguments, follow_links=follow_links, exclude=exclude or [], shard=part)
        return
    from forensic.calibration.file import read_calibration
    from forensic.data.inspection import DecodeLimits
    from forensic.scan.plan import Details, ScanPlan
    from forensic.scan.profiles import PROFILES

    reports = report or []
    details = {
        "question": question,
        "examiner": examiner,
        "case_number": case_number,
        "exhibit": exhibit,
        "note": note,
    }
    values: dict[str, Any] = {
        "engine": engine,
        "device": device,
        "scores": scores,
        "thumbnails": thumbnails.value,
        **details,
    }
    values["case"] = case or (reports[0].with_suffix(".case") if reports else None)
    sources = {name: ctx.get_parameter_source(name) for name in values}
    given = frozenset(name for name, source in sources.items() if source is not None and source.name != "DEFAULT")
    settled = PROFILES[profile].settle(values, given)
    plan = ScanPlan(
        paths=arguments,
        weights=weights,
        case=settled["case"],
        threshold=threshold,
        calibration=None if calibration is None else read_calibration(calibration),
        workers=workers or len(os.sched_getaffinity(0)),
        device=settled["device"],
        engine=settled["engine"],
        profile=profile,
        threads=PROFILES[profile].threads,
        follow_links=follow_links,
        exclude=tuple(exclude or ()),
        limits=DecodeLimits(max_pixels=max_pixels, max_bytes=max_bytes, seconds=timeout),
        scores=settled["scores"],
        thumbnails=settled["thumbnails"] != Thumbnails.none,
        stability=stability,
        salvage=salvage,
        skip_hashes=_hashes(skip_hashes),
        shard=part,
        details=Details(**details),
        argv=tuple(sys.argv),
        clock=clock(),
    )
    _check_outputs(plan, reports)
    raise typer.Exit(_scan(plan, reports, output, blurred=settled["thumbnails"] == Thumbnails.blur))


def _print_config(ctx: typer.Context, profile: str, reports: list[Path]) -> None:
    """Option, environment, file, profile, default: what holds of each setting, and by which of them."""
    from forensic.cli import configuration
    from forensic.scan.profiles import PROFILES

    chosen = PROFILES[profile]
    others = {name: (value, f"--profile {profile}") for name, value in {**chosen.defaults, **chosen.pinned}.items()}
    if reports:
        others["case"] = (reports[0].with_suffix(".case"), "--report")
    settings = configuration.merged(ctx, others)
    kept = [setting for setting in settings if setting.option != "print_config"]
    console.data(configuration.as_toml(kept))


def _scan(plan: ScanPlan, reports: list[Path], output: OutputFormat | None, *, blurred: bool) -> int:
    from forensic import report as writing
    from forensic.cli.findings import chosen_format, follow, tell_summary
    from forensic.cli.report import warn_of_size
    from forensic.report import pictures
    from forensic.scan.run import run

    form = chosen_format(None if output is None else output.value)
    with _stoppable(plan.interruption) as asked:
        try:
            with closing(run(plan)) as events:
                summary = follow(events, form, plan.calibration, salvage=plan.salvage)
        except KeyboardInterrupt:  # before there was anything to keep
            return asked[0] if asked else ExitCode.INTERRUPTED
    if summary.outcome == "interrupted":
        tell_summary(summary, [])
        return asked[0] if asked else ExitCode.INTERRUPTED
    if plan.case is not None:
        for out in reports:
            writing.write(plan.case, out, pictures.blurred if blurred else None)
            warn_of_size(out)
    tell_summary(summary, reports)
    return summary.exit_code


@contextmanager
def _stoppable(interruption: Interruption) -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM ask the scan to end; a second one leaves at once. Yields the exit code of the first."""
    asked: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        code = ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED
        if asked:
            os._exit(code)
        asked.append(code)
        interruption.request()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _arguments(paths: list[str], files_from: str | None, *, null: bool) -> tuple[bytes, ...]:
    """All paths, exact bytes.

    Raises:
        UsageError: none was given, or the list can not be read.
    """
    given = [os.fsencode(path) for path in paths]
    if files_from is not None:
        try:
            listed = sys.stdin.buffer.read() if files_from == "-" else Path(files_from).read_bytes()
        except OSError as error:
            raise UsageError(files_from, f"can not be read: {error.strerror}") from error
        given += _listed(listed, null=null)
    elif null:
        raise UsageError("-0", "says how the paths of --files-from end", "Give --files-from FILE too")
    if not given:
        raise UsageError("scan", "no path was given", "Name images or folders, or see `forensic scan --help`")
    return tuple(given)


def _listed(text: bytes, *, null: bool) -> list[bytes]:
    """Paths of a list. A CR belongs to the line's end where every line has one; else it is part of a name.

    Raises:
        UsageError: lines with zero bytes, which no path has.
    """
    if not null:
        text = text.removeprefix(codecs.BOM_UTF8)
        if b"\0" in text:
            raise UsageError("--files-from", "holds zero bytes", "Give -0 if they end paths; write UTF-16 as UTF-8")
    paths = [path for path in text.split(b"\0" if null else b"\n") if path]
    if not null and all(path.endswith(b"\r") for path in paths):
        paths = [path[:-1] for path in paths if path != b"\r"]
    return paths


def _hashes(listed: Path | None) -> frozenset[str]:
    if listed is None:
        return frozenset()
    found = set()
    try:
        lines = listed.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(str(listed), f"can not be read: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            match = _SHA256.match(line)
            if match is None:
                raise UsageError(str(listed), f"line {number} does not begin with a SHA-256 in hex")
            found.add(match[1].lower())
    return frozenset(found)


def _check_outputs(plan: ScanPlan, reports: list[Path]) -> None:
    """Refuse before work begins what could not be written after it."""
    from forensic import report as writing
    from forensic.case.evidence import guard_output, real_path, roots_of

    roots = roots_of(Path(os.fsdecode(path)) for path in plan.paths)
    outputs = [*reports, *([plan.case] if plan.case is not None else [])]
    for out in outputs:
        if not out.parent.is_dir():
            remedy = f"Make it with `mkdir -p {shlex.quote(str(out.parent))}`"
            raise UsageError(str(out), "its folder does not exist", remedy)
        if out.is_dir():
            raise UsageError(str(out), "is a folder", "Name a file in it")
        guard_output(out, roots)
    for out in reports:
        if out.suffix.lower() not in writing.SUFFIXES:
            raise UsageError(str(out), "no report ends so", f"Choose one of {', '.join(writing.SUFFIXES)}")
    if len({real_path(out) for out in outputs}) < len(outputs):
        raise UsageError("--report", "the same file is named twice", "Give each output a name of its own")


def _list_only(arguments: tuple[bytes, ...], *, follow_links: bool, exclude: list[str], shard: Shard | None) -> None:
    from forensic.case.rows import display_path
    from forensic.cli.findings import no_images
    from forensic.scan.walk import Walk, roots_of_arguments

    walk = Walk(roots_of_arguments(arguments), follow_links=follow_links, exclude=exclude, shard=shard)
    count = 0
    for candidate in walk:
        console.data(console.safe(display_path(candidate.path)[0]))
        count += 1
    console.flush()
    console.talk(f"{count} would be read; {no_images(walk.other_files)}")


def clock() -> Callable[[], str]:
    """The time, or the one that SOURCE_DATE_EPOCH fixes.

    Raises:
        UsageError: that is no number of seconds.
    """
    from forensic.case.ledger import now

    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    if fixed is None:
        return now
    try:
        moment = datetime.fromtimestamp(int(fixed), UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError("SOURCE_DATE_EPOCH", f"is no number of seconds: {fixed}") from error
    return lambda: moment
