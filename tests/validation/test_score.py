from __future__ import annotations

import hashlib

import pytest

from forensic.data.sample import Sample
from forensic.scan.run import scan_images
from forensic.validation.score import score_pictures


def test_scores_are_those_of_a_scan(samples, hostile, tiny, tiny_weights) -> None:
    paths = [samples / "real-00006.png", samples / "full" / "real-2.png", hostile / "jpeg-ok-control.jpg"]
    found, left_out = score_pictures(tiny, [Sample(path, 0, "real") for path in paths])
    findings = {f.path.rpartition("/")[2]: f for f in scan_images(paths, tiny_weights, engine="torch")}
    assert left_out == []
    for one, path in zip(found, paths, strict=True):
        finding = findings[path.name]
        assert one.picture.score == finding.score
        assert tiny.card.classes[one.picture.best] == finding.nearest
        assert one.picture.sha256 == finding.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        condition = one.picture.condition
        assert (condition.format, condition.width, condition.height) == (finding.format, finding.width, finding.height)
    assert [one.picture.condition.jpeg_quality is None for one in found] == [True, True, False]
    assert found[1].picture.condition.tiles > 1


def test_a_picture_without_a_score_is_named(hostile, tmp_path, tiny) -> None:
    paths = [hostile / "jpeg-truncated-half.jpg", tmp_path / "absent.png", hostile / "jpeg-ok-control.jpg"]
    told = []
    found, left_out = score_pictures(tiny, [Sample(p, 0, "real") for p in paths], on_picture=lambda: told.append(1))
    assert len(found) == 1
    assert [entry.path for entry in left_out] == [str(path) for path in paths[:2]]
    assert "truncated" in left_out[0].reason
    assert len(told) == 3


@pytest.mark.parametrize("photo", [None, "p1"])
def test_the_unit_is_the_photograph_or_the_file(samples, tiny, photo) -> None:
    found, _ = score_pictures(tiny, [Sample(samples / "real-00006.png", 0, "real", photo=photo)])
    assert found[0].picture.unit == (photo or found[0].picture.sha256)
