"""The task model of `reference` against recorded pieces of the authors' network (tests/golden/README.md)."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import formulas
import pytest
import torch
from torch import Tensor

from forensic.models.feature_extractor import SpectralInput, TaskModel
from forensic.train.config import REFERENCE

ARCHITECTURE = replace(REFERENCE.architecture, dropout=0.0)
DTYPES = {"float64": torch.float64, "float32": torch.float32}


@pytest.fixture(scope="module", params=DTYPES)
def dtype(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def recorded(golden: Path, dtype: str) -> dict[str, Any]:
    return json.loads((golden / "pieces.json").read_text())[dtype]


@pytest.fixture(scope="module")
def filled(dtype: str) -> TaskModel:
    """Not to be changed."""
    return formulas.fill_task_model(TaskModel(formulas.CLASSES, ARCHITECTURE).to(DTYPES[dtype]))


@pytest.fixture(scope="module")
def images(dtype: str) -> Tensor:
    return torch.stack([formulas.image(label, 0, DTYPES[dtype]) for label in range(4)])


@pytest.fixture(scope="module")
def has_seen_them(filled: TaskModel, images: Tensor) -> TaskModel:
    """With the statistics that evaluation mode uses; not to be changed."""
    model = deepcopy(filled)
    with torch.no_grad():
        model.train()(images)
    return model


@pytest.fixture
def model(filled: TaskModel) -> TaskModel:
    return deepcopy(filled)


@pytest.fixture
def seen_model(has_seen_them: TaskModel) -> TaskModel:
    return deepcopy(has_seen_them)


def check(values: Tensor, expected: dict[str, Any], *, gradient: bool = False) -> None:
    """Shape, sum, norm, largest and single entries; sums that cancel are known to a share of the norm."""
    double = values.dtype == torch.float64
    relative = 1e-9 if double else (2e-3 if gradient else 2e-4)
    values = values.detach().double()
    assert list(values.shape) == expected["shape"]
    norm = expected["norm"]
    assert values.norm().item() == pytest.approx(norm, rel=relative)
    assert values.sum().item() == pytest.approx(expected["sum"], rel=relative, abs=relative * norm)
    assert values.abs().max().item() == pytest.approx(expected["max_abs"], rel=relative)
    for place, value in expected.get("at_flat", {}).items():
        # float32: an entry is known to the rounding of the largest one
        absolute = 1e-12 if double else (2e-3 if gradient else 1e-4) * max(1.0, expected["max_abs"])
        assert values.flatten()[int(place)].item() == pytest.approx(value, rel=relative, abs=absolute)


def check_forward(model: TaskModel, images: Tensor, expected: dict[str, Any]) -> None:
    """Every block's convolution and output, embedding, logits, softmax."""
    seen: dict[str, Tensor] = {}
    hooks = []
    for block, layers in enumerate(model.trunk):
        for part, layer in (("conv", layers[0]), ("out", layers)):
            hooks.append(
                layer.register_forward_hook(
                    lambda _, __, output, name=f"{block}.{part}": seen.update({name: output.clone()})
                )
            )
    with torch.no_grad():
        logits, embedding = model(images)
    for hook in hooks:
        hook.remove()
    for block in range(8):
        for part in ("conv", "out"):
            check(seen[f"{block}.{part}"], expected[f"block{block}"][part])
    check(embedding, expected["embedding"])
    relative = 1e-9 if images.dtype == torch.float64 else 2e-4
    assert embedding.norm(dim=1).tolist() == pytest.approx(expected["embedding_norms"], rel=relative)
    for mine, theirs in ((logits, expected["logits"]), (logits.softmax(dim=1), expected["softmax"])):
        torch.testing.assert_close(
            mine.double(), torch.tensor(theirs, dtype=torch.float64), rtol=relative, atol=relative / 2
        )


