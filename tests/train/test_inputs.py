"""What a run learns from: every class there, batches in their order, the layout's preprocessing or another."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forensic.data.cache import TrainingImages
from forensic.data.loader import BatchLoader, Reencoding
from forensic.errors import MachineError, MissingError
from forensic.train.events import Event, ImageRead, Remark
from forensic.train.inputs import read_inputs, read_run_layout
from forensic.train.run_folder import RunConfig


def silent(_: Event) -> None:
    """Nobody looks."""


def test_every_file_is_told_in_order(tiny_config: RunConfig) -> None:
    events: list[Event] = []
    read_inputs(tiny_config, read_run_layout(tiny_config), events.append)
    assert events == [ImageRead(n, 15, None) for n in range(1, 16)]


def test_batches_are_balanced_and_resume_where_asked(tiny_config: RunConfig) -> None:
    inputs = read_inputs(tiny_config, read_run_layout(tiny_config), silent)
    recipe = replace(tiny_config.recipe, passes=2)
    batches = list(inputs.batches(1, recipe))
    assert len(batches) == inputs.batches_per_epoch(recipe) == 6
    assert [len(labels) for _, labels in batches] == [6, 6, 3, 6, 6, 3]
    assert all(labels.tolist() == [0, 1, 2] * (len(labels) // 3) for _, labels in batches)
    rest = list(inputs.batches(1, recipe, first=4))
    assert [np.array_equal(a[0], b[0]) for a, b in zip(batches[4:], rest, strict=True)] == [True, True]


def test_epochs_differ(tiny_config: RunConfig) -> None:
    inputs = read_inputs(tiny_config, read_run_layout(tiny_config), silent)
    first, second = (next(inputs.batches(epoch, tiny_config.recipe))[0] for epoch in (0, 1))
    assert not np.array_equal(first, second)


def test_batches_left_early_leave_no_thread(tiny_config: RunConfig) -> None:
    inputs = read_inputs(tiny_config, read_run_layout(tiny_config), silent)
    batches = inputs.batches(0, tiny_config.recipe)
    next(batches)
    batches.close()  # type: ignore[attr-defined]  # a generator, promised as an iterator
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("next-batch")]


def test_an_image_that_went_away_stops_the_batch_that_has_it(tiny_config: RunConfig, tiny_data: Path) -> None:
    inputs = read_inputs(tiny_config, read_run_layout(tiny_config), silent)
    images = replace_pixels(inputs.images, tiny_data / "nothing.png")
    broken = replace(
        inputs, loader=BatchLoader(images, 0, tiny_config.recipe.architecture.size, Reencoding(0, 60, 100))
    )
    with pytest.raises(MachineError, match="can not be read any more"):
        list(broken.batches(0, tiny_config.recipe))


def replace_pixels(images: TrainingImages, path: Path) -> TrainingImages:
    """The same images, the last of them out of memory and at a path where nothing is."""
    last = replace(images.records[-1], sample=replace(images.records[-1].sample, path=path))
    kept = [images[index] for index in range(len(images) - 1)]
    return TrainingImages([*images.records[:-1], last], [*kept, None], "pose-128-v1")


def test_class_without_a_usable_image_is_named(tiny_config: RunConfig, tiny_data: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    for path in (data / "train" / "stripes").iterdir():
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
    config = replace(tiny_config, data=str(data))
    with pytest.raises(MissingError, match="class stripes"):
        read_inputs(config, read_run_layout(config), silent)


def test_preprocessing_takes_the_place_of_the_layouts(tiny_config: RunConfig) -> None:
    config = replace(tiny_config, preprocessing="pose-128-v1")
    assert read_run_layout(config).preprocessing == "pose-128-v1"
    assert read_inputs(config, read_run_layout(config), silent).layout.preprocessing == "pose-128-v1"


def test_second_run_finds_its_images_decoded(
    tiny_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = read_run_layout(tiny_config)
    plain = read_inputs(tiny_config, layout, silent)
    first = read_inputs(tiny_config, layout, silent, tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 3  # train, val, val_unseen
    monkeypatch.setattr("forensic.data.decode.decode", None)
    second = read_inputs(tiny_config, layout, silent, tmp_path / "kept")
    for inputs in (first, second):
        assert inputs.images.hashes == plain.images.hashes
        for one, other in zip(inputs.batches(0, tiny_config.recipe), plain.batches(0, tiny_config.recipe), strict=True):
            assert np.array_equal(one[0], other[0])


@pytest.mark.parametrize("place", ["", "kept", ".."])
def test_nothing_is_kept_in_or_beside_the_data(
    tiny_config: RunConfig, tiny_data: Path, tmp_path: Path, place: str
) -> None:
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    config = replace(tiny_config, data=str(data))
    before = sorted(tmp_path.rglob("*"))
    events: list[Event] = []
    read_inputs(config, read_run_layout(config), events.append, data / place)
    assert sorted(tmp_path.rglob("*")) == before
    assert [event.text for event in events if isinstance(event, Remark)] == [
        f"{data / place}: lies in or beside the data; decoded images are kept in memory alone"
    ]


def test_osmas_subset_is_not_trained_on(tiny_config: RunConfig, tmp_path: Path) -> None:
    lists = tmp_path / "subset_annotations"
    lists.mkdir()
    (lists / "test.txt").write_text("./dataset/OSMA/real/a b.png\t0\n")
    with pytest.raises(MissingError, match="is OSMA's subset for evaluation, which has no training images"):
        read_run_layout(replace(tiny_config, data=str(tmp_path)))
    lists.rename(tmp_path / "old")
    (tmp_path / "classes.yaml").write_text("known: [real, gan]")
    with pytest.raises(MissingError, match=r"\(osma-mini\) has no training images"):
        read_run_layout(replace(tiny_config, data=str(tmp_path)))
