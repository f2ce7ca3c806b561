from __future__ import annotations

from pathlib import Path

import pytest

from forensic.models.card import Card
from forensic.models.verification import Verification
from forensic.models.weights import load_verification


@pytest.fixture(scope="session")
def comparing(comparing_weights: Path) -> tuple[Card, Verification]:
    """Card and comparison of weights on the stand-in."""
    return load_verification(comparing_weights)
