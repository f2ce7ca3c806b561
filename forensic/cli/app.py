"""The command `forensic`: the only catch-all and the only exit of the program.

What a command raises becomes one line on stderr and an exit code here (`forensic.errors`); what nobody foresaw
becomes a traceback file and a line that names it. No local variables are printed or written: names and contents
of evidence stay out of screenshots and bug reports.
"""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import typer.main

from forensic import __version__
from forensic.cli import configuration, console
from forensic.cli.commands import OnDemandGroup, load_command
from forensic.cli.signals import Terminated, interrupt_the_command
from forensic.errors import NO_ROOM, ExitCode, ForensicError, UsageError, refused

_FULL = NO_ROOM | {errno.EIO}


class _Stopped(Exception):  # noqa: N818 - carries an outcome past Typer, which has exit codes of its own for these
    def __init__(self, code: ExitCode) -> None:
        super().__init__(code)
        self.code = code


class _Group(OnDemandGroup):
    """Carries an interrupt and a closed pipe past Typer, which would turn them into exit codes of its own."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        with _carried_past_typer():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        with _carried_past_typer():
            return super().invoke(ctx)


@contextmanager
def _carried_past_typer() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as cause:
        raise _Stopped(_code_of(cause)) from cause
    except BrokenPipeError as cause:
        raise _Stopped(ExitCode.CLOSED_PIPE) from cause


def _code_of(asked: BaseException) -> ExitCode:
    return ExitCode.TERMINATED if isinstance(asked, Terminated) else ExitCode.INTERRUPTED


app = typer.Typer(
    cls=_Group,
    name="forensic",
    rich_markup_mode=None,  # one-line messages instead of boxes, and no markup read in anybody's text
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.data(f"forensic {__version__}")
        raise typer.Exit


@app.callback()
def forensic(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file with settings; takes the place of the others.")
    ] = None,
    color: Annotated[console.Colour, typer.Option(help="Colour on the terminal.")] = "auto",
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Which generative model made this image, or none of those it knows.

    \b
    forensic scan photos/                          verdicts on the terminal
    forensic scan photos/ --report report.html     and a report to hand over
    forensic spectrum photo.png                    what the model looks at
    forensic doctor                                what is installed here

    Images are only ever read. A verdict is about the known set of the weights in use, never "fake".

    Exit codes: 0 done, 2 wrong use, 3 some inputs were unreadable, 4 a verification failed,
    5 data or weights are missing, 6 stopped by the machine, 130 interrupted.
    """
    console.set_colour(color)
    ctx.obj = configuration.settings(config)
    name = ctx.invoked_subcommand
    if name is not None and ctx.obj:
        used = configuration.for_command(ctx.obj, name, load_command(name))
        ctx.default_map = configuration.defaults(used)
        if any(setting.origin == str(configuration.PROJECT_FILE) for setting in used):
            console.talk(f"settings of {configuration.PROJECT_FILE} in this folder are in force")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs one command line and leaves the process with its exit code.

    Args:
        arguments: what stands behind `forensic`; the process's own when None.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    code = _run(arguments)
    try:
        sys.stdout.flush()
    except KeyboardInterrupt as asked:  # its reader takes its time
        code = _code_of(asked)
        _silence_stdout()
    except BrokenPipeError:
        code = ExitCode.CLOSED_PIPE
    except (AttributeError, ValueError):  # no stdout at all
        pass
    except OSError as error:
        code = _tell_unwritable_stdout(error) or code
    if code == ExitCode.CLOSED_PIPE:
        _silence_stdout()
    sys.exit(int(code))


def _run(arguments: list[str]) -> int:
    _open_missing_streams()
    _prepare_process()
    try:
        _check_working_directory()
        outcome = typer.main.get_command(app).main(arguments, prog_name="forensic", standalone_mode=False)
    except _Stopped as stopped:
        return stopped.code
    except (KeyboardInterrupt, typer.Abort) as asked:
        return _code_of(asked)
    except typer.TyperException as wrong:
        return _tell_wrong_use(wrong)
    except ForensicError as known:
        console.error(str(known))
        return known.exit_code
    except Exception as bug:  # noqa: BLE001 - the only catch-all of the program
        return _tell_bad_path(bug) or _tell_unwritable_stdout(bug) or _tell_bug(bug, arguments)
    return outcome if isinstance(outcome, int) else ExitCode.DONE


