"""The recipe: its way to TOML and back, and what it refuses."""

from __future__ import annotations

import re
import tomllib
from dataclasses import astuple, fields, replace
from pathlib import Path

import pytest
import tomli_w

from forensic.errors import UsageError
from forensic.models.feature_extractor import Architecture
from forensic.train import config
from forensic.train.config import (
    PAPER,
    RECIPES,
    Recipe,
    changed_fields,
    find_recipe,
    recipe_from_dict,
    recipe_to_dict,
    set_field,
)


def test_round_trip_through_toml() -> None:
    recipe = Recipe(epochs=7, lr=1e-4, architecture=Architecture(neck="pool", width=32))
    assert recipe_from_dict(tomllib.loads(tomli_w.dumps(recipe_to_dict(recipe)))) == recipe


def test_absent_fields_keep_their_default() -> None:
    assert recipe_from_dict({"lr": 1e-4}) == replace(Recipe(), lr=1e-4)


def test_whole_numbers_pass_for_floats() -> None:
    assert recipe_from_dict({"metric_weight": 2}).metric_weight == 2.0


@pytest.mark.parametrize(
    ("assignment", "name", "value"),
    [("epochs=20", "epochs", 20), ("lr = 1e-4", "lr", 1e-4), ("schedule=step", "schedule", "step")],
)
def test_set_field(assignment: str, name: str, value: object) -> None:
    assert getattr(set_field(Recipe(), assignment), name) == value


def test_set_field_of_the_architecture() -> None:
    assert set_field(Recipe(), "architecture.neck=flatten").architecture.neck == "flatten"


@pytest.mark.parametrize(
    "assignment",
    [
        "epochs",
        "epochs=",
        "epochs=1.5",
        "epochs=0",
        "nothing=1",
        "architecture.nothing=1",
        "architecture=1",
        "schedule=sometimes",
        "architecture.neck=none",
        "jpeg_share=1.5",
        "jpeg_quality_min=0",
        "augmenter_kernel=4",
        "augmenter_depth=5",
        "augmenter_activation=gelu",
        "architecture.size=100",
        "lr=nan",
    ],
)
def test_what_does_not_fit_is_named(assignment: str) -> None:
    with pytest.raises(UsageError) as caught:
        set_field(Recipe(), assignment)
    assert assignment.partition("=")[0] in str(caught.value)


def test_changed_fields_rebuild_the_recipe() -> None:
    recipe = Recipe(epochs=3, architecture=Architecture(width=8))
    assert changed_fields(recipe, Recipe()) == [("epochs", 3), ("architecture.width", 8)]
    again = Recipe()
    for name, value in changed_fields(recipe, Recipe()):
        again = set_field(again, f"{name}={value}")
    assert again == recipe


def test_every_field_gives_its_reason() -> None:
    lines = Path(config.__file__).read_text(encoding="utf-8").split("\n")
    for field in fields(Recipe):
        if field.name != "name":
            at = next(n for n, line in enumerate(lines) if line.startswith(f"    {field.name}: "))
            assert lines[at + 1].startswith('    """'), field.name


@pytest.mark.parametrize(
    "assignment",
    ["lr=inf", "weight_decay=-1", "weight_decay=inf", "metric_weight=nan", "closeness_limit=inf", "gradient_clip=-1",
     "warmup_steps=-3", "augmenter_warmup_steps=-1", "architecture.size=64"],
)  # fmt: skip
def test_values_that_would_end_a_run_later_are_refused_at_once(assignment: str) -> None:
    with pytest.raises(UsageError, match=assignment.partition("=")[0]):
        set_field(Recipe(), assignment)


@pytest.mark.parametrize("name", RECIPES)
def test_named_recipes_go_through_toml(name: str) -> None:
    assert recipe_from_dict(tomllib.loads(tomli_w.dumps(recipe_to_dict(RECIPES[name])))) == RECIPES[name]
    assert RECIPES[name].name == name


def test_a_file_that_names_a_recipe_begins_with_it() -> None:
    assert recipe_from_dict({"name": "paper", "lr": 3e-4}) == replace(PAPER, lr=3e-4)


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(UsageError, match="recipe pose: is not known"):
        find_recipe("pose")


def test_names_are_chosen_not_set() -> None:
    with pytest.raises(UsageError, match="--recipe"):
        set_field(Recipe(), "name=paper")


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False)])
def test_yes_and_no(text: str, value: bool) -> None:
    assert set_field(Recipe(), f"double_softmax={text}").double_softmax is value
    with pytest.raises(UsageError, match="true or false"):
        set_field(Recipe(), "double_softmax=perhaps")


def test_every_row_of_the_differences_stands_in_the_document() -> None:
    """docs/fidelity.md has the table by letters, and names only fields that exist."""
    text = (Path(config.__file__).parents[2] / "docs" / "fidelity.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z]{1,2}) \|", text, re.MULTILINE)
    letters = [chr(ord("A") + n) for n in range(26)]
    assert rows == [*letters, *(f"A{letter}" for letter in "ABCDEFG")]
    names = {field.name for field in fields(Recipe)} | {f"architecture.{f.name}" for f in fields(Architecture)}
    table = text[text.index("| A |") :]
    for name in re.findall(r"`([a-z_.]+)=", table):
        assert name in names, name


def test_the_augmenters_shape_is_the_recipes() -> None:
    recipe = Recipe(augmenter_channels=8, augmenter_kernel=5, augmenter_depth=3, augmenter_activation="tanh")
    assert astuple(recipe.augmenter_shape) == (8, 5, 3, "tanh", "none")
    assert Recipe().augmenter_shape.is_standard


@pytest.mark.parametrize("other", [{"augmenter_depth": 1}, {"augmenter_kernel": 1}])
def test_down_and_up_needs_two_convolutions_that_overlap(other: dict) -> None:
    with pytest.raises(UsageError, match="augmenter_resampling"):
        Recipe(augmenter_resampling="down-up", **other)
