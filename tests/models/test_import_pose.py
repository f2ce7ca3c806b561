from __future__ import annotations

import builtins
import importlib
import math
import os
import pickle  # noqa: TID251 - to make what must not be run
import resource
import subprocess
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import formulas
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from forensic.data.decode import decode
from forensic.data.osma import read_class_names
from forensic.data.prepare import prepare
from forensic.errors import ForensicError, MachineError, UsageError, WeightsError
from forensic.models.card import Card
from forensic.models.import_pose import ImportPlan, import_pose
from forensic.models.predict import scaled
from forensic.models.weights import Weights, load_weights, read_card, verify_weights

K = 7
SHAPES = (
    (64, 3, 4),
    (64, 64, 3),
    (128, 64, 4),
    (128, 128, 3),
    (256, 128, 4),
    (256, 256, 3),
    (512, 256, 4),
    (512, 512, 3),
)


class Block(nn.Module):
    def __init__(self, outputs: int, inputs: int, kernel: int) -> None:
        super().__init__()
        stride = 2 if kernel == 4 else 1
        self.main = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, stride, 1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x)


class PlainNetwork(nn.Module):
    """The authors' task model in plain torch, with the names of their files: the original to compare with."""

    def __init__(self, num_classes: int = K) -> None:
        super().__init__()
        self.main = nn.Sequential(*(Block(*shape) for shape in SHAPES))
        self.fc = nn.Linear(32_768, 512)
        self.classification_head = nn.Sequential(nn.Dropout(0.2), nn.Linear(512, num_classes))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        n = torch.arange(128, dtype=torch.float64)
        cosines = 2 * torch.cos(math.pi * (2 * n[None, :] + 1) * n[:, None] / 256)
        spectra = (cosines @ images.double() @ cosines.T).to(images.dtype)
        embedding = self.fc(self.main(spectra).flatten(1))
        return self.classification_head(embedding), embedding


@pytest.fixture(scope="module")
def pictures(samples: Path) -> Tensor:
    chosen = sorted(samples.glob("*.png"))[::11][:4]
    tiles = [prepare(decode(path.read_bytes(), name=path.name).pixels, "pose-128-v1").tiles for path in chosen]
    return torch.from_numpy(np.concatenate(tiles))


