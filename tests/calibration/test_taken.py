"""What thresholds do with images of unknown generators, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from forensic.calibration.pictures import Condition, Picture
from forensic.calibration.taken import Taken, taken_of

PNG = Condition("PNG", 128, 128, 1)


def picture(source: str, *scores: float) -> Picture:
    digest = f"{source} {scores}"
    return Picture(digest, digest, source, -1, int(np.argmax(scores)), np.array(scores), PNG)


PICTURES = [
    picture("g1", 2.0, 1.0),  # the score reaches the threshold of class 0
    picture("g0", 1.0, 0.0),  # as large as it
    picture("g0", 0.5, 0.9),  # class 1, below its threshold although class 0 is not
    picture("g0", 0.0, 3.0),
    picture("g0", -1.0, -2.0),
]


def test_shares_by_hand() -> None:
    found = taken_of(PICTURES, [1.0, 2.0], 0)
    assert found == {"g0": Taken(4, 2 / 4, 1 / 4), "g1": Taken(1, 1.0, 1.0)}
    assert list(found) == ["g0", "g1"]
    assert taken_of(PICTURES[::-1], [1.0, 2.0], 0) == found
    assert taken_of(PICTURES, [1.0, 2.0], None)["g0"] == Taken(4, 2 / 4, 0.0)


def test_nothing_is_counted_where_a_threshold_is_not_known() -> None:
    assert taken_of(PICTURES, [1.0, None], 0) == {}
    assert taken_of(PICTURES[:1], [1.0, None], 0) == {"g1": Taken(1, 1.0, 1.0)}
    assert taken_of([], [1.0, 2.0], 0) == {}


def test_a_calibration_counts_at_its_own_thresholds(make_pictures, make_calibration) -> None:
    made = make_calibration(unknown_mean=2.0)
    _, unknown = make_pictures(unknown_mean=2.0)
    thresholds = [one.threshold for one in made.classes.values()]
    for name, one in made.taken.items():
        own = [p for p in unknown if p.source == name]
        passed = [p for p in own if p.score >= thresholds[p.best]]
        assert one.images == made.generators[name] == len(own)
        assert one.known == pytest.approx(len(passed) / len(own))
        assert one.real == pytest.approx(sum(p.best == 0 for p in passed) / len(own))
    assert 0 < sum(one.real for one in made.taken.values()) < sum(one.known for one in made.taken.values())
    assert make_calibration(known_alone=True).taken == {}
