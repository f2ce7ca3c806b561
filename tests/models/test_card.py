from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import replace

import pytest

from forensic.errors import WeightsError
from forensic.models.card import (
    BFLOAT16_TOLERANCE,
    INT8_TOLERANCE,
    Card,
    Threshold,
    Training,
    Validated,
    card_from_toml,
    card_to_toml,
    digest,
    files_hash,
    sealed,
)


@pytest.fixture
def card() -> Card:
    return Card(
        preprocessing="tiles-128-v1",
        classes=("real", 'quote " and \\ and \u00e9', "[bold]"),
        real="real",
        threshold=Threshold(0.1 + 0.2, "by hand", ((4, 0.25), (20, -1.5))),
        training=Training(
            "somewhere", {"real": 3, 'quote " and \\ and \u00e9': 2, "[bold]": 1}, "ab" * 32, ("x.png: cut",)
        ),
        validated=Validated(("JPEG", "PNG"), (128, 640), (60, 100), 12, 3),
        architecture={"size": 128, "dropout": 0.2},
        recipe={"name": "forensic", "lr": 3e-4, "epochs": 12},
        metrics={"stored": {"auroc": {"value": 1 / 3, "low": 0.1, "high": 0.9}, "oscr": {"reason": "none"}}},
        tool="forensic 0.1.0",
        licence="Apache-2.0",
        limits="Two lines\nof text.",
        score="a scale",
    )


def test_there_and_back(card: Card) -> None:
    written = sealed(card, b"tensors")
    again = card_from_toml(card_to_toml(written), "x.toml")
    assert again == written
    assert again.hash == written.hash
    assert card_to_toml(again) == card_to_toml(written)
    assert again.short_hash == written.hash[:12]


def test_optional_parts_may_be_absent(card: Card) -> None:
    plain = replace(card, real="", threshold=Threshold(1.0, "x"), validated=replace(card.validated, jpeg_quality=None))
    assert card_from_toml(card_to_toml(sealed(plain, b"")), "x") == plain


def test_kind_of_score_is_written_where_older_cards_have_none(card: Card) -> None:
    assert "scorer" not in tomllib.loads(card_to_toml(card))
    assert card_from_toml(card_to_toml(sealed(card, b"")), "x").scorer == "sum"
    soft = replace(card, scorer="softmax")
    assert card_from_toml(card_to_toml(sealed(soft, b"")), "x") == sealed(soft, b"")


def test_hash_is_of_tensors_and_all_lines_but_its_own(card: Card) -> None:
    text = card_to_toml(sealed(card, b"tensors"))
    value = tomllib.loads(text)["hash"]
    assert digest(b"tensors", text) == value
    assert digest(b"tensorz", text) != value
    # the training data's hash is a line like the card's own, and counts
    assert digest(b"tensors", text.replace("ab" * 32, "ac" * 32)) != value
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        changed = "".join([*lines[:number], line[:-1] + " \n", *lines[number + 1 :]])
        own = line.startswith("hash = ") and number < 3
        assert (digest(b"tensors", changed) == value) == own or own


@pytest.mark.parametrize(("tiles", "value"), [(1, 0.5), (3, 0.5), (4, 0.25), (19, 0.25), (20, -1.5), (25, -1.5)])
def test_threshold_by_tiles(tiles: int, value: float) -> None:
    assert Threshold(0.5, "x", ((4, 0.25), (20, -1.5))).at(tiles) == value


@pytest.mark.parametrize(
    ("image_format", "width", "height", "quality", "inside"),
    [
        ("PNG", 128, 128, None, True),
        ("JPEG", 640, 448, 60, True),
        ("JPEG", 640, 448, 100, True),
        ("JPEG", 640, 448, 59, False),
        ("JPEG", 640, 448, None, False),
        ("WebP", 256, 256, None, False),
        ("PNG", 127, 300, None, False),
        ("PNG", 641, 300, None, False),
        (None, 256, 256, None, False),
    ],
)
def test_what_validation_covered(card: Card, image_format, width: int, height: int, quality, inside: bool) -> None:
    assert card.validated.covers(image_format, width, height, quality) is inside


def test_jpeg_of_any_quality_is_inside_where_the_card_states_no_range(card: Card) -> None:
    assert replace(card.validated, jpeg_quality=None).covers("JPEG", 640, 448, 5)


@pytest.mark.parametrize(("precision", "granted"), [("bfloat16", BFLOAT16_TOLERANCE), ("int8", INT8_TOLERANCE)])
def test_fewer_bits_are_granted_no_less_than_float32(card: Card, precision, granted: float) -> None:
    assert (card.tolerance_in("float32"), card.tolerance_in(precision)) == (card.tolerance, granted)
    assert replace(card, tolerance=0.5).tolerance_in(precision) == 0.5


def test_hash_of_files_does_not_depend_on_order() -> None:
    assert files_hash(["b", "a"]) == files_hash(["a", "b"]) != files_hash(["a"])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("format = 1", "format = 2", "has format 2; this version reads format 1"),
        ("format = 1\n", "", "has no format line"),
        ("format = 1", "format = ", "is no card"),
        ('tool = "forensic 0.1.0"\n', "", "lacks the field tool"),
        ("value = 0.30000000000000004", "value = nan", "finite number, got nan"),
        ("value = 0.30000000000000004", 'value = "high"', "expected a number, got 'high'"),
        ('real = "real"', 'real = "other"', "'other' is not among the classes"),
        ('    "[bold]",\n', '    "real",\n', "two or more different names"),
        ("tiles = 20", "tiles = 2", "by_tiles does not rise"),
        ("[validated]", "[validated_]", "lacks the field validated"),
    ],
)
def test_a_broken_card_is_refused_in_one_line(card: Card, old: str, new: str, told: str) -> None:
    text = card_to_toml(sealed(card, b""))
    assert old in text
    with pytest.raises(WeightsError, match=told) as caught:
        card_from_toml(text.replace(old, new, 1), "some.toml")
    assert str(caught.value).startswith("some.toml: ")
    assert "\n" not in str(caught.value)


def test_cards_need_no_torch() -> None:
    code = "import sys, forensic.models.card, forensic.models.weights; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
