"""Flag over environment over project file over user file over default, each value with its origin."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from forensic.cli import configuration
from forensic.cli.commands import load_command
from forensic.errors import UsageError

LAB = """
[doctor]
format = "jsonl"

[weights.list]
format = "json"
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    path = tmp_path / "lab.toml"
    path.write_text(LAB, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def nobody_has_settings(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path)


def test_nothing_by_default() -> None:
    assert configuration.settings(None) == []
    assert configuration.defaults([]) == {}


def test_file_becomes_nested_defaults(lab: Path) -> None:
    found = configuration.settings(lab)
    assert configuration.defaults(found) == {"doctor": {"format": "jsonl"}, "weights": {"list": {"format": "json"}}}
    assert {setting.origin for setting in found} == {str(lab)}


def test_precedence(monkeypatch, tmp_path: Path) -> None:
    user = tmp_path / "user" / "forensic"
    user.mkdir(parents=True)
    (user / "config.toml").write_text('[scan]\nworkers = 1\nexaminer = "user"\nexhibit = "user"\n')
    (tmp_path / "forensic.toml").write_text(
        '[scan]\nexaminer = "project"\ncase-number = "project"\nexhibit = "project"\n'
    )
    monkeypatch.setenv("FORENSIC_SCAN_CASE_NUMBER", "environment")
    assert configuration.defaults(configuration.settings(None)) == {
        "scan": {"workers": 1, "examiner": "project", "exhibit": "project", "case_number": "environment"}
    }


def test_named_file_takes_the_place_of_the_others(lab: Path, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "forensic.toml").write_text("[scan]\nworkers = 1\n")
    assert "scan" not in configuration.defaults(configuration.settings(lab))
    monkeypatch.setenv("FORENSIC_CONFIG", str(lab))
    assert "scan" not in configuration.defaults(configuration.settings(None))


def test_variables_of_other_rooms_are_no_settings(monkeypatch) -> None:
    monkeypatch.setenv("FORENSIC_KERNELS", "reference")
    monkeypatch.setenv("FORENSIC_ISA", "baseline")
    monkeypatch.setenv("FORENSIC_WEIGHTS_LIST_FORMAT", "json")
    (setting,) = configuration.settings(None)
    assert (setting.command, setting.option, setting.value) == ("weights list", "format", "json")
    assert setting.origin == "FORENSIC_WEIGHTS_LIST_FORMAT"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[scann]\nx = 1\n", "has no command 'scann'"),
        ("workers = 1\n", "has no command 'workers'"),
        ("[weights]\nformat = 'jsonl'\n", "is a group of commands"),
        ("[scan\n", "is no TOML"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        configuration.settings(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is no TOML"):
        configuration.settings(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can not be read"):
        configuration.settings(tmp_path / "none.toml")


def test_unknown_option_is_named_with_those_there_are() -> None:
    found = [configuration.Setting("doctor", "fromat", "jsonl", "lab.toml")]
    with pytest.raises(UsageError, match=r"lab\.toml: `doctor` has no setting 'fromat'\. It has: format"):
        configuration.for_command(found, "doctor", load_command("doctor"))


def test_setting_has_the_name_of_the_option() -> None:
    """`scan --format` is a parameter of another name inside."""
    found = [
        configuration.Setting("scan", "format", "csv", "lab.toml"),
        configuration.Setting("doctor", "format", "", ""),
    ]
    (used,) = configuration.for_command(found, "scan", load_command("scan"))
    (parameter,) = [option for option in load_command("scan").params if "--format" in option.opts]
    assert (used.option, used.value) == (parameter.name, "csv")


def test_command_line_obeys_the_file_and_the_flag_wins(run_forensic, lab: Path) -> None:
    by_file = run_forensic("--config", lab, "weights", "list")
    assert by_file.out.startswith("[")
    by_flag = run_forensic("--config", lab, "weights", "list", "--format", "table")
    assert by_flag.out.startswith("name")


def test_project_file_in_force_is_said(run_forensic, tmp_path: Path) -> None:
    (tmp_path / "forensic.toml").write_text('[weights.list]\nformat = "json"\n')
    ran = run_forensic("weights", "list", cwd=tmp_path)
    assert ran.out.startswith("[")
    assert "settings of forensic.toml in this folder are in force" in ran.err


def test_show_names_each_origin(run_forensic, lab: Path) -> None:
    ran = run_forensic("--config", lab, "config", "show", env={"FORENSIC_DOCTOR_FORMAT": "table"})
    assert ran.code == 0
    rows = [line.split() for line in ran.lines]
    assert ["doctor", "format", "'table'", "FORENSIC_DOCTOR_FORMAT"] in rows
    assert ["weights", "list", "format", "'json'", str(lab)] in rows


def test_print_config_tells_value_and_origin_by_strength(run_forensic, tmp_path: Path) -> None:
    """Default < profile < user file < project file < environment < command line."""
    home = tmp_path / "home" / "forensic"
    home.mkdir(parents=True)
    (home / "config.toml").write_text('[scan]\nworkers = 1\nexaminer = "E \\u202e\\""\ntimeout = 5.0\nnote = "a"\n')
    (tmp_path / "forensic.toml").write_text(
        '[scan]\nworkers = 2\nexclude = ["*.tmp", "x"]\nmax-bytes = 7\nformat = "csv"\n'
    )
    ran = run_forensic(
        *("scan", "--print-config", "--profile", "triage", "--salvage", "--report", "c.html"),
        cwd=tmp_path,
        env={"FORENSIC_SCAN_WORKERS": "3", "FORENSIC_SCAN_NOTE": "b", "XDG_CONFIG_HOME": str(tmp_path / "home")},
    )
    assert ran.code == 0
    table = tomllib.loads(ran.out)["scan"]
    origins = {line.split()[0]: line.rpartition("# ")[2] for line in ran.lines if " = " in line}
    user = str(home / "config.toml")
    expected = {
        "workers": (3, "FORENSIC_SCAN_WORKERS"),
        "note": ("b", "FORENSIC_SCAN_NOTE"),
        "exclude": (["*.tmp", "x"], "forensic.toml"),
        "max_bytes": (7, "forensic.toml"),
        "format": ("csv", "forensic.toml"),
        "examiner": ('E \u202e"', user),
        "timeout": (5.0, user),
        "engine": ("auto", "--profile triage"),
        "thumbnails": ("none", "--profile triage"),
        "salvage": (True, "command line"),
        "case": ("c.case", "--report"),
        "profile": ("triage", "command line"),
        "max_pixels": (250_000_000, "default"),
        "follow_links": (False, "default"),
    }
    assert {name: (table[name], origins[name]) for name in expected} == expected
    assert "# weights is not set" in ran.out
    assert ran.out.isascii()
    # what was printed is what a file takes
    (tmp_path / "again.toml").write_text(ran.out)
    again = run_forensic("--config", "again.toml", "scan", "--print-config", cwd=tmp_path)
    assert tomllib.loads(again.out)["scan"] == table
    assert {line.rpartition("# ")[2] for line in again.lines if " = " in line} == {"again.toml"}


def test_print_config_needs_no_path_and_tells_wrong_values(run_forensic, tmp_path: Path) -> None:
    plain = run_forensic("scan", "--print-config", cwd=tmp_path)
    assert plain.code == 0
    assert {line.rpartition("# ")[2] for line in plain.lines[1:]} == {"default"}
    assert len(plain.lines) > 30
    assert run_forensic("scan", "--print-config", "--workers", "0", cwd=tmp_path).code == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[scan]\n# a remark\nworkers = "x"  # many\n', "bad.toml, line 3: Invalid value for '--workers'"),
        ("[report]\n[scan]\n\nmax-pixels = 0\n", "bad.toml, line 4: Invalid value for '--max-pixels'"),
        ("[scan]\nengin = 1\n", "bad.toml, line 2: `scan` has no setting 'engin'"),
        ("scan.workers = 0\n", "bad.toml: Invalid value for '--workers'"),
        ('[scan]\nexaminer = ["a"]\n', "bad.toml, line 2: `examiner` takes one value, got ['a']"),
        ("[scan]\nexaminer = 1979-05-27\n", "bad.toml, line 2: `examiner` takes one value"),
        ("[scan]\nworkers = true\n", "bad.toml, line 2: `workers` takes one value, got True"),
        ("[scan]\nexclude = [[1]]\n", "bad.toml, line 2: `exclude` takes a list of texts"),
    ],
)
def test_a_bad_value_is_told_with_its_file_and_line(run_forensic, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    ran = run_forensic("--config", "bad.toml", "scan", "--print-config", cwd=tmp_path)
    assert (ran.code, told in ran.err, "See `forensic scan --help`" in ran.err or "It has:" in ran.err) == (
        2,
        True,
        True,
    )


def test_a_bad_value_is_told_with_its_variable_and_on_the_command_line_without(run_forensic, tmp_path: Path) -> None:
    bad = run_forensic("scan", "--print-config", cwd=tmp_path, env={"FORENSIC_SCAN_WORKERS": "x"})
    assert (bad.code, "FORENSIC_SCAN_WORKERS: Invalid value for '--workers'" in bad.err) == (2, True)
    given = run_forensic("scan", "--print-config", "--workers", "y", cwd=tmp_path, env={"FORENSIC_SCAN_WORKERS": "x"})
    assert (given.code, given.err.startswith("forensic: Invalid value for '--workers'")) == (2, True)


@pytest.mark.parametrize(
    ("text", "variable", "wanted"),
    [
        ('[scan]\nexclude = "*.x"\n', None, '["*.x"]'),
        ('[scan]\nexclude = ["*.x", "a b"]\n', None, '["*.x", "a b"]'),
        ("", "*.x\na b", '["*.x", "a b"]'),
        ('[scan]\nexclude = "*.x"\n', "*.y", '["*.y"]'),
    ],
)
def test_an_option_that_is_given_several_times(run_forensic, tmp_path: Path, text, variable, wanted) -> None:
    (tmp_path / "lab.toml").write_text(text)
    environment = {} if variable is None else {"FORENSIC_SCAN_EXCLUDE": variable}
    ran = run_forensic("--config", "lab.toml", "scan", "--print-config", cwd=tmp_path, env=environment)
    assert f"exclude = {wanted}" in ran.out
