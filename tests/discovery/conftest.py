from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from forensic.case.ledger import open_case
from forensic.case.places import Places
from forensic.discovery.run import Discovery, discover
from forensic.discovery.space import load_whitening
from forensic.scan.plan import ScanPlan
from forensic.scan.run import run


@pytest.fixture
def folder(tmp_path: Path, samples: Path) -> Path:
    """Twelve sample pictures of three sources."""
    made = tmp_path / "in"
    made.mkdir()
    for name in ("real", "esrgan_slim_x2", "ae_ps4_d1_s0", "ae_bilinear_d1_s0", "ae_ct2bn_d1_s0", "realcugan_se_x2"):
        for path in samples.glob(f"{name}-*.png"):
            shutil.copyfile(path, made / path.name)
    return made


@pytest.fixture
def rejecting(comparing_weights: Path) -> Callable[[Path, Path], Path]:
    """`rejecting(folder, case)`: a case that rejected everything in the folder; nothing with another threshold."""

    def call(scanned: Path, case: Path, threshold: float = 1e9) -> Path:
        plan = ScanPlan(paths=(os.fsencode(scanned),), weights=comparing_weights, threshold=threshold, case=case)
        with closing(run(plan)) as events:
            assert list(events)
        return case

    return call


@pytest.fixture
def discovered(comparing_weights: Path) -> Callable[..., Discovery]:
    """`discovered(case, evidence, k=3)`."""
    card, whitening = load_whitening(comparing_weights)

    def call(case: Path, evidence: tuple[str, ...] = (), **options) -> Discovery:
        with open_case(case) as stored:
            return discover(stored, Places(stored, evidence), whitening, card.preprocessing, **options)

    return call
