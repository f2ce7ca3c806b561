"""`forensic train`: options to a configuration, and what is said of a run."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

TINY = [
    "--threads=1",
    "--epochs=1",
    "--set=batch_items=4",
    "--set=augmenter_channels=4",
    "--set=augmenter_warmup_steps=1",
    "--set=architecture.width=2",
    "--set=architecture.neck_channels=2",
    "--set=architecture.embedding_dim=8",
]


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Two classes of noise, ten images each, one of them damaged."""
    draws = np.random.default_rng(0)
    for name in ("real", "gan"):
        folder = tmp_path / "mine" / name
        folder.mkdir(parents=True)
        for number in range(10):
            image = draws.integers(0, 256, (64, 64, 3)).astype(np.uint8).repeat(2, 0).repeat(2, 1)
            assert cv2.imwrite(str(folder / f"{number}.png"), image + (name == "real") * draws.integers(0, 9, 3))
    return tmp_path / "mine"


def test_missing_data_says_where_to_get_it(forensic: Callable[..., Any]) -> None:
    said = forensic("train", "--split", "1")
    assert said.code == 5
    assert said.err.count("\n") == 1
    assert "Zenodo record 8103474" in said.err
    assert list(Path().iterdir()) == []


def test_print_config_is_what_config_takes(forensic: Callable[..., Any]) -> None:
    first = forensic("train", "--print-config", "--epochs", "7", "--set", "lr=1e-4", "--seed", "3", "--threads", "1")
    values = tomllib.loads(first.out)
    assert (values["recipe"]["epochs"], values["recipe"]["lr"], values["run"]["seed"]) == (7, 1e-4, 3)
    Path("my.toml").write_text(first.out)
    again = forensic("train", "--config", "my.toml", "--print-config", "--seed", "4")
    assert tomllib.loads(again.out)["recipe"] == values["recipe"]
    assert tomllib.loads(again.out)["run"] == values["run"] | {"seed": 4}


def test_a_recipe_is_chosen_by_name(forensic: Callable[..., Any]) -> None:
    values = tomllib.loads(forensic("train", "--print-config", "--recipe", "reference", "--set", "lr=1e-3").out)
    assert (values["recipe"]["name"], values["recipe"]["temperature"], values["recipe"]["lr"]) == (
        "reference",
        0.1,
        1e-3,
    )
    assert values["recipe"]["architecture"]["width"] == 64


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--set", "epochs"], "epochs"),
        (["--set", "nothing=1"], "nothing"),
        (["--epochs", "0"], "epochs"),
        (["--device", "tpu"], "tpu"),
        (["--classes", "a", "--data", "b"], "--classes"),
        (["--config", "absent.toml"], "absent.toml"),
        (["--resume", "run", "--epochs", "3"], "--epochs"),
        (["--seed", "-1"], "--seed"),
        (["--preprocessing", "none"], "--preprocessing"),
        (["--recipe", "pose"], "recipe pose"),
        (["--recipe", "paper", "--config", "a.toml"], "--recipe"),
        (["--set", "name=paper"], "--recipe"),
    ],
)
def test_wrong_use_is_one_line(forensic: Callable[..., Any], arguments: list[str], named: str) -> None:
    said = forensic("train", *arguments)
    assert said.code == 2
    assert named in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("data = 3", "data is 3, must be str"),
        ('seed = "x"', "seed is 'x', must be int"),
        ("seed = -1", "seed is -1, must be 0 or more"),
        ("seed = true", "seed is True, must be int"),
        ("threads = 0", "threads is 0, must be 1 or more"),
        ("split = 1.5", "split is 1.5, must be int"),
        ('classes_dir = "yes"', "classes_dir is 'yes', must be bool"),
        ('preprocessing = "none"', "preprocessing is 'none'. Known: tiles-128-v2, tiles-128-v1"),
        ("device = []", "device is [], must be str"),
        ("colour = 1", "colour is not known"),
    ],
)
def test_configuration_of_a_wrong_type_is_one_line(forensic: Callable[..., Any], line: str, named: str) -> None:
    name = line.partition(" ")[0]
    lines = forensic("train", "--print-config", "--threads", "1").out.splitlines()
    at = lines.index("[run]") + 1
    kept = [other for other in lines if other.partition(" ")[0] != name or lines.index(other) > at + 8]
    Path("my.toml").write_text("\n".join([*kept[:at], line, *kept[at:]]))
    said = forensic("train", "--config", "my.toml")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert named in said.err


