"""What reaches a terminal or a pipe: escaped, whole, and uncoloured unless asked."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensic.cli import console


@pytest.fixture(autouse=True)
def fresh_settings():
    console.set_colour("auto")
    console.set_quiet(quiet=False)
    yield
    console.set_colour("auto")
    console.set_quiet(quiet=False)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.png", "plain name.png"),
        ("[bold]x.png", "[bold]x.png"),
        ("[/red].png", "[/red].png"),
        ("a\nb\tc\rd.png", "a\\nb\\tc\\rd.png"),
        ("\x1b[31mred.png", "\\x1b[31mred.png"),
        ("right\u202eleft.png", "right\\u202eleft.png"),
        ("line\u2028separator", "line\\u2028separator"),
        ("c1\x9b31m", "c1\\x9b31m"),
        ("bytes\udcff\udcfe", "bytes\\xff\\xfe"),
        ("surrogate\ud800", "surrogate\\ud800"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("grüße 写真 👩\u200d🔬.png", "grüße 写真 👩\u200d🔬.png"),
    ],
)
def test_safe(name: str, shown: str) -> None:
    assert console.safe(name) == shown


@given(st.text(alphabet=st.characters(), max_size=40))
def test_safe_text_can_always_be_shown_on_one_line(name: str) -> None:
    shown = console.safe(name)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    assert console.safe(shown) == shown


def test_table_in_a_pipe_is_never_cut_and_reads_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    name = "[bold]" + "x" * 300 + "[/red].png"
    console.stdout_table(["path", ">score"], [[name, ("1.5", "green")]])
    out = capsys.readouterr().out
    assert name in out
    assert "\x1b" not in out


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TERM"])
def test_environment_does_not_make_a_pipe_a_terminal(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "dumb" if variable == "TERM" else "1")
    console.stdout_table(["path"], [["y" * 300]])
    console.warn("careful")
    captured = capsys.readouterr()
    assert "y" * 300 in captured.out
    assert captured.err == "forensic: careful\n"


def test_colour_always(capsys: pytest.CaptureFixture[str]) -> None:
    console.set_colour("always")
    console.stdout_table(["path"], [[("x", "red")]])
    assert "\x1b[31m" in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_on_a_terminal(no_color: str, coloured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm-256color")
    console.error("bad\x1b[2J")
    assert ("\x1b[31m" in terminal.getvalue()) is coloured
    assert "bad\\x1b[2J" in terminal.getvalue()


def test_quiet_silences_talk_but_not_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    console.set_quiet(quiet=True)
    console.talk("by the way")
    console.warn("careful")
    assert capsys.readouterr().err == "forensic: careful\n"


def test_progress_on_a_terminal_shows_the_label_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    with console.progress(3, "scan [bold]") as bar:
        bar.advance()
        bar.update(done=3, note="[/red].png\x1b")
    assert "scan [bold]" in terminal.getvalue()
    assert "[/red].png\\x1b" in terminal.getvalue()


def test_progress_in_a_log_is_a_line_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [1000.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    with console.progress(10, "scan") as bar:
        for _ in range(4):
            now[0] += 30
            bar.advance()
    assert capsys.readouterr().err.splitlines() == [
        "scan: 2 of 10 files, 0.0 files/s",
        "scan: 4 of 10 files, 0.0 files/s",
    ]


def test_data_is_written_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console.data('{"path": "[bold]"}')
    assert capsys.readouterr().out == '{"path": "[bold]"}\n'


def test_a_stage_keeps_its_display_until_another_begins() -> None:
    with console.Stages() as stages:
        reading = stages.open("reading", 3, "files")
        assert stages.open("reading", None, "files") is reading
        training = stages.open("training", 5, "steps")
        assert training is not reading
        stages.close()
        assert stages.open("training", 5, "steps") is not training
