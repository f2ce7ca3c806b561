from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import OrderedDict
from pathlib import Path

import pytest

from forensic.models.weights import find_weights, load_weights
from tests.conftest import make_tiny_weights


def test_show_is_the_card(run_forensic, tiny_weights: Path) -> None:
    ran = run_forensic("weights", "show", tiny_weights)
    assert ran.code == 0
    card = tomllib.loads(ran.out)
    assert card == tomllib.loads(tiny_weights.with_suffix(".toml").read_text())
    assert json.loads(run_forensic("weights", "show", tiny_weights, "--format", "json").out) == card


def test_list_marks_the_default(run_forensic) -> None:
    listed = json.loads(run_forensic("weights", "list").out)
    assert [entry["problem"] for entry in listed] == [None] * len(listed)
    assert sum(entry["default"] for entry in listed) == 1
    table = run_forensic("weights", "list", "--format", "table")
    assert "default" in table.out


def test_the_page_is_what_list_prints(run_forensic) -> None:
    page = Path(__file__).resolve().parents[2] / "weights" / "README.md"
    ran = run_forensic("weights", "list", "--format", "markdown")
    assert ran.out == page.read_text(encoding="utf-8")


def test_verify_says_ok_or_4(run_forensic, tiny_weights: Path, tmp_path: Path) -> None:
    ran = run_forensic("weights", "verify", tiny_weights)
    assert (ran.code, ran.out.count(": ok, SHA-256 ")) == (0, 1)
    for suffix in (".safetensors", ".toml"):
        shutil.copy(tiny_weights.with_suffix(suffix), tmp_path / f"x{suffix}")
    damaged = tmp_path / "x.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    ran = run_forensic("weights", "verify", damaged)
    assert ran.code == 4
    assert len(ran.err.splitlines()) == 1


def test_verify_goes_on_and_ends_with_the_worst(run_forensic, tiny_weights: Path, tmp_path: Path) -> None:
    for name in ("changed", "bare"):
        for suffix in (".safetensors", ".toml"):
            shutil.copy(tiny_weights.with_suffix(suffix), tmp_path / f"{name}{suffix}")
    changed, bare = tmp_path / "changed.safetensors", tmp_path / "bare.safetensors"
    changed.write_bytes(changed.read_bytes()[:-1] + b"!")
    bare.with_suffix(".toml").unlink()
    ran = run_forensic("weights", "verify", changed, "nope", tiny_weights, bare, "osma-mini")
    assert ran.code == 5
    assert [line.split(": ")[1] for line in ran.err.splitlines()] == [str(changed), "weights nope", str(bare)]
    assert [line.split(":")[0] for line in ran.lines] == [str(tiny_weights), str(find_weights("osma-mini"))]
    assert run_forensic("weights", "verify", tiny_weights, changed, tiny_weights).code == 4


@pytest.mark.parametrize("arguments", [["show", "nope"], ["verify", "nope.safetensors"]])
def test_absent_weights_are_one_line(run_forensic, arguments) -> None:
    ran = run_forensic("weights", *arguments)
    assert ran.code == 5
    assert len(ran.err.splitlines()) == 1


