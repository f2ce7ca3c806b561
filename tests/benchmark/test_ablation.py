"""The rows: each is a recipe of its own, and all are as long."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensic.benchmark.ablation import ROWS, Row, augmenters_of, find_rows, recipe_of, steps_per_epoch
from forensic.data.sample import Layout, Sample
from forensic.errors import UsageError
from forensic.models.score_kinds import KINDS
from forensic.train.config import RECIPES, Recipe, changed_fields


def layout(*sizes: int) -> Layout:
    train = [Sample(Path(f"{label}-{place}"), label, "x") for label, size in enumerate(sizes) for place in range(size)]
    return Layout("made", Path(), tuple(map(str, range(len(sizes)))), "tiles-128-v1", train=tuple(train))


OSMA_MINI = layout(*[150] * 7)


def test_names_are_unlike_and_fit_a_folder() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", name) for name in names)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_sets_its_fields_and_nothing_else(row: Row) -> None:
    start = RECIPES[row.recipe] if row.recipe else Recipe()
    recipe = recipe_of(row, Recipe(), OSMA_MINI, 150)
    changed = {name for name, _ in changed_fields(recipe, start)} - {"score", "epochs"}
    assert changed == {field.partition("=")[0] for field in row.fields} - {"score"}
    assert recipe.score == (row.name.removeprefix("score-") if row.name.startswith("score-") else "traces")
    assert recipe.epochs * steps_per_epoch(recipe, OSMA_MINI) == 152


def test_no_two_rows_are_the_same_run() -> None:
    recipes = [recipe_of(row, Recipe(), OSMA_MINI, 150) for row in ROWS]
    assert all(one != other for place, one in enumerate(recipes) for other in recipes[:place])


def test_the_parts_of_the_method_and_the_shapes_of_the_augmenter_are_there() -> None:
    recipes = {row.name: recipe_of(row, Recipe(), OSMA_MINI, 150) for row in ROWS}
    assert {recipe.augmenter_depth for recipe in recipes.values()} == {1, 2, 3, 4}
    assert {recipe.augmenter_kernel for recipe in recipes.values()} == {1, 3, 5, 7}
    assert {recipe.augmenters for recipe in recipes.values()} == {"progressive", "joint", "none"}
    assert {recipe.architecture.input_transform for recipe in recipes.values()} == {"log-dct", "dct", "rgb"}
    assert recipes["base-am"].diversity_weight == recipes["base-am"].closeness_weight == 0
    assert {recipe.score for recipe in recipes.values()} == set(KINDS)
    assert recipes["pose"].augmented_items == recipes["pose"].batch_items


def test_fields_of_a_row_win_over_the_base_recipe() -> None:
    base = replace(Recipe(), augmenter_depth=4, margin=0.1)
    recipe = recipe_of(find_rows("depth-1")[0], base, OSMA_MINI, 150)
    assert (recipe.augmenter_depth, recipe.margin) == (1, 0.1)


@given(size=st.integers(1, 400), items=st.integers(1, 20), passes=st.integers(1, 3), steps=st.integers(1, 2000))
def test_epochs_come_as_near_to_the_steps_as_whole_ones_can(size: int, items: int, passes: int, steps: int) -> None:
    base, images = Recipe(batch_items=items, passes=passes), layout(size, max(1, size // 2))
    recipe = recipe_of(find_rows("base")[0], base, images, steps)
    an_epoch = steps_per_epoch(recipe, images)
    assert an_epoch == passes * -(-size // items)
    assert recipe.epochs == 1 or abs(recipe.epochs * an_epoch - steps) * 2 <= an_epoch


def test_number_of_augmenters() -> None:
    count: Callable[..., int] = lambda **fields: augmenters_of(Recipe(epochs=5, joint_augmenters=3, **fields))  # noqa: E731 - a name for three calls
    assert (count(), count(augmenters="joint"), count(augmenters="none")) == (5, 3, 0)


def test_rows_come_in_the_order_of_the_table() -> None:
    assert [row.name for row in find_rows(" joint, base ")] == ["base", "joint"]
    assert find_rows(None) == ROWS


@pytest.mark.parametrize(("names", "told"), [("base,nothing", "--only nothing"), (",", "names no row")])
def test_a_row_that_is_not_there_is_named(names: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        find_rows(names)