def _open_missing_streams() -> None:
    """Puts something where the caller closed 0, 1 or 2: else the next file opened there is what gets printed into.

    Behind stdout stands a pipe without a reader, so that data which can not be written end as in any closed pipe.
    """
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is not None:
            continue
        if number == 1:
            reader, end = os.pipe()
            os.close(reader)
        else:
            end = os.open(os.devnull, os.O_RDWR)
        if end != number:
            os.dup2(end, number)
            os.close(end)
        opened = open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, for the process's whole life
        setattr(sys, ("stdin", "stdout", "stderr")[number], opened)


def _check_working_directory() -> None:
    """A library that torch loads ends the process in a folder that has been removed."""
    try:
        Path.cwd()
    except OSError as error:
        raise UsageError("working directory", "does not exist any more", "Change to another one") from error


def _prepare_process() -> None:
    """Signals, streams that can print every name, and a short end.

    At its end Python looks for cycles in all that is still there, which with torch takes a fifth of the time of a
    short scan; what is frozen is left to the system.
    """
    interrupt_the_command()
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a replaced stream may lack it; suppressed


def _tell_wrong_use(wrong: typer.TyperException) -> int:
    """One line for what Typer's parser found, or the help page where no command was named."""
    context = getattr(wrong, "ctx", None)
    message = wrong.format_message()
    if type(wrong).__name__ == "NoArgsIsHelpError":
        console.talk(message)
        return ExitCode.USAGE
    if context is None:
        console.error(message)
    else:
        parameter = getattr(wrong, "param", None)
        setting = None if parameter is None else configuration.refused(context, parameter.name)
        message = message if setting is None else f"{setting.place}: {message}"
        end = "" if message.endswith((".", "?")) else "."
        console.error(f"{message}{end} See `{context.command_path} --help`")
    return ExitCode.USAGE


def _tell_bad_path(bug: Exception) -> int | None:
    """One line for a path that no system can have; None for any other error."""
    if not isinstance(bug, OSError) or bug.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
        return None
    subject = "a path" if bug.filename is None else os.fsdecode(bug.filename)
    console.error(str(UsageError(subject, str(bug.strerror).lower(), "Name another one")))
    return ExitCode.USAGE


def _tell_unwritable_stdout(bug: Exception) -> int | None:
    """One line where stdout can not be written, such as a file on a full disk; None where that is not it.

    Python may have dropped what it could not write, so that only another byte tells whether it was stdout.
    """
    if not isinstance(bug, OSError) or bug.errno not in _FULL:
        return None
    try:
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), b"\n")
    except OSError as error:
        _silence_stdout()
        console.error(str(refused("stdout", error)))
        return ExitCode.MACHINE
    return None


def _tell_bug(bug: Exception, arguments: list[str]) -> int:
    """Writes the traceback file of an internal error and names it on one line."""
    trace = "".join(traceback.format_exception(bug))
    head = f"forensic {__version__}, Python {sys.version.split()[0]}, {datetime.now(UTC).isoformat(timespec='seconds')}"
    remedy = "Please report it with the traceback"
    for folder in _trace_folders(arguments):
        try:
            handle, name = tempfile.mkstemp(prefix="forensic-traceback-", suffix=".txt", dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{head}\n\n{trace}")
        except OSError:  # full, read-only or gone: the next one
            continue
        remedy = f"{remedy}: {name}"
        break
    console.error(f"internal error: {type(bug).__name__}. {remedy}")
    return ExitCode.INTERNAL


def _trace_folders(arguments: list[str]) -> Iterator[str]:
    """Beside the output of the command, never beside evidence; else the temporary folder."""
    for position, argument in enumerate(arguments):
        option, has_value, value = argument.partition("=")
        if option in ("--case", "--report", "--out"):
            target = value if has_value else "".join(arguments[position + 1 : position + 2])
            folder = Path(target).parent
            if target and folder.is_dir():
                yield str(folder)
    yield tempfile.gettempdir()


def _silence_stdout() -> None:
    """The reader is gone: what is still buffered goes nowhere, and Python says nothing of it at exit."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
