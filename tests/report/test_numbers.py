from __future__ import annotations

import pytest

from forensic.report.numbers import told_apart


@pytest.mark.parametrize(
    ("score", "threshold", "expected"),
    [
        (1.0, 0.25, ("1.000", "0.250")),
        (0.25, 0.25, ("0.250", "0.250")),
        (0.24999, 0.25, ("0.24999", "0.25000")),
        (-1.5, -2.0, ("−1.500", "−2.000")),
        (1e-17, 0.0, ("1e−17", "0.0")),
    ],
)
def test_numbers_are_told_apart(score: float, threshold: float, expected: tuple[str, str]) -> None:
    assert told_apart(score, threshold) == expected