def test_golden_generators(golden: Path) -> None:
    expected = json.loads((golden / "pieces.json").read_text())["float64"]["generator"]
    index = torch.arange(4).numpy()
    assert formulas.hashed(index, 0).tolist() == expected["hash32_seed0_first4"]
    assert formulas.hashed(index[:1] + 1_000_000, 5).tolist() == [expected["hash32_seed5_index_1000000"]]
    assert formulas.u(0, 4).tolist() == expected["u_seed0_first4"]
    picture = formulas.image_u8(2, 1)
    assert picture[0, 0, :8].tolist() == expected["image_u8_class2_sample1_channel0_row0_first8"]
    assert int(picture.sum(dtype=int)) == expected["image_u8_class2_sample1_sum"]
    sums = [int(formulas.image_u8(label, 0).sum(dtype=int)) for label in range(7)]
    assert sums == expected["image_u8_sums_class0to6_sample0"]


def test_golden_dct_layer_with_its_gradient(recorded: dict[str, Any], dtype: str) -> None:
    layer = SpectralInput(ARCHITECTURE)
    small = formulas.image(0, 0, DTYPES[dtype], 8, 8)[:1][None]
    assert layer(small).flatten().tolist() == pytest.approx(
        recorded["dct_8x8"]["output"],
        rel=2e-6 if dtype == "float32" else 1e-9,
        abs=1e-4 if dtype == "float32" else 1e-12,
    )
    picture = formulas.image(3, 2, DTYPES[dtype])[None].requires_grad_()
    spectrum = layer(picture)
    check(spectrum, recorded["dct_128"])
    (spectrum * formulas.u(7, *spectrum.shape).to(spectrum)).sum().backward()
    check(picture.grad, recorded["dct_128"]["vjp_with_u_seed7"], gradient=True)


def test_golden_network_in_training_mode_then_in_evaluation_mode(
    recorded: dict[str, Any], model: TaskModel, images: Tensor
) -> None:
    check_forward(model.train(), images, recorded["trunk_train_mode"])
    for block, layers in enumerate(model.trunk):
        expected = recorded["running_stats_after_one_train_forward"][f"block{block}"]
        check(layers[1].running_mean, expected["mean"])
        check(layers[1].running_var, expected["var"])
        assert int(layers[1].num_batches_tracked) == 1
    check_forward(model.eval(), images, recorded["trunk_eval_mode_after_one_train_forward"])


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_golden_gradients_of_the_network(
    recorded: dict[str, Any], seen_model: TaskModel, images: Tensor, mode: str
) -> None:
    expected, model = recorded[f"{mode}_mode_vjp"], seen_model
    images = images.clone().requires_grad_()
    logits, embedding = model.train(mode == "train")(images)
    double = images.dtype == torch.float64
    loss = (logits * formulas.u(8, *logits.shape).to(logits)).sum()
    loss = loss + (embedding * formulas.u(9, *embedding.shape).to(embedding)).sum()
    loss.backward()
    assert loss.item() == pytest.approx(expected["loss"], rel=1e-9 if double else 1e-4)
    names = formulas.authors_names(model)
    for name, parameter in model.named_parameters():
        theirs = names[name]
        norm = parameter.grad.double().norm().item()
        if mode == "train" and theirs.endswith("main.0.bias"):
            assert norm < (1e-11 if double else 1e-3), theirs
        else:
            assert norm == pytest.approx(expected["grad_norms"][theirs], rel=1e-9 if double else 2e-3), theirs
            if "grad_sums" in expected:
                bound = (1e-9 if double else 2e-3) * expected["grad_norms"][theirs]
                assert parameter.grad.double().sum().item() == pytest.approx(expected["grad_sums"][theirs], abs=bound)
    check(images.grad, expected["input_grad"], gradient=True)


def test_golden_dropout_acts_on_the_embedding_itself(
    recorded: dict[str, Any], seen_model: TaskModel, images: Tensor
) -> None:
    """In the authors' program the embedding that is returned is the one after dropout."""
    expected, model = recorded["dropout_mask_piece"], seen_model.eval()
    model.dropout = formulas.RecordedDropout().train()
    with torch.no_grad():
        logits, embedding = model(images)
    assert int((embedding != 0).sum()) == expected["kept"]
    check(embedding, expected["embedding_after_dropout"])
    relative = 1e-9 if images.dtype == torch.float64 else 2e-4
    torch.testing.assert_close(
        logits.double(), torch.tensor(expected["logits"], dtype=torch.float64), rtol=relative, atol=relative / 2
    )
