from __future__ import annotations

from forensic.metrics.measure import Interval, Measure


def test_a_measure_has_a_value_or_a_reason() -> None:
    assert Measure(0.5) == (0.5, None)
    assert Measure(None, "no unknown images").value is None
    assert Interval(0.1, 0.2).reason is None
