"""Tiles keep the phase of the picture's corner; small sides are reflected; the paper's crop is the kernel's."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic.data.prepare import (
    GRID,
    PREPROCESSINGS,
    TILE,
    keeps_resolution,
    pad_to_tile,
    prepare,
    tile_origins,
)
from forensic.errors import Skipped, UsageError

sides = st.integers(TILE, 6000)


@settings(max_examples=300, deadline=None)
@given(sides, sides, st.integers(1, 40))
def test_origins_lie_on_the_grid_inside_and_within_the_number(height: int, width: int, most: int) -> None:
    origins = tile_origins(height, width, most)
    assert 1 <= len(origins) <= most
    assert origins.dtype == np.int64
    assert (origins % GRID == 0).all()
    assert (origins >= 0).all()
    assert (origins <= [height - TILE, width - TILE]).all()
    assert [tuple(o) for o in origins] == sorted({tuple(o) for o in origins})


@settings(max_examples=200, deadline=None)
@given(sides, sides)
def test_enough_tiles_reach_every_corner_within_a_step(height: int, width: int) -> None:
    origins = tile_origins(height, width, 10_000)
    assert tuple(origins[0]) == (0, 0)
    assert (origins[-1] + TILE > np.array([height, width]) - GRID).all()
    for axis, length in ((0, height), (1, width)):
        steps = np.diff(np.unique(origins[:, axis]))
        assert (steps <= TILE).all(), (length, steps)
        assert steps.size == 0 or steps.max() - steps.min() <= GRID


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [
        (128, 128, [0], [0]),
        (143, 143, [0], [0]),
        (144, 192, [0, 16], [0, 64]),
        (448, 640, [0, 112, 208, 320], [0, 128, 256, 384, 512]),
        (256, 128, [0, 128], [0]),
    ],
)
def test_grids_by_hand(height: int, width: int, rows: list[int], columns: list[int]) -> None:
    expected = [[row, column] for row in rows for column in columns]
    assert tile_origins(height, width, 25).tolist() == expected


def test_large_pictures_use_most_of_what_is_allowed() -> None:
    for height, width in [(3000, 4000), (4000, 3000), (1000, 9000), (128, 5000), (5000, 5000)]:
        assert 20 <= len(tile_origins(height, width, 25)) <= 25


def test_tiles_are_the_picture_at_their_origins(noise) -> None:
    pixels = noise(300, 450, 3)
    prepared = prepare(pixels, "tiles-128-v1")
    assert prepared.tiles.shape == (12, 3, TILE, TILE)
    assert prepared.tiles.dtype == np.uint8
    assert prepared.flags == ()
    for tile, (row, column) in zip(prepared.tiles, prepared.origins, strict=True):
        for channel in range(3):
            np.testing.assert_array_equal(tile[channel], pixels[row : row + 128, column : column + 128, channel])


def test_the_most_textured_tiles_are_kept_in_their_order(noise) -> None:
    pixels = np.full((512, 512, 3), 100, np.uint8)
    rough = [(0, 0), (0, 384), (128, 256), (256, 128), (384, 0), (384, 128), (384, 256), (384, 384)]
    for strength, (row, column) in enumerate(rough, start=1):
        pixels[row : row + 128, column : column + 128] += noise(128, 128, 3) % (4 * strength)
    prepared = prepare(pixels, "tiles-128-v2")
    assert prepared.origins.tolist() == [list(origin) for origin in rough]
    for tile, (row, column) in zip(prepared.tiles, rough, strict=True):
        np.testing.assert_array_equal(tile.transpose(1, 2, 0), pixels[row : row + 128, column : column + 128])


def test_of_equal_tiles_the_first_are_kept_and_few_are_all_kept() -> None:
    assert len(prepare(np.zeros((256, 512, 3), np.uint8), "tiles-128-v2").tiles) == 8
    flat = prepare(np.zeros((512, 512, 3), np.uint8), "tiles-128-v2")
    assert flat.origins.tolist() == [[row, column] for row in (0, 128) for column in (0, 128, 256, 384)]
    one = prepare(np.zeros((128, 128, 3), np.uint8), "tiles-128-v2")
    np.testing.assert_array_equal(one.tiles, prepare(np.zeros((128, 128, 3), np.uint8), "tiles-128-v1").tiles)


@pytest.mark.parametrize("shape", [(16, 16), (16, 400), (127, 128), (128, 127), (64, 48), (17, 19)], ids=str)
def test_small_sides_are_reflected_to_the_right_and_below(shape: tuple[int, int], noise) -> None:
    pixels = noise(*shape, 3)
    prepared = prepare(pixels, "tiles-128-v1")
    assert prepared.flags == ("small",)
    rows, columns = (max(TILE - side, 0) for side in shape)
    expected = np.pad(pixels, ((0, rows), (0, columns), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(pad_to_tile(pixels), expected)
    np.testing.assert_array_equal(prepared.tiles[0].transpose(1, 2, 0), expected[:TILE, :TILE])


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2, 130), (128, 128)], ids=str)
def test_padding_reaches_128_from_any_side(shape: tuple[int, int], noise) -> None:
    pixels = noise(*shape, 3)
    padded = pad_to_tile(pixels)
    assert padded.shape == (max(shape[0], TILE), max(shape[1], TILE), 3)
    np.testing.assert_array_equal(padded[: shape[0], : shape[1]], pixels)


@pytest.mark.parametrize("preprocessing", ["tiles-128-v2", "tiles-128-v1", "pose-128-v1"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (5000, 1), (15, 16), (16, 15)])
def test_below_16_is_skipped(height: int, width: int, preprocessing: str) -> None:
    with pytest.raises(Skipped, match=rf"^too small: {width}x{height}, least side is 16$"):
        prepare(np.zeros((height, width, 3), np.uint8), preprocessing)


def test_the_pictures_own_memory_is_not_written(noise) -> None:
    pixels = noise(40, 200, 3)
    before = pixels.copy()
    pixels.flags.writeable = False
    prepare(pixels, "tiles-128-v1")
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("shape", [(300, 450), (450, 300), (64, 64), (128, 128)], ids=str)
def test_the_papers_crop_is_pillows_bicubic_of_the_centre_square(shape: tuple[int, int], noise) -> None:
    from PIL import Image

    pixels = noise(*shape, 3)
    side = min(shape)
    top, left = (int(round((length - side) / 2.0)) for length in shape)  # noqa: RUF046 - torchvision's own rounding
    square = Image.fromarray(np.ascontiguousarray(pixels[top : top + side, left : left + side]))
    expected = np.asarray(square.resize((128, 128), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    prepared = prepare(pixels, "pose-128-v1")
    np.testing.assert_array_equal(prepared.tiles, expected[None])
    assert prepared.origins.tolist() == [[0, 0]]
    assert prepared.flags == (("small",) if side < 128 else ())


@pytest.mark.parametrize(
    ("preprocessing", "tiles", "recorded"),
    [
        ("tiles-128-v1", 10, "75237a50d6d97fe9"),
        ("tiles-128-v2", 8, "f8ffcf9b758e14cc"),
        ("pose-128-v1", 1, "598f6170047a037a"),
    ],
)
def test_tensor_of_a_tall_picture_is_the_recorded_one(preprocessing: str, tiles: int, recorded: str, noise) -> None:
    """imagehash 32, pillow_heif 489: the same file gave another hash after an update of a library."""
    prepared = prepare(noise(600, 150, 3), preprocessing)
    assert len(prepared.tiles) == tiles
    assert hashlib.sha256(np.ascontiguousarray(prepared.tiles).tobytes()).hexdigest()[:16] == recorded


def test_wrong_use_is_named(noise) -> None:
    with pytest.raises(UsageError, match="no such preprocessing"):
        prepare(noise(128, 128, 3), "tiles-256")
    with pytest.raises(ValueError, match="pixels must be uint8"):
        prepare(noise(128, 128, 4), "tiles-128-v1")
    with pytest.raises(ValueError, match="pixels must be uint8"):
        prepare(noise(128, 128, 3).astype(np.float32), "tiles-128-v1")
    with pytest.raises(ValueError, match="max_tiles"):
        prepare(noise(128, 128, 3), "tiles-128-v1", max_tiles=0)


def test_a_part_of_a_picture_gives_tiles_of_the_whole_or_must_not_be_taken() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    for name in PREPROCESSINGS:
        whole = {tile.tobytes() for tile in prepare(pixels, name).tiles}
        assert keeps_resolution(name) == ({tile.tobytes() for tile in prepare(pixels[:128], name).tiles} <= whole)
