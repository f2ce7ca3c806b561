from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from forensic.data.layouts import Layout, load_image
from forensic.data.prepare import prepare
from forensic.errors import MissingError, UsageError
from forensic.evaluate.images import attribute, select
from forensic.models.predict import Predictor
from forensic.models.weights import Weights


def sources(samples) -> list[str]:
    return sorted({sample.source for sample in samples})


def test_test_and_validation_images(layout: Layout) -> None:
    on_test = select(layout, layout.classes)
    assert on_test.known == layout.test
    assert on_test.unknown == layout.unseen
    on_val = select(layout, layout.classes, on="val")
    assert on_val.known == layout.val
    assert on_val.unknown == {"val_unseen": layout.val_unseen}


def test_labels_are_those_of_the_weights(layout: Layout) -> None:
    turned = (*layout.classes[::-1], "one more")
    for sample in select(layout, turned).known:
        assert turned[sample.label] == sample.source


def test_a_class_that_the_weights_do_not_know(layout: Layout) -> None:
    with pytest.raises(MissingError, match="known class realcugan_se_x2, which these weights do not know"):
        select(layout, layout.classes[:-1])


def test_other_unknowns_and_other_photographs(layout: Layout, tmp_path: Path) -> None:
    image = layout.test[0].path
    for folder in ("mine/gan", "mine/diffusion", "raw/deep"):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(image, tmp_path / folder / "x.png")
    found = select(layout, layout.classes, unseen=tmp_path / "mine", real=tmp_path / "raw")
    assert list(found.unknown) == ["mine"]
    assert sources(found.unknown["mine"]) == ["diffusion", "gan"]
    real = [sample for sample in found.known if sample.label == 0]
    assert [sample.path for sample in real] == [tmp_path / "raw" / "deep" / "x.png"]
    assert len(found.known) - 1 == len([sample for sample in layout.test if sample.label != 0])


def test_what_can_not_be_selected(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="holds no images"):
        select(layout, layout.classes, real=tmp_path)
    renamed = replace(layout, classes=("photographs", *layout.classes[1:]))
    with pytest.raises(UsageError, match="no class `real`"):
        select(renamed, renamed.classes, real=tmp_path)
    with pytest.raises(UsageError, match="a group may not be called `all`"):
        select(replace(layout, unseen={"all": layout.unseen["seed"]}), layout.classes)


def test_an_image_passes_as_in_a_scan(layout: Layout, tiny: Weights) -> None:
    predictor = Predictor(tiny)
    (found,), left_out = attribute(tiny, predictor, layout.test[:1])
    expected = tiny.scorer(*predictor(prepare(load_image(layout.test[0]), "tiles-128-v1").tiles))
    assert (found.label, found.score) == (expected.label, expected.score)
    assert found.accepted == (expected.score >= tiny.card.threshold.value)
    assert left_out == []


def test_reencoding_is_jpeg_420(layout: Layout, tiny: Weights) -> None:
    predictor = Predictor(tiny)
    pixels = load_image(layout.test[0])
    settings = [cv2.IMWRITE_JPEG_QUALITY, 60, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x221111]
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], settings)
    again = np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])
    expected = tiny.scorer(*predictor(prepare(again, "tiles-128-v1").tiles))
    (found,), _ = attribute(tiny, predictor, layout.test[:1], jpeg=60)
    assert found.score == expected.score


def test_damaged_and_missing_images_are_left_out_with_a_reason(layout: Layout, tiny: Weights, tmp_path: Path) -> None:
    cut, absent, small = tmp_path / "cut.png", tmp_path / "absent.png", tmp_path / "small.png"
    cut.write_bytes(layout.test[0].path.read_bytes()[:-300])
    assert cv2.imwrite(str(small), np.zeros((5, 300, 3), np.uint8))
    samples = tuple(replace(layout.test[0], path=path) for path in (cut, absent, small)) + layout.test[:1]
    seen = []
    found, left_out = attribute(tiny, Predictor(tiny), samples, on_image=lambda: seen.append(1))
    assert [entry.sample for entry in found] == [layout.test[0]]
    assert [entry.path for entry in left_out] == [str(cut), str(absent), str(small)]
    assert left_out[1].reason == "No such file or directory"
    assert left_out[2].reason.startswith("too small")
    assert len(seen) == 4