@pytest.fixture(scope="module")
def original(pictures: Tensor) -> PlainNetwork:
    """Formula parameters of tests/golden; statistics of the pictures, so that spectra are tamed as in training."""
    network = PlainNetwork()
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    for place, layer in enumerate(layers):
        normal = isinstance(layer, nn.BatchNorm2d)
        for seed, (values, offset) in enumerate(((layer.weight, 1.0), (layer.bias, 0.0)), start=100 + 2 * place):
            drawn = formulas.u(seed, *values.shape) * (0.1 if normal else layer.weight[0].numel() ** -0.5)
            with torch.no_grad():
                values.copy_(drawn + (offset if normal else 0))
        if normal:
            layer.momentum = None  # the running statistics are those of all batches seen
    with torch.no_grad():
        network.train()(scaled(pictures))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def published(original: PlainNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the authors' program writes it."""
    path = tmp_path_factory.mktemp("published") / "model_19_test93.4_acc_AUC_82.1_OSCR_79.9.pth"
    torch.save({"epoch": 19, "model": "Simple_CNN", "state_dict": original.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def imported(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Weights:
    out = tmp_path_factory.mktemp("imported") / "pose.safetensors"
    import_pose(published, out, ImportPlan())
    return load_weights(out)


def test_the_file_is_the_published_format(published: Path) -> None:
    content = torch.load(published, weights_only=True)  # noqa: TID251 - what an independent reader finds in it
    state = content["state_dict"]
    assert len(state) == 60
    assert state["main.6.main.0.weight"].shape == (512, 256, 4, 4)
    assert state["main.7.main.1.num_batches_tracked"].shape == ()
    assert state["fc.weight"].shape == (512, 32_768)
    assert state["classification_head.1.weight"].shape == (K, 512)
    assert sum(value.numel() for name, value in state.items() if "running" not in name and "num_" not in name) == (
        22_676_103
    )


def test_every_value_is_kept_bit_for_bit(original: PlainNetwork, imported: Weights) -> None:
    ours = imported.model.state_dict()
    theirs = original.state_dict()
    assert len(ours) == len(theirs) == 60
    for name, value in theirs.items():
        mapped = name.replace("classification_head.1.", "head.")
        if name.startswith("main."):
            _, block, _, layer, rest = name.split(".")
            mapped = f"trunk.{block}.{layer}.{rest}"
        assert torch.equal(ours[mapped], value), name


def test_logits_are_those_of_the_original(original: PlainNetwork, imported: Weights, pictures: Tensor) -> None:
    with torch.inference_mode():
        logits, embedding = imported.model(scaled(pictures))
        expected, expected_embedding = original(scaled(pictures))
    # the same float32 values in another order of sums, over nine layers; nothing was rounded in between
    assert (logits - expected).abs().max() < 2e-5 * expected.std()
    assert (embedding - expected_embedding).abs().max() < 2e-5 * expected_embedding.std()
    assert (logits.argmax(1) == expected.argmax(1)).all()


def test_score_is_the_largest_softmax(original: PlainNetwork, imported: Weights, pictures: Tensor) -> None:
    with torch.inference_mode():
        probabilities = original(scaled(pictures))[0].double().softmax(1)
        logits, embeddings = imported.model(scaled(pictures))
    for place, expected in enumerate(probabilities):
        scored = imported.scorer(logits[place : place + 1].numpy(), embeddings[place : place + 1].numpy())
        assert scored.score == pytest.approx(expected.max().item(), abs=1e-5)
        assert scored.label == expected.argmax().item()


def test_the_card_says_where_it_comes_from_and_that_nothing_validates_it(imported: Weights, published: Path) -> None:
    import hashlib

    card = imported.card
    assert card.classes == tuple(f"class0{label}" for label in range(K))
    assert card.real == ""
    assert (card.scorer, card.preprocessing) == ("softmax", "pose-128-v1")
    assert card.threshold.value == 0.5
    assert card.threshold.chosen_by.startswith("not validated: no image chose it, and the paper gives none")
    assert (card.validated.images, card.validated.unknown, card.metrics) == (0, 0, {})
    assert "not validated here" in card.limits
    assert "The file names no classes" in card.limits
    assert card.recipe == {
        "name": "imported", "sha256": hashlib.sha256(published.read_bytes()).hexdigest(), "epoch": 19,
    }  # fmt: skip
    assert card.training.command == f"forensic weights import {published.name}"
    assert imported.spectra == {}


State = OrderedDict[str, Tensor]


def state_of(num_classes: int = K) -> State:
    """All 60 entries with values of 0 and 1 that take no room: one stored value each."""
    with torch.device("meta"):
        shapes = PlainNetwork(num_classes).state_dict()
    one = torch.ones(())
    return OrderedDict(
        (name, torch.zeros((), dtype=like.dtype) if like.ndim == 0 else one.expand(like.shape))
        for name, like in shapes.items()
    )


def import_of(content: object, tmp_path: Path, plan: ImportPlan | None = None) -> Card:
    torch.save(content, tmp_path / "x.pth")
    return import_pose(tmp_path / "x.pth", tmp_path / "x.safetensors", plan or ImportPlan())


def refused(content: object, tmp_path: Path, plan: ImportPlan | None = None) -> str:
    """What is said of a file; and nothing is written."""
    with pytest.raises(WeightsError) as caught:
        import_of(content, tmp_path, plan)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'x.pth'}: ")
    assert "\n" not in said
    assert caught.value.exit_code == 5
    assert [path.name for path in tmp_path.iterdir()] == ["x.pth"]
    return said


def test_class_names_of_a_split(tmp_path: Path) -> None:
    plan = ImportPlan(split=3, threshold=0.375)
    card = import_of({"epoch": 4, "model": "Simple_CNN", "state_dict": state_of(15)}, tmp_path, plan)
    assert list(card.classes) == read_class_names()["split3"]["known"]
    assert card.real == "real"
    assert card.threshold.value == 0.375
    assert card.threshold.chosen_by == "not validated: given by hand when the weights were imported"
    assert card.training.data == "OSMA split 3, as told to the import"
    assert card.training.command == "forensic weights import x.pth --split 3 --threshold 0.375"
    assert "names no classes" not in card.limits
    assert verify_weights(tmp_path / "x.safetensors") == read_card(tmp_path / "x.safetensors").hash


def test_a_bare_state_and_names_by_hand(tmp_path: Path) -> None:
    card = import_of(state_of(3), tmp_path, ImportPlan(classes=("real", "a b", "c")))
    assert card.classes == ("real", "a b", "c")
    assert card.recipe.keys() == {"name", "sha256"}
    assert card.training.command == "forensic weights import x.pth --classes 'real,a b,c'"


class Calls:
    """Unpickled, it calls."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.what = function, arguments

    def __call__(self) -> None:
        """So that the result of one call may be what another one calls."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.what


def python(sentinel: Path) -> str:
    return f"__import__('pathlib').Path({str(sentinel)!r}).write_text('run')"


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    # a pickle of protocol 2 uses the names of Python 2
    "shell": (lambda sentinel: Calls(os.system, f"touch {sentinel}"), "asks for posix.system"),
    "eval": (lambda sentinel: Calls(builtins.eval, python(sentinel)), "asks for __builtin__.eval"),
    "exec": (lambda sentinel: Calls(builtins.exec, python(sentinel)), "asks for __builtin__.exec"),
    "process": (lambda sentinel: Calls(subprocess.check_call, ["touch", str(sentinel)]), "commands.check_call"),
    "nested pickle": (
        lambda sentinel: Calls(pickle.loads, pickle.dumps(Calls(os.system, f"touch {sentinel}"))),
        "asks for pickle.loads",
    ),
    "attribute": (
        lambda sentinel: Calls(Calls(getattr, Calls(importlib.import_module, "os"), "system"), f"touch {sentinel}"),
        "asks for __builtin__.getattr",
    ),
    "folder": (lambda sentinel: Calls(os.mkdir, str(sentinel)), "asks for posix.mkdir"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["content", "entry", "beside", "key"])
def test_hostile_pickles_are_told_and_not_run(name: str, place: str, tmp_path: Path) -> None:
    make, told = HOSTILE[name]
    sentinel = tmp_path / "sentinel"
    evil = make(sentinel)
    content = {
        "content": evil,
        "entry": {"state_dict": state_of() | {"fc.bias": evil}},
        "beside": {"state_dict": state_of(), "epoch": evil},
        "key": {"state_dict": state_of(), "model": [(1, {"x": evil})]},
    }[place]
    assert told in refused(content, tmp_path)
    assert not sentinel.exists()
    # the file is what it seems: who unpickles it runs it
    torch.load(tmp_path / "x.pth", weights_only=False)  # noqa: TID251 - our own file, to show that it is hostile
    assert sentinel.exists()


def test_other_objects_of_torch_are_told(tmp_path: Path) -> None:
    assert "asks for torch.nn.modules.linear.Linear" in refused(nn.Linear(2, 2), tmp_path)
    assert "asks for torch.hub.load" in refused(Calls(torch.hub.load, "x/y", "z"), tmp_path)
    sparse = state_of() | {"fc.bias": torch.ones(512).to_sparse()}
    assert "asks for torch._utils._rebuild_sparse_tensor" in refused(sparse, tmp_path)
    quantised = state_of() | {"fc.bias": torch.ones(512, dtype=torch.bfloat16)}
    assert "asks for torch.BFloat16Storage" in refused(quantised, tmp_path)


def with_entry(name: str, value: object) -> Callable[[], object]:
    return lambda: state_of() | {name: value}


def without(*names: str) -> Callable[[], object]:
    return lambda: OrderedDict((name, value) for name, value in state_of().items() if not name.startswith(names))


AUGMENTER = {
    "conv1.weight": torch.ones(32, 3, 3, 3),
    "conv1.bias": torch.ones(32),
    "conv2.weight": torch.ones(3, 32, 3, 3),
    "conv2.bias": torch.ones(3),
}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: {"epoch": 3, "state_dict": AUGMENTER}, "is an augmenter, not a task model"),
        (lambda: AUGMENTER, "is an augmenter, not a task model"),
        (without("fc."), "has no layer fc: it is DNA-Det's network"),
        (without("main.3.main.1.running"), "lacks main.3.main.1.running_mean and 1 more"),
        (without("classification_head."), "lacks classification_head.1.weight"),
        (with_entry("main.8.main.0.weight", torch.ones(1)), "has the unexpected entry main.8.main.0.weight"),
        (lambda: {f"module.{name}": value for name, value in state_of().items()}, "lacks classification_head.1.weight"),
        (lambda: {"epoch": 1}, "entry epoch of its state_dict is no tensor"),
        (lambda: {"state_dict": {}}, "holds no state_dict"),
        (lambda: {"state_dict": [1]}, "holds no state_dict"),
        (lambda: torch.ones(3), "holds no state_dict"),
        (lambda: {1: torch.ones(3)}, "entry 1 of its state_dict is no tensor"),
        (with_entry("fc.bias", [1.0] * 512), "entry fc.bias of its state_dict is no tensor"),
        (with_entry("fc.bias", torch.ones(512).double()), "fc.bias: expected float32 (512,), got float64 (512,)"),
        (with_entry("fc.bias", torch.ones(512).half()), "fc.bias: expected float32 (512,), got float16 (512,)"),
        (with_entry("fc.bias", torch.ones(512) + 0j), "fc.bias: expected float32 (512,), got complex64 (512,)"),
        (with_entry("fc.bias", torch.ones(512).int()), "fc.bias: expected float32 (512,), got int32 (512,)"),
        (with_entry("main.0.main.1.num_batches_tracked", torch.tensor(3.0)), "expected int64 (), got float32 ()"),
        (with_entry("main.0.main.0.weight", torch.ones(64, 3, 3, 3)), "expected float32 (64, 3, 4, 4), got float32"),
        (with_entry("fc.weight", torch.ones(()).expand(512, 512)), "32768), got float32 (512, 512)"),
        (with_entry("fc.weight", torch.ones(()).expand(2**20, 2**20)), "fc.weight: expected float32 (512, 32768)"),
        (with_entry("classification_head.1.bias", torch.ones(6)), "classification_head.1.bias: expected float32 (7,)"),
        (with_entry("classification_head.1.weight", torch.ones(7, 8)), "expected float32 (7, 512), got float32 (7, 8)"),
        (with_entry("classification_head.1.weight", torch.ones(512)), "expected (K, 512), K >= 2, got (512,)"),
        (with_entry("classification_head.1.weight", torch.ones(7, 512, 1, 1)), "K >= 2, got (7, 512, 1, 1)"),
        (lambda: state_of(1), "expected (K, 512), K >= 2, got (1, 512)"),
        (with_entry("fc.bias", torch.full((512,), math.nan)), "fc.bias has values that are not finite"),
        (with_entry("fc.bias", torch.full((512,), -math.inf)), "fc.bias has values that are not finite"),
        (with_entry("main.2.main.1.running_var", torch.full((128,), -0.5)), "running_var has variances below 0"),
    ],
)  # fmt: skip
def test_what_is_another_network_is_refused_in_one_line(make: Callable[[], object], told: str, tmp_path: Path) -> None:
    assert told in refused(make(), tmp_path)