@pytest.mark.parametrize("text", ["", "run = 1\nrecipe = 2", "[run]\n", "[run]\n[recipe]\n", "no TOML"])
def test_what_is_no_configuration(forensic: Callable[..., Any], text: str) -> None:
    Path("my.toml").write_text(text)
    said = forensic("train", "--config", "my.toml")
    assert (said.code, said.out, said.err.count("\n")) == (5, "", 1)
    assert "is no configuration of a run" in said.err


def test_folder_of_a_file_is_made_absolute(forensic: Callable[..., Any]) -> None:
    text = forensic("train", "--print-config", "--threads", "1").out
    Path("my.toml").write_text(text.replace(str(Path("dataset").absolute()), "here"))
    again = forensic("train", "--config", "my.toml", "--print-config")
    assert tomllib.loads(again.out)["run"]["data"] == str(Path("here").absolute())


def test_folder_that_no_configuration_can_hold(forensic: Callable[..., Any], classes: Path) -> None:
    strange = classes.with_name("mine\udcff")
    try:
        classes.rename(strange)
    except OSError:
        pytest.skip("needs a file system that keeps names which are no UTF-8")
    said = forensic("train", "--classes", str(strange), *TINY)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "Name the folder by a link to it" in said.err
    classes.symlink_to(strange)
    assert forensic("train", "--classes", str(classes), "--out", "run", *TINY).code == 0


def test_no_run_to_resume(forensic: Callable[..., Any]) -> None:
    said = forensic("train", "--resume", "nothing")
    assert (said.code, said.out) == (5, "")
    assert "nothing" in said.err


def test_class_folders_from_start_to_end(forensic: Callable[..., Any], classes: Path) -> None:
    (classes / "gan" / "3.png").write_bytes((classes / "gan" / "3.png").read_bytes()[:300])
    said = forensic("train", "--classes", "mine", *TINY)
    assert said.code == 0, said.err
    assert said.out == ""
    run = Path("runs/mine-forensic-s0")
    assert "epoch 1 of 1 done" in said.err
    assert str(run / "weights.safetensors") in said.err
    damaged = str(classes / "gan" / "3.png") in said.err
    assert damaged == ("left out" in said.err)  # whether it is a training image depends on its hash
    again = forensic("train", "--resume", str(run))
    assert again.code == 0
    assert "finished already" in again.err
    other = forensic("train", "--classes", "mine", *TINY)
    assert other.code == 2
    assert "--resume" in other.err


def test_images_are_kept_below_the_users_cache(forensic: Callable[..., Any], classes: Path) -> None:
    assert classes.name == "mine"
    assert forensic("train", "--classes", "mine", "--out", "a", "--no-cache", *TINY).code == 0
    assert not Path("cache").exists()
    assert forensic("train", "--classes", "mine", "--out", "b", *TINY).code == 0
    kept = sorted(Path("cache/forensic/pixels").iterdir())
    assert [path.suffix for path in kept] == [".pixels"] * 2  # train, val
    kept[0].write_bytes(b"damaged")
    said = forensic("train", "--classes", "mine", "--out", "c", *TINY)
    assert said.code == 0
    assert f"{kept[0].absolute()}: is cut off; made anew" in said.err
    for name in ("weights.safetensors", "weights.toml", "losses.jsonl", "data.jsonl"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes() == Path("c", name).read_bytes()
    (Path("c") / "weights.toml").unlink()
    assert forensic("train", "--resume", "c", "--no-cache").code == 0


def test_quiet_says_nothing(forensic: Callable[..., Any], classes: Path) -> None:
    said = forensic("train", "--classes", str(classes), "--out", "run", "--quiet", *TINY)
    assert (said.code, said.out, said.err) == (0, "", "")
    assert (Path("run") / "weights.toml").is_file()


def test_osma_mini_has_one_split(forensic: Callable[..., Any], osma_mini_small: Path) -> None:
    said = forensic("train", "--data", str(osma_mini_small), "--split", "2")
    assert said.code == 2
    assert "one split" in said.err
