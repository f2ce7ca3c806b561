"""The one place that prints: data to stdout, talk to stderr, each with its own decision on colour.

Text that comes from evidence (names of files, reasons, classes of a card) passes `safe` here, and Rich never
reads markup in it: `[bold]x.png` is a name, not an instruction. No other module imports Rich.
"""

from __future__ import annotations

import io
import os
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self, TextIO

from forensic.errors import refused

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

Colour = Literal["auto", "always", "never"]
Cell = str | tuple[str, str]
"""A cell of a table: text, or text and a Rich style such as `"green"`."""

_JOINERS = frozenset("\u200c\u200d")  # zero-width joiners are part of emoji and of several scripts
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SECONDS_BETWEEN_LINES = 60.0  # progress in a log: one line a minute

_settings: dict[str, Any] = {"colour": "auto", "quiet": False}


def set_colour(colour: Colour) -> None:
    """What `--color` said; `auto` asks each stream and NO_COLOR."""
    _settings["colour"] = colour


def set_quiet(*, quiet: bool) -> None:
    """With quiet, `talk` and progress are silent; warnings and errors are not."""
    _settings["quiet"] = quiet


def safe(text: str) -> str:
    r"""`text` in a form that is safe to show on one line of a terminal.

    Control characters, bidirectional overrides and other invisible format characters, line separators and lone
    surrogates come out as `\n`, `\x1b`, `\u202e`; a byte that was no UTF-8 comes out as `\xff`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_safe_character(character) for character in text)


def _safe_character(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    point = ord(character)
    category = unicodedata.category(character)
    if category == "Cs":
        undecoded_byte = 0xDC80 <= point <= 0xDCFF  # how Python keeps a byte of a path that is no UTF-8
        return f"\\x{point - 0xDC00:02x}" if undecoded_byte else f"\\u{point:04x}"
    if category in ("Cc", "Zl", "Zp") or (category == "Cf" and character not in _JOINERS):
        if point <= 0xFF:
            return f"\\x{point:02x}"
        return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
    return character


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person reads this stream (stdout unless told otherwise)."""
    stream = sys.stdout if stream is None else stream
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # no stream at all, or one that is closed
        return False


def data(line: str) -> None:
    """One line of data on stdout, as it is: JSON, CSV. A closed pipe raises BrokenPipeError."""
    sys.stdout.write(line + "\n")