def test_classes_and_names_must_be_as_many(tmp_path: Path) -> None:
    assert "has 7 classes, named are 15" in refused(state_of(), tmp_path, ImportPlan(split=1))
    assert "has 7 classes, named are 2" in refused(state_of(), tmp_path, ImportPlan(classes=("a", "b")))


@pytest.mark.parametrize(
    ("plan", "out", "told"),
    [
        (ImportPlan(split=6), "x.safetensors", "OSMA has the splits 1 to 5"),
        (ImportPlan(split=1, classes=("a", "b")), "x.safetensors", "both name the classes"),
        (ImportPlan(classes=("a", "a")), "x.safetensors", "names must differ"),
        (ImportPlan(classes=("a", "")), "x.safetensors", "not be empty"),
        (ImportPlan(classes=("a", "b\x1b[2J")), "x.safetensors", "be printable"),
        (ImportPlan(threshold=1.5), "x.safetensors", "must be from 0 to 1"),
        (ImportPlan(threshold=math.nan), "x.safetensors", "must be from 0 to 1"),
        (ImportPlan(), "x.pth", "weights end in .safetensors"),
        (ImportPlan(), "nowhere/x.safetensors", "its folder does not exist"),
        (ImportPlan(), "there.safetensors", "exists already"),
        (ImportPlan(), "card.safetensors", "card.toml: exists already"),
    ],
)
def test_wrong_use_is_told_before_the_file_is_opened(plan: ImportPlan, out: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "there.safetensors").write_bytes(b"mine")
    (tmp_path / "card.toml").write_bytes(b"mine")
    with pytest.raises(UsageError, match=told):
        import_pose(tmp_path / "no such file", tmp_path / out, plan)
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"mine"}


def test_an_import_that_was_killed_at_its_last_steps_is_repeated(published: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    card = import_pose(published, out, ImportPlan())
    blob, written = out.read_bytes(), out.stat().st_ino
    assert (import_pose(published, out, ImportPlan()), out.stat().st_ino) == (card, written)
    out.unlink()  # the card takes its name first
    assert (import_pose(published, out, ImportPlan()), out.read_bytes()) == (card, blob)
    for changed, plan in ((blob, ImportPlan(threshold=0.75)), (blob + b"x", ImportPlan())):
        out.write_bytes(changed)
        with pytest.raises(UsageError, match="exists already"):
            import_pose(published, out, plan)


def test_full_disk_leaves_nothing(published: Path, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(MachineError, match="can not be written: File too large") as caught:
            import_pose(published, tmp_path / "x.safetensors", ImportPlan())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code == 6
    assert list(tmp_path.iterdir()) == []


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ForensicError, match="no such file"):
        import_pose(tmp_path / "nope.pth", tmp_path / "x.safetensors", ImportPlan())
