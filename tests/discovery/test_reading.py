"""What is gathered: only the rejected, at the places that their own pixels give."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from forensic.case.ledger import open_case
from forensic.case.places import Places
from forensic.data.decode import decode
from forensic.data.look import look
from forensic.data.prepare import prepare
from forensic.discovery.reading import gather
from forensic.discovery.space import load_whitening
from forensic.scan.plan import ScanPlan
from forensic.scan.run import run
from forensic.traces.features import trace_features


def test_places_and_looks_are_those_of_the_pixels(folder, tmp_path, rejecting, comparing_weights) -> None:
    card, whitening = load_whitening(comparing_weights)
    done: list[None] = []
    with open_case(rejecting(folder, tmp_path / "a.case")) as case:
        found = gather(case, Places(case), whitening, card.preprocessing, on_file=lambda: done.append(None))
    assert [image.sha256 for image in found.images] == sorted(image.sha256 for image in found.images)
    assert (len(found.images), len(done), found.left_out) == (12, 12, [])
    for image, place in zip(found.images, found.places, strict=True):
        pixels = decode(Path(os.fsdecode(image.opened)).read_bytes(), name="a.png").pixels
        tiles = prepare(pixels, card.preprocessing).tiles
        traces = trace_features(torch.from_numpy(tiles)).numpy().mean(axis=0)
        expected = (traces.astype(np.float64) - whitening.offset) @ whitening.whitening
        np.testing.assert_allclose(place, expected, rtol=1e-3, atol=1e-3)
        assert image.look == look(pixels)


def test_what_was_known_is_not_read(folder, tmp_path, comparing_weights) -> None:
    card, whitening = load_whitening(comparing_weights)

    def scanned(case, threshold: float) -> None:
        plan = ScanPlan(paths=(os.fsencode(folder),), weights=comparing_weights, threshold=threshold, case=case)
        with closing(run(plan)) as events:
            assert list(events)

    scanned(tmp_path / "all.case", 1e9)
    with open_case(tmp_path / "all.case") as case:
        scores = sorted(finding.score for finding, _ in case.paged_lines())
    scanned(tmp_path / "some.case", scores[5])
    with open_case(tmp_path / "some.case") as case:
        rejected = {finding.sha256 for finding, _ in case.paged_lines() if finding.verdict == "unknown"}
        for path in folder.iterdir():
            if any(path.name in finding.path for finding, _ in case.paged_lines() if finding.verdict == "known"):
                path.unlink()
        found = gather(case, Places(case), whitening, card.preprocessing)
    assert 0 < len(rejected) < 12
    assert {image.sha256 for image in found.images} == rejected
    assert found.left_out == []
    assert found.findings == len(rejected)
