from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from forensic.data.osma import read_class_names
from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.models.scorer import SoftmaxScorer
from forensic.models.weights import load_weights, save_weights


@pytest.fixture(scope="module")
def small(osma_mini_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One test image a class, one unknown class, and no validation images."""
    root = tmp_path_factory.mktemp("evaluate") / "osma-mini"
    for folder in (osma_mini_small / "test").iterdir():
        (root / "test" / folder.name).mkdir(parents=True)
        shutil.copy(min(folder.iterdir()), root / "test" / folder.name)
    shutil.copytree(osma_mini_small / "test_unseen" / "wild", root / "test_unseen" / "wild")
    shutil.copy(osma_mini_small / "classes.yaml", root)
    return root


def test_json_by_default_in_a_pipe_and_a_figure(run_forensic, small: Path, tiny_weights: Path, tmp_path: Path) -> None:
    figure = tmp_path / "scores.svg"
    ran = run_forensic("evaluate", "--data", small, "--weights", tiny_weights, "--out", figure)
    assert ran.code == 0, ran.err
    row = json.loads(ran.out)
    assert row["on"] == "test"
    assert row["weights"]["name"] == "tiny"
    assert row["classes"]["real"]["n"] == 1
    assert row["groups"]["wild"]["n"] == row["groups"]["all"]["n"] > 0
    assert figure.read_text().startswith("<?xml")
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.svg"]


def test_a_damaged_image_is_named_and_the_code_is_3(
    forensic: Callable[..., Any], small: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    shutil.copytree(small, root)
    shutil.rmtree(root / "test_unseen")
    broken = next((root / "test" / "real").iterdir())
    broken.write_bytes(broken.read_bytes()[:-100])
    ran = forensic("evaluate", "--data", root, "--weights", tiny_weights, "--format", "table")
    assert ran.code == 3
    assert str(broken) in ran.err
    assert "1 image got no score and counts nowhere" in ran.err
    # no unknown images: a dash, never a number
    assert (
        next(line for line in ran.out.splitlines() if line.startswith("all  ") and line.rstrip().endswith("-")).split()[
            1
        ]
        == "-"
    )


def test_known_images_alone_are_no_error(
    forensic: Callable[..., Any], small: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    """scikit-learn 24381, 27412 and 30103: one side only was an error, then 0.0, then NaN."""
    root = tmp_path / "data"
    shutil.copytree(small, root)
    shutil.rmtree(root / "test_unseen")
    ran = forensic("evaluate", "--data", root, "--weights", tiny_weights, "--format", "json")
    assert ran.code == 0, ran.err
    group = json.loads(ran.out, parse_constant=pytest.fail)["groups"]["all"]
    assert (group["auroc"], group["oscr"], group["reason"]) == (None, None, "no unknown images")
    ran = forensic("evaluate", "--data", root, "--weights", tiny_weights, "--format", "table")
    assert ran.code == 0
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["all", "-", "-", "-", "-", "-", "0", "-"] in rows


def test_the_numbers_are_those_of_a_scan(
    forensic: Callable[..., Any], osma_mini_small: Path, tiny_weights: Path
) -> None:
    """Accuracy, AUROC and shares again, by counting over what `scan` says of the same files."""
    said = forensic("evaluate", "--data", osma_mini_small, "--weights", tiny_weights, "--format", "json")
    row = json.loads(said.out)
    folders = [osma_mini_small / "test", osma_mini_small / "test_unseen"]
    scanned = forensic("scan", "--weights", tiny_weights, "--scores", "--format", "jsonl", "--quiet", *folders)
    findings = [json.loads(line) for line in scanned.out.splitlines()]
    known = [f for f in findings if Path(f["path"]).is_relative_to(folders[0])]
    unknown = [f for f in findings if not Path(f["path"]).is_relative_to(folders[0])]
    assert (len(known), len(unknown)) == (28, row["groups"]["all"]["n"])
    right = [f["nearest"] == Path(f["path"]).parent.name for f in known]
    assert all(f["score"] == f["scores"][f["nearest"]] for f in findings)
    assert row["closed_accuracy"] == sum(right) / len(known)
    assert row["known_accepted"] == sum(f["verdict"] == "known" for f in known) / len(known)
    wrong = [f["verdict"] == "known" and not good for f, good in zip(known, right, strict=True)]
    assert row["wrong_known"] == sum(wrong) / len(known)
    groups = {"all": unknown}
    for name in ("seed", "arch", "dataset", "wild"):
        groups[name] = [f for f in unknown if Path(f["path"]).parents[1].name == name]
    for name, some in groups.items():
        pairs = [(k["score"], good, u["score"]) for k, good in zip(known, right, strict=True) for u in some]
        wins = [(one > other) + (one == other) / 2 for one, _, other in pairs]
        group = row["groups"][name]
        assert group["auroc"] == pytest.approx(sum(wins) / len(pairs), abs=1e-12)
        oscr = sum(win for win, (_, good, _) in zip(wins, pairs, strict=True) if good) / len(pairs)
        assert group["oscr"] == pytest.approx(oscr, abs=1e-12)
        assert group["rejection"] == sum(f["verdict"] == "unknown" for f in some) / len(some)
        assert group["false_real"] == sum(f["label"] == "real" for f in some) / len(some)


def test_a_page_beside_the_numbers(forensic: Callable[..., Any], small: Path, tiny_weights: Path) -> None:
    arguments = ("evaluate", "--data", small, "--weights", tiny_weights, "--jpeg", "70", "--format", "json")
    said = forensic(*arguments, "--out", "page.html")
    assert said.code == 0, said.err
    made = Path("page.html").read_text(encoding="utf-8")
    row = json.loads(said.out)
    assert f"{100 * row['groups']['all']['auroc']:.1f} %" in made
    assert row["weights"]["hash"] in made
    assert "JPEG quality 70" in made
    assert [entry.name for entry in Path().iterdir()] == ["page.html"]


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_file_has_what_stdout_has(forensic: Callable[..., Any], small: Path, tiny_weights: Path, form: str) -> None:
    said = forensic("evaluate", "--data", small, "--weights", tiny_weights, "--format", form, "--out", f"n.{form}")
    assert Path(f"n.{form}").read_text(encoding="utf-8") == said.out


def test_the_authors_metrics_say_so(forensic: Callable[..., Any], small: Path, tiny_weights: Path) -> None:
    options = ("--data", small, "--weights", tiny_weights, "--metrics", "reference")
    row = json.loads(forensic("evaluate", *options, "--format", "json").out)
    assert row["metrics"] == "reference"
    assert "largest softmax at temperature 1" in row["computation"]
    group = row["groups"]["all"]
    assert group["fpr95"] == 1 - group["tnr_at_tpr95"]
    assert group["auroc_ci"] is None
    assert group["oscr_range"][0] - 1e-12 <= group["oscr"] <= group["oscr_range"][1] + 1e-12
    assert {"auin", "auout", "dtacc"} <= group.keys()
    assert "quirks included" in forensic("evaluate", *options, "--format", "table").out


def test_two_weights_are_compared(
    forensic: Callable[..., Any], small: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    loaded = load_weights(tiny_weights)
    scorer = SoftmaxScorer(loaded.card.num_classes, loaded.model.architecture.embedding_dim)
    other = tmp_path / "w" / "other.safetensors"
    other.parent.mkdir()
    save_weights(other, loaded.model, scorer, loaded.spectra, replace(loaded.card, scorer="softmax", hash=""))
    options = ("--data", small, "--weights", tiny_weights, "--weights", other)
    said = forensic("evaluate", *options, "--format", "json", "--out", "both.html")
    assert said.code == 0, said.err
    row = json.loads(said.out)
    assert [entry["name"] for entry in row["weights"]] == ["tiny", "other"]
    alone = [
        json.loads(forensic("evaluate", "--data", small, "--weights", path, "--format", "json").out)
        for path in (tiny_weights, other)
    ]
    entry = row["groups"]["all"]["auroc"]
    assert [entry["first"], entry["second"]] == pytest.approx([one["groups"]["all"]["auroc"] for one in alone])
    assert entry["difference"] == pytest.approx(entry["second"] - entry["first"])
    assert entry["difference_ci"][0] <= entry["difference"] <= entry["difference_ci"][1]
    assert "other against tiny" in Path("both.html").read_text(encoding="utf-8")
    table = forensic("evaluate", *options, "--format", "table", "--out", "both.csv").out
    rows = list(csv.DictReader(io.StringIO(Path("both.csv").read_text(encoding="utf-8"))))
    assert {line["measure"] for line in rows} >= {"closed_accuracy", "auroc", "false_real"}
    assert "second - first" in table


def test_weights_of_other_classes_are_refused_in_one_line(
    forensic: Callable[..., Any], small: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    loaded = load_weights(tiny_weights)
    other = tmp_path / "other.safetensors"
    card = replace(loaded.card, classes=(*loaded.card.classes[:-1], "flux"), hash="")
    save_weights(other, loaded.model, loaded.scorer, {}, card)
    said = forensic("evaluate", "--data", small, "--weights", tiny_weights, "--weights", other)
    assert said.code == 5
    assert len(said.err.splitlines()) == 1
    assert f"their known classes differ: only {tiny_weights} knows realcugan_se_x2; only {other} knows flux" in said.err
    assert said.out == ""


def test_unknowns_from_a_flat_folder_and_loose_images(
    forensic: Callable[..., Any], small: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    image = next((small / "test" / "real").iterdir())
    for path in ("flat/1.png", "mine/gan/1.png", "mine/loose.png", "mine/more.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, tmp_path / path)
    options = ("evaluate", "--data", small, "--weights", tiny_weights, "--format", "json", "--unseen")
    said = forensic(*options, "flat")
    assert said.err == ""
    assert {name: group["n"] for name, group in json.loads(said.out)["groups"].items()} == {"flat": 1, "all": 1}
    said = forensic(*options, "mine")
    assert said.code == 0
    assert {name: group["n"] for name, group in json.loads(said.out)["groups"].items()} == {"mine": 1, "all": 1}
    assert said.err.splitlines() == [
        "forensic: mine/loose.png: lies beside class folders and belongs to none. Left out",
        "forensic: mine/more.png: lies beside class folders and belongs to none. Left out",
        "forensic: --unseen mine: 2 images lie beside class folders; give them a folder of their own",
    ]


def test_the_layout_of_the_paper_from_end_to_end(
    forensic: Callable[..., Any], samples: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    """OSMA as it is unpacked: three unseen groups, lists of paths with spaces and colons, fifteen classes."""
    names = read_class_names()["split1"]
    lists = {
        "train": [("OSMA/real/celeba/1.png", 0)],
        "test": [("OSMA/real/summer/2011-07-08 09:10:11_real.png", 0), ("OSMA/fake/starGAN/celeba/7.png", 14)],
        "test_out_seed": [("OSMA/fake/ProGAN/seed v1/1.png", 9)],
        "test_out_arch": [("OSMA/fake/x: y/2.png", 0), ("OSMA/fake/x: y/absent.png", 1)],
        "test_out_dataset": [("OSMA/fake/cow/4.png", 20)],
    }
    pictures = sorted(samples.glob("*.png"))
    for part, entries in lists.items():
        path = tmp_path / "my data/dataset" / f"split1_{part[:5].strip('_')}" / f"annotations/split1_{part}.txt"
        if part.startswith("test"):
            path = tmp_path / "my data/dataset/split1_test/annotations" / f"split1_{part}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"./dataset/{name}\t{label}\n" for name, label in entries), encoding="utf-8")
        for name, label in entries:
            image = tmp_path / "my data/dataset" / name
            image.parent.mkdir(parents=True, exist_ok=True)
            if image.stem != "absent":
                shutil.copy(pictures[label % len(pictures)], image)
    architecture = Architecture(width=2, neck_channels=2, embedding_dim=8)
    card = replace(
        load_weights(tiny_weights).card,
        classes=tuple(names["known"]), preprocessing="pose-128-v1", scorer="softmax", hash="",
    )  # fmt: skip
    weights = tmp_path / "osma.safetensors"
    save_weights(
        weights,
        TaskModel(15, architecture).eval(),
        SoftmaxScorer(15, 8),
        {},
        replace(card, architecture=vars(architecture)),
    )
    said = forensic(
        "evaluate",
        "--data",
        "my data/dataset",
        "--split",
        "1",
        "--weights",
        weights,
        "--format",
        "json",
        "--out",
        "p.html",
    )
    assert said.code == 3
    assert said.err.splitlines() == [
        "forensic: my data/dataset/OSMA/fake/x: y/absent.png: No such file or directory. Left out",
        "forensic: 1 image got no score and counts nowhere",
    ]
    row = json.loads(said.out)
    assert row["data"] == "osma-split1"
    assert {name: group["n"] for name, group in row["groups"].items()} == {"seed": 1, "arch": 1, "dataset": 1, "all": 3}
    assert row["classes"]["real"]["n"] == row["classes"][names["known"][14]]["n"] == 1
    assert row["classes"][names["seed"][9]]["n"] == 1
    assert row["classes"][names["dataset"][20]]["group"] == "dataset"
    assert names["arch"][0] in Path("p.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--data", "nowhere"], 5, "nowhere: "),
        (["--weights", "nope"], 5, "weights nope: "),
        (["--jpeg", "0"], 2, "--jpeg 0: expected qualities from 1 to 100"),
        (["--jpeg", "high"], 2, "--jpeg high: expected qualities"),
        (["--out", "x.gif"], 2, "--out x.gif: is no format that can be written"),
        (["--out", "no/such/x.png"], 2, "its folder is not there"),
        (["--device", "tpu"], 2, "is neither cpu nor cuda"),
        (["--on", "train"], 2, "--on"),
        (["--weights", "a", "--weights", "b", "--weights", "c"], 2, "--weights: is given 3 times"),
        (["--weights", "a", "--weights", "b", "--out", "x.png"], 2, "--out x.png: is no format that can be written"),
        (["--weights", "a", "--weights", "b", "--metrics", "reference"], 2, "does not go with two --weights"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line(
    forensic: Callable[..., Any], tiny_weights: Path, arguments: list[str], code: int, told: str
) -> None:
    weights = [] if "--weights" in arguments else ["--weights", tiny_weights]
    said = forensic("evaluate", *arguments, *weights)
    assert said.code == code
    assert told in said.err
    assert len(said.err.splitlines()) == 1
    assert said.out == ""


@pytest.fixture(scope="module")
def kept_run(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of two epochs, untrained, as `train --record-open-space` writes it."""
    import torch

    from forensic.data.layouts import read_layout
    from forensic.models.feature_extractor import Architecture
    from forensic.train.config import Recipe
    from forensic.train.open_space import record_open_space
    from forensic.train.run_folder import CONFIG, RunConfig, config_to_toml
    from forensic.train.state import TrainingState

    out = tmp_path_factory.mktemp("kept") / "run"
    out.mkdir()
    architecture = Architecture(width=4, neck_channels=4, embedding_dim=16)
    recipe = Recipe(epochs=2, augmenter_channels=4, architecture=architecture)
    (out / CONFIG).write_text(config_to_toml(RunConfig(str(small), record_open_space=True, recipe=recipe), {}))
    state = TrainingState(7, recipe, 0, torch.device("cpu"))
    for epoch in range(2):
        state.begin_epoch()
        record_open_space(out, epoch, state, read_layout(small))
        state.end_epoch()
    return out


def test_history_of_a_run_as_json_and_page(run_forensic, kept_run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ran = run_forensic("evaluate", "--history", kept_run, "--on", "test", "--out", page, "--class", "esrgan_slim_x2")
    assert ran.code == 0, ran.err
    row = json.loads(ran.out)
    assert row["score"] == "largest softmax at temperature 1"
    assert row["run"] == {"path": str(kept_run), "recipe": "forensic", "epochs": 2}
    assert (row["on"], row["n"], row["class"]["name"]) == ("test", 7, "esrgan_slim_x2")
    assert [point["augmenters"] for point in row["points"]] == [1, 2]
    assert row["points"][0]["groups"]["wild"]["auroc"] is not None
    assert "<h1>Open space of" in page.read_text()


def test_history_is_of_the_validation_images_unless_told(run_forensic, kept_run: Path) -> None:
    ran = run_forensic("evaluate", "--history", kept_run, "--format", "csv")
    assert ran.code == 0, ran.err
    # there are none in this folder
    assert ran.lines[0].startswith("epoch,augmenters,measure,group,n,value")
    assert ran.lines[1] == "1,1,closed_accuracy,,0,,,,no known images"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--class", "real"], 2, "--class: goes with --history only"),
        (["--history", "RUN", "--weights", "a"], 2, "--weights: does not go with --history"),
        (["--history", "RUN", "--jpeg", "90"], 2, "--jpeg: does not go with --history"),
        (["--history", "RUN", "--metrics", "reference"], 2, "--metrics reference: does not go with --history"),
        (["--history", "RUN", "--out", "x.png"], 2, "--out x.png: is no format that can be written"),
        (["--history", "nowhere"], 5, "nowhere: no such run"),
        (["--history", "RUN", "--class", "nobody"], 2, "--class nobody: is no known class of this run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_of_history_is_one_line(
    run_forensic, kept_run: Path, tmp_path: Path, arguments, code: int, told: str
) -> None:
    ran = run_forensic("evaluate", *(str(kept_run) if a == "RUN" else a for a in arguments), cwd=tmp_path)
    assert ran.code == code
    assert told in ran.err
    assert len(ran.err.splitlines()) == 1
    assert ran.out == ""
