"""`forensic compare` as a user runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from forensic.cli.app import main


def forensic(*arguments: object) -> int:
    """Runs a command in this process; torch is loaded once for all tests here."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    code = left.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def sets(tmp_path: Path, samples: Path) -> tuple[Path, Path]:
    folders = tmp_path / "first", tmp_path / "[red]second"
    for folder, name in zip(folders, ("real", "esrgan_slim_x2"), strict=True):
        folder.mkdir()
        for path in samples.glob(f"{name}-*.png"):
            shutil.copy(path, folder)
    return folders


def test_json_in_a_pipe(sets: tuple[Path, Path], comparing_weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert forensic("compare", *sets, "--weights", comparing_weights) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] in ("same source", "different sources", "no decision")
    assert [len(told[each]["images"]) for each in ("first", "second")] == [2, 2]
    assert told["error_rates"]["images"] == [1, 1]


def test_table_says_verdict_and_error_rates(
    sets: tuple[Path, Path], comparing_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert forensic("compare", *sets, "--weights", comparing_weights, "--format", "table") == 0
    out = capsys.readouterr().out
    assert "[red]second" in out
    assert "log10 of the ratio" in out
    assert "by generators that training never saw" in out


@pytest.mark.parametrize("suffix", ["png", "svg", "html"])
def test_figure_is_written(
    sets: tuple[Path, Path], comparing_weights: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    out = sets[0].parent / f"pair.{suffix}"
    assert forensic("compare", *sets, "--weights", comparing_weights, "--out", out) == 0
    assert f"pair.{suffix}: 2 images and 2 images" in capsys.readouterr().err
    assert out.stat().st_size > 1000


def test_nothing_goes_beside_the_evidence(sets: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(sets[1].iterdir())
    assert forensic("compare", *sets, "--out", sets[1] / "x.png") == 2
    assert "lies inside the evidence folder" in capsys.readouterr().err
    assert sorted(sets[1].iterdir()) == before


def test_weights_without_comparison_say_how_to_get_one(
    sets: tuple[Path, Path], tiny_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert forensic("compare", *sets, "--weights", tiny_weights) == 5
    told = capsys.readouterr().err
    assert "these weights carry no comparison" in told
    assert "forensic weights rescore --score traces" in told
    assert len(told.splitlines()) == 1


def test_unreadable_is_named_and_exit_3(
    sets: tuple[Path, Path], hostile: Path, comparing_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(hostile / "png-truncated.png", sets[0])
    assert forensic("compare", *sets, "--weights", comparing_weights) == 3
    told = capsys.readouterr()
    assert "png-truncated.png: " in told.err
    assert json.loads(told.out)["first"]["left_out"][0]["path"].endswith("png-truncated.png")
    assert forensic("compare", hostile / "png-truncated.png", sets[1], "--weights", comparing_weights) == 3
    told = capsys.readouterr()
    assert "nothing to compare" in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--out", "x.pdf"), "Choose one of .png, .svg, .html"),
        (("--out", "none/x.png"), "its folder does not exist"),
    ],
)
def test_wrong_target_is_exit_2(
    sets: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.chdir(sets[0].parent)
    assert forensic("compare", *sets, *arguments) == 2
    assert told in capsys.readouterr().err


def test_a_folder_without_images_and_the_same_file_twice_are_exit_2(
    sets: tuple[Path, Path], tmp_path: Path, comparing_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert forensic("compare", sets[0], tmp_path / "empty", "--weights", comparing_weights) == 2
    assert "holds no image" in capsys.readouterr().err
    one = next(sets[0].iterdir())
    assert forensic("compare", one, one, "--weights", comparing_weights) == 2
    assert "the same bytes" in capsys.readouterr().err