def test_these_load_no_torch(tiny_weights: Path) -> None:
    code = (
        "import sys\nfrom forensic.cli.app import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as done:\n    assert done.code == 0\n"
        "assert 'torch' not in sys.modules"
    )
    for arguments in (["list"], ["show", str(tiny_weights)], ["verify", str(tiny_weights)]):
        done = subprocess.run([sys.executable, "-c", code, "weights", *arguments], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def published(path: Path, num_classes: int) -> Path:
    """A task model with the names of the authors' files, as their program saves it."""
    import torch
    from formulas import authors_names, fill_task_model

    from forensic.models.feature_extractor import TaskModel
    from forensic.models.import_pose import AUTHORS

    model = fill_task_model(TaskModel(num_classes, AUTHORS))
    names = authors_names(model)
    state = OrderedDict((names[name], value) for name, value in model.state_dict().items())
    torch.save({"epoch": 19, "model": "Simple_CNN", "state_dict": state}, path)
    return path


@pytest.mark.slow
def test_imported_weights_serve_every_command(
    run_forensic, osma_mini_small: Path, samples: Path, tmp_path: Path
) -> None:
    classes = json.loads(run_forensic("weights", "show", "--format", "json").out)["classes"]
    file, out = published(tmp_path / "model.pth", len(classes)), tmp_path / "pose.safetensors"
    ran = run_forensic("weights", "import", file, "--out", out, "--classes", ",".join(classes), "--threshold", "0.25")
    assert (ran.code, ran.out) == (0, "")
    assert "7 classes, threshold 0.25" in ran.err
    assert "not validated: no error rate is known" in ran.err
    assert run_forensic("weights", "verify", out).code == 0
    card = tomllib.loads(run_forensic("weights", "show", out).out)
    assert (card["scorer"], card["threshold"]["value"], card["classes"]) == ("softmax", 0.25, classes)

    pictures = sorted(samples.glob("real-*.png"))[:2]
    report = tmp_path / "report.html"
    ran = run_forensic("scan", *pictures, "--weights", out, "--scores", "--report", report)
    assert ran.code == 0
    findings = [json.loads(line) for line in ran.lines]
    assert len(findings) == 2
    for finding in findings:
        assert "not-validated" in finding["flags"]
        assert finding["threshold"] == 0.25
        assert finding["score"] == max(finding["scores"].values())
        assert sum(finding["scores"].values()) == pytest.approx(1)
        assert (finding["verdict"] == "known") == (finding["score"] >= 0.25)
    page = report.read_text(encoding="utf-8")
    assert "validated on no image" in page
    assert "largest softmax of the averaged logits" in page

    ran = run_forensic("evaluate", "--weights", out, "--data", osma_mini_small, "--format", "json")
    assert ran.code == 0
    assert json.loads(ran.out)["threshold"] == 0.25


def test_hostile_file_ends_in_one_line(run_forensic, tmp_path: Path) -> None:
    import torch

    sentinel = tmp_path / "sentinel"

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {sentinel}",)

    torch.save({"state_dict": Evil()}, tmp_path / "x.pth")
    ran = run_forensic("weights", "import", tmp_path / "x.pth", "--out", tmp_path / "x.safetensors")
    assert (ran.code, ran.out) == (5, "")
    assert len(ran.err.splitlines()) == 1
    assert ran.err.startswith(f"forensic: {tmp_path / 'x.pth'}: its pickle asks for posix.system")
    assert "Nothing of it was run." in ran.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.pth"]


def test_rescore_fits_another_score(run_forensic, tiny_weights: Path, osma_mini_small: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.safetensors"
    wrong = run_forensic("weights", "rescore", "--score", "entropy", "--data", osma_mini_small, "--out", out)
    assert wrong.code == 2
    assert "It is one of sum, softmax" in wrong.err
    nowhere = run_forensic("weights", "rescore", "--score", "sum", "--out", out)
    assert nowhere.code == 2
    foreign = run_forensic(
        "weights", "rescore", tiny_weights, "--score", "sum", "--data", osma_mini_small, "--out", out
    )
    assert foreign.code == 2
    assert "was not trained by this program" in foreign.err
    assert not list(tmp_path.iterdir())


def test_rescore_of_trained_weights(run_forensic, osma_mini_small: Path, tmp_path: Path) -> None:
    recipe = {"jpeg_share": 0.5, "jpeg_quality_min": 60, "jpeg_quality_max": 100}
    trained = make_tiny_weights(tmp_path / "old.safetensors", osma_mini_small, recipe=recipe)
    out = tmp_path / "new.safetensors"
    ran = run_forensic("weights", "rescore", trained, "--score", "combined", "--data", osma_mini_small, "--out", out)
    assert ran.code == 0, ran.err
    assert "score combined, threshold" in ran.err
    assert load_weights(out).scorer.kind == "combined"
    assert run_forensic("weights", "verify", out).code == 0


@pytest.mark.parametrize("command", ["enrol", "remove", "rescore"])
def test_weights_are_not_replaced_by_what_is_made_of_them(
    run_forensic, tiny_weights: Path, samples: Path, tmp_path: Path, command: str
) -> None:
    """One that is killed between its two files would leave neither those before nor those after."""
    own = tmp_path / "own.safetensors"
    for suffix in (".safetensors", ".toml"):
        own.with_suffix(suffix).write_bytes(tiny_weights.with_suffix(suffix).read_bytes())
    (tmp_path / "link.safetensors").symlink_to(own)
    words = {
        "enrol": (own, "others", samples),
        "remove": (own, "others"),
        "rescore": (own, "--classes", samples, "--score", "sum"),
    }[command]
    for out, said in (
        (own, "is what is read. Choose another --out"),
        (tmp_path / "link.safetensors", "is what is read"),
        (own.with_suffix(".toml"), "weights end in .safetensors. Name it own.safetensors"),
        (tmp_path / "new", "weights end in .safetensors. Name it new.safetensors"),
    ):
        ran = run_forensic("weights", command, *words, "--out", out)
        assert (ran.code, ran.err.startswith(f"forensic: {out}: {said}")) == (2, True), ran.err
    assert own.read_bytes() == tiny_weights.read_bytes()


@pytest.mark.slow
def test_an_enrolled_class_in_every_command(run_forensic, osma_mini_small: Path, samples: Path, tmp_path: Path) -> None:
    recipe = {"jpeg_share": 0.5, "jpeg_quality_min": 60, "jpeg_quality_max": 100}
    before = make_tiny_weights(tmp_path / "old.safetensors", osma_mini_small, recipe=recipe, score="traces")
    out, back = tmp_path / "new.safetensors", tmp_path / "back.safetensors"
    images = osma_mini_small / "test_unseen"
    inside = run_forensic("weights", "enrol", before, "others", images, "--out", images / "x.safetensors")
    assert inside.code == 2
    assert "lies inside the evidence folder" in inside.err
    ran = run_forensic("weights", "enrol", before, "others", images, "--out", out)
    assert ran.code == 0, ran.err
    assert "8 classes, threshold" in ran.err
    assert "others from 9 images, measured on 9 others" in ran.err
    entry = json.loads(run_forensic("weights", "show", out, "--format", "json").out)["enrolled"]["others"]
    assert f"{entry['stored']['held_back_named']} of 9" in ran.out
    assert run_forensic("weights", "verify", out).code == 0

    report = tmp_path / "report.html"
    pictures = sorted(samples.glob("real-*.png"))[:2]
    ran = run_forensic("scan", *pictures, "--weights", out, "--scores", "--report", report)
    assert ran.code == 0, ran.err
    for line in ran.lines:
        scores = json.loads(line)["scores"]
        assert len(scores) == 8
        assert max(scores, key=scores.get) == json.loads(line)["nearest"]
    assert "Class others was enrolled, not trained" in report.read_text(encoding="utf-8")
    assert run_forensic("case", "verify", report.with_suffix(".case")).code == 0
    ran = run_forensic("evaluate", "--weights", out, "--data", osma_mini_small, "--format", "json")
    assert ran.code == 0, ran.err

    assert run_forensic("weights", "remove", out, "real", "--out", back).code == 2
    refused = run_forensic("weights", "remove", out, "others", "--out", tmp_path / "none" / "x.safetensors")
    assert (refused.code, "x.safetensors: can not be written: no such file" in refused.err) == (6, True)
    assert run_forensic("weights", "remove", out, "others", "--out", back).code == 0
    assert back.read_bytes() == before.read_bytes()
    assert back.with_suffix(".toml").read_bytes() == before.with_suffix(".toml").read_bytes()


def test_weights_that_keep_nothing_to_enrol_with(run_forensic, tiny_weights: Path, osma_mini_small: Path) -> None:
    images = osma_mini_small / "test_unseen"
    ran = run_forensic(
        "weights", "enrol", tiny_weights, "others", images, "--out", tiny_weights.with_name("x.safetensors")
    )
    assert (ran.code, len(ran.err.splitlines())) == (5, 1)
    assert "`forensic weights rescore --data ... --score traces --out NEW.safetensors`" in ran.err