def utf8() -> TextIO:
    """Stdout for a file that is made of text, such as CSV: UTF-8, whatever the locale says of the terminal."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    return sys.stdout


def flush() -> None:
    """Hands to the reader of stdout what was written so far."""
    sys.stdout.flush()


@contextmanager
def binary() -> Iterator[BinaryIO]:
    """Stdout for bytes. A closed pipe raises BrokenPipeError.

    Raises:
        MachineError: it can not be written, such as a file on a full disk.
    """
    with writable_stdout():
        yield sys.stdout.buffer


@contextmanager
def writable_stdout() -> Iterator[None]:
    """Around what is written to stdout, which is flushed at the end.

    Raises:
        MachineError: it can not be written, such as a file on a full disk.
    """
    try:
        yield
        flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered can go nowhere else
        raise refused("stdout", error) from error


def stdout_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str = "") -> None:
    """A table on stdout; in a pipe plain columns of full width, so that no cell is ever cut there.

    Args:
        columns: headings; one that begins with `>` is right-aligned and loses the `>`.
        rows: cells, each text or (text, style); every text is made safe here.
        title: a line above the table.
    """
    from rich.table import Table
    from rich.text import Text

    console = _console(sys.stdout)
    table = Table(
        title=Text(safe(title)) if title else None,
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
        padding=(0, 2, 0, 0),
    )
    for column in columns:
        right = column.startswith(">")
        table.add_column(Text(column[1:] if right else column), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(safe(cell)) if isinstance(cell, str) else Text(safe(cell[0]), cell[1]) for cell in row))
    with writable_stdout():  # Rich flushes the stream when it ends a capture
        with console.capture() as captured:
            console.print(table)
        lines = captured.get().split("\n")
        sys.stdout.write("\n".join(line.rstrip() for line in lines))  # Rich fills the last column with blanks


def stdout_text(text: str, *, style: str = "") -> None:
    """Lines of text on stdout; control characters other than the line end are escaped."""
    with writable_stdout():
        _print(sys.stdout, text, style)


def talk(text: str, *, style: str = "") -> None:
    """A line of talk on stderr; silent with `--quiet`."""
    if not _settings["quiet"]:
        _say(text, style)


def warn(text: str) -> None:
    """A warning on stderr, also with `--quiet`."""
    _say(f"forensic: {text}", "yellow")


def error(text: str) -> None:
    """The line that ends a command, on stderr."""
    _say(f"forensic: {text}", "red")


def _say(text: str, style: str) -> None:
    """To stderr; what can not be written there, as a log on a full disk, is no reason to end the work."""
    try:
        _print(sys.stderr, text, style)
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # with what is still buffered


def progress(total: int | None, label: str, *, unit: str = "files") -> Progress:
    """A progress display on stderr, to be used in a `with` statement.

    On a terminal a bar with count, rate and time left; in a log one line a minute; nothing with `--quiet`.

    Args:
        total: how many steps there are, or None where that is not known yet (`Progress.update(total=...)`).
        label: what is done, in one or two words.
        unit: what is counted.
    """
    return Progress(total, label, unit)


class Stages(AbstractContextManager["Stages"]):
    """One progress display after the other, for work that passes through stages."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._label = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, label: str, total: int | None, unit: str) -> Progress:
        """The display of a stage: the one that runs if it has this label, else a new one in its place."""
        if self._bar is None or self._label != label:
            self.close()
            self._bar, self._label = progress(total, label, unit=unit), label
            self._bar.__enter__()
        return self._bar

    def close(self) -> None:
        """Ends the display that runs, if one does."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


class Progress(AbstractContextManager["Progress"]):
    """What `progress` returns. Its numbers are pushed by the caller; it polls nothing."""

    def __init__(self, total: int | None, label: str, unit: str) -> None:
        self._total = total
        self._label = safe(label)
        self._unit = unit
        self._done = 0.0
        self._note = ""
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        if is_terminal(sys.stderr) and not _settings["quiet"]:
            self._bar, self._task = self._new_bar()
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, steps: float = 1) -> None:
        """`steps` more are done."""
        self.update(done=self._done + steps)

    def update(self, *, done: float | None = None, total: int | None = None, note: str | None = None) -> None:
        """Any of: how many are done, how many there are, and a short remark behind the bar."""
        self._done = self._done if done is None else done
        self._total = self._total if total is None else total
        self._note = self._note if note is None else safe(note)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, total=self._total, note=self._note)
        elif time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            talk(self._line())

    def _line(self) -> str:
        of = "" if self._total is None else f" of {self._total}"
        rate = self._done / max(time.monotonic() - self._started, 1e-9)
        note = f", {self._note}" if self._note else ""
        return f"{self._label}: {self._done:g}{of} {self._unit}, {rate:.1f} {self._unit}/s{note}"

    def _new_bar(self) -> tuple[RichProgress, TaskID]:
        from rich import progress as bars

        bar = bars.Progress(
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(bar_width=24),
            bars.MofNCompleteColumn(),
            _rate_column(self._unit),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[note]}", markup=False),
            console=_console(sys.stderr),
            transient=True,
        )
        return bar, bar.add_task(self._label, total=self._total, note="")


def _rate_column(unit: str) -> Any:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f} {unit}/s")

    return RateColumn()


def _print(stream: TextIO, text: str, style: str) -> None:
    lines = [safe(line) for line in text.split("\n")]
    if not is_terminal(stream) and _settings["colour"] != "always":
        stream.write("\n".join(lines) + "\n")
        return
    from rich.text import Text

    _console(stream).print(Text("\n".join(lines), style), soft_wrap=True)


def _console(stream: TextIO) -> Console:
    """A console for one stream, made anew each time: a test or a caller may have replaced the stream."""
    from rich.console import Console

    colour = _settings["colour"]
    person = is_terminal(stream)
    coloured = colour == "always" or (colour == "auto" and person and not os.environ.get("NO_COLOR"))
    return Console(
        file=stream,
        force_terminal=person or colour == "always",  # FORCE_COLOR must not make a pipe look like a terminal
        no_color=not coloured,
        width=None if person else 100_000,  # a pipe has no width: nothing is cut there
        height=None if person else 100,  # without it TERM=dumb would clamp the width to 80
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=False,
    )
