"""The run folder: configuration there and back, one process at a time, losses cut to the checkpoint."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from forensic.data.cache import Record
from forensic.data.sample import Layout, Sample
from forensic.errors import MissingError, UsageError
from forensic.train.config import Recipe
from forensic.train.run_folder import (
    RunConfig,
    RunFolder,
    config_from_toml,
    config_to_toml,
    disk_remedy,
    losses_line,
)

CONFIG = RunConfig(data="/data/x", classes_dir=True, split=1, seed=4, threads=3, recipe=Recipe(epochs=2))


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, preprocessing="pose-128-v1")])
def test_configuration_round_trip(config: RunConfig) -> None:
    assert config_from_toml(config_to_toml(config, {"torch": "1"}), "x") == config


@pytest.mark.parametrize("text", ["", "[run]\ndata = 1", "[recipe]\n[run]\nseed = 1", "no toml"])
def test_other_files_are_no_configuration(text: str) -> None:
    with pytest.raises(MissingError, match=r"some\.toml"):
        config_from_toml(text, "some.toml")


@pytest.mark.parametrize("line", ["surprise = 1", "seed = 1.0", "seed = true", "data = 3", "device = []"])
def test_field_that_does_not_fit_is_named(line: str) -> None:
    with pytest.raises(UsageError, match=rf"^some\.toml, \[run\]: {line.partition(' ')[0]} "):
        config_from_toml(f"[recipe]\n[run]\n{line}", "some.toml")


def test_new_run_then_opened_again(tmp_path: Path) -> None:
    RunFolder(tmp_path / "a" / "run", CONFIG).close()
    again = RunFolder(tmp_path / "a" / "run")
    assert again.config == CONFIG
    assert not again.finished
    again.close()


def test_a_run_is_not_begun_twice(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, CONFIG)
    folder.open_losses(0).close()
    folder.close()
    with pytest.raises(UsageError, match="--resume"):
        RunFolder(tmp_path, CONFIG)


def test_a_folder_where_nothing_was_read_holds_no_run(tmp_path: Path) -> None:
    RunFolder(tmp_path, CONFIG).close()
    folder = RunFolder(tmp_path, replace(CONFIG, seed=9))
    assert folder.config.seed == 9
    folder.close()


def test_no_run_to_resume(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"config\.toml"):
        RunFolder(tmp_path / "nothing")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    first = RunFolder(tmp_path, CONFIG)
    with pytest.raises(UsageError, match="another process"):
        RunFolder(tmp_path)
    first.close()
    RunFolder(tmp_path).close()


def test_leftovers_of_a_killed_write_are_removed(tmp_path: Path) -> None:
    RunFolder(tmp_path, CONFIG).close()
    for name in (".weights.partial", ".weights.safetensors-2f84v679", ".weights.toml-hlv46uni"):
        (tmp_path / name).write_bytes(b"half")
    RunFolder(tmp_path).close()
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_losses_are_cut_and_appended(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, CONFIG)
    with folder.open_losses(0) as file:
        file.write(b"one\ntwo\nhal")
    with folder.open_losses(4) as file:
        file.write(b"three\n")
    assert (tmp_path / "losses.jsonl").read_bytes() == b"one\nthree\n"
    with pytest.raises(MissingError, match="shorter"):
        folder.open_losses(99)
    folder.close()


def test_losses_line_holds_as_much_as_float32() -> None:
    assert losses_line({"step": 1, "x": 0.1 + 0.2, "y": 1e-9}) == b'{"step": 1, "x": 0.3, "y": 1e-09}\n'


def test_data_record_names_split_hash_and_reason(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, replace(CONFIG, data="/data"))
    good, bad = Sample(Path("/data/a/1.png"), 0, "a"), Sample(Path("/data/b/2\udcff.png"), 1, "b")
    val = Sample(Path("/data/a/3.png"), 0, "a")
    layout = Layout("x", Path("/data"), ("a", "b"), "tiles-128-v1", train=(good, bad), val=(val,))
    records = [Record(good, "0" * 64, None), Record(bad, None, "No such file")]
    folder.record_data(records, layout)
    folder.record_data(records, layout)
    lines = [json.loads(line) for line in (tmp_path / "data.jsonl").read_text().splitlines()]
    assert lines == [
        {"path": "a/1.png", "split": "train", "class": "a", "sha256": "0" * 64},
        {"path": "b/2\udcff.png", "split": "train", "class": "b", "sha256": None, "left_out": "No such file"},
        {"path": "a/3.png", "split": "val", "class": "a"},
    ]
    with pytest.raises(MissingError, match="not what this run began with"):
        folder.record_data(records[:1], layout)
    folder.close()


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "Make room"), (errno.EDQUOT, "Make room"), (errno.EFBIG, "Make room"), (errno.EIO, "Cure it")],
)
def test_remedy_fits_the_error(number: int, remedy: str) -> None:
    assert disk_remedy(OSError(number, "x")).startswith(remedy)
