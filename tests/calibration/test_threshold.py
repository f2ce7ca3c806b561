from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic.calibration.threshold import choose_threshold, threshold_keeping

scores = st.lists(st.integers(-4, 8).map(float), min_size=1, max_size=25)


def shares(known, unknown, threshold: float) -> tuple[float, float]:
    return float(np.mean(np.array(known) >= threshold)), float(np.mean(np.array(unknown) < threshold))


def test_separated_sides_are_parted_in_the_middle() -> None:
    chosen = choose_threshold([3.0, 4.0, 5.0], [0.0, 1.0])
    assert (chosen.value, chosen.known_accepted, chosen.unknown_rejected) == (2.0, 1.0, 1.0)


@given(scores, scores)
@settings(max_examples=80, deadline=None)
def test_no_cut_does_better(known, unknown) -> None:
    chosen = choose_threshold(known, unknown, least_known_accepted=0.8)
    assert (chosen.known_accepted, chosen.unknown_rejected) == pytest.approx(shares(known, unknown, chosen.value))
    assert chosen.known_accepted >= 0.8
    for cut in np.arange(-4.25, 8.5, 0.25):
        accepted, rejected = shares(known, unknown, cut)
        if accepted >= 0.8:
            assert accepted + rejected <= chosen.known_accepted + chosen.unknown_rejected + 1e-12


@pytest.mark.parametrize("n", [1, 19, 20, 100, 210])
def test_without_unknown_images_one_in_twenty_is_given_up(n: int) -> None:
    known = np.arange(n, dtype=float)
    chosen = choose_threshold(known, [])
    assert chosen.unknown_rejected is None
    assert (known < chosen.value).sum() == n // 20
    assert chosen.known_accepted == pytest.approx(1 - (n // 20) / n)
    assert "no unknown images" in chosen.chosen_by


def test_neighbouring_floats_are_parted() -> None:
    low = 1.0
    high = float(np.nextafter(low, 2))
    chosen = choose_threshold([high], [low])
    assert (chosen.known_accepted, chosen.unknown_rejected) == (1.0, 1.0)
    assert high >= chosen.value > low


def test_all_equal_accepts_all() -> None:
    chosen = choose_threshold([1.0, 1.0], [1.0])
    assert (chosen.known_accepted, chosen.unknown_rejected) == (1.0, 0.0)


@pytest.mark.parametrize(("known", "unknown"), [([], [1.0]), ([np.nan], [1.0]), ([1.0], [np.inf])])
def test_nothing_to_choose_from(known, unknown) -> None:
    with pytest.raises(ValueError, match="known"):
        choose_threshold(known, unknown)


@pytest.mark.parametrize(
    ("share", "value", "kept"),
    [(1.0, 1.0, 1.0), (0.95, 1.5, 0.95), (0.9, 2.5, 0.9), (0.901, 1.5, 0.95), (0.5, 10.5, 0.5)],
)
def test_a_stated_share_of_photographs_is_kept(share, value, kept) -> None:
    chosen = threshold_keeping(np.arange(1.0, 21.0), share)
    assert (chosen.value, chosen.known_accepted, chosen.unknown_rejected) == (value, pytest.approx(kept), None)


def test_photographs_that_tie_stay_together() -> None:
    chosen = threshold_keeping([1.0, 1.0, 2.0, 3.0], 0.75)
    assert (chosen.value, chosen.known_accepted) == (1.0, 1.0)


@pytest.mark.parametrize(("known", "share"), [([], 0.9), ([np.inf], 0.9), ([1.0], 0.0), ([1.0], 1.1)])
def test_what_is_no_share_is_refused(known, share) -> None:
    with pytest.raises(ValueError, match="expected"):
        threshold_keeping(known, share)
