"""What is kept comes back, and no more is kept than is said."""

from __future__ import annotations

import numpy as np
import pytest

from forensic.models.enrolment import PER_SOURCE, Enrolment, enrolment_from_tensors, fit_enrolment, images_from_tensors
from forensic.models.measures import Judged
from forensic.models.scorer import Scored

D = 5


def judged(draws: np.random.Generator, source: str, label: int, count: int, form: str = "stored") -> list[Judged]:
    return [
        Judged(
            form,
            label,
            source,
            f"{source}-{number}",
            1 + number % 3,
            Scored(number % 2, number / 7, np.zeros(2)),
            draws.normal(number, 1, D + 900).astype(np.float32),
            whole=number == 0,
        )
        for number in range(count)
    ]


@pytest.fixture
def images(seeded) -> list[Judged]:
    draws = seeded(1)
    return [*judged(draws, "a", 0, 3), *judged(draws, "b", 1, 90), *judged(draws, "c", -1, 2, "jpeg")]


@pytest.fixture
def made(seeded, images: list[Judged]) -> Enrolment:
    labels = np.repeat([0, 1], 6)
    return fit_enrolment(seeded(2).normal(0, 1, (12, D + 900)), labels, 2, images)


def test_images_come_back(made: Enrolment, images: list[Judged]) -> None:
    found = made.images.judged(made.whitening.offset)
    # whole pictures are counted apart
    assert [one.label for one in found] == [0] * 3 + [1] * (PER_SOURCE + 1) + [-1] * 2
    first, last = found[1], found[-1]
    for one, other in ((first, images[1]), (last, images[-1])):
        assert (one.form, one.label, one.tiles, one.whole) == (other.form, other.label, other.tiles, other.whole)
        assert (one.scored.label, one.scored.score) == (other.scored.label, other.scored.score)
        np.testing.assert_allclose(one.features, other.features[D:], atol=0.1, rtol=1e-3)
    assert len({one.source for one in found}) == 3
    assert len({one.photo for one in found}) == len(found)
    kept = [one.scored.score for one in found if one.label == 1 and not one.whole]
    assert kept == sorted(kept)
    assert kept[-1] > 80 / 7  # evenly taken, not the first ones


def test_tensors_come_back(made: Enrolment) -> None:
    again = enrolment_from_tensors(made.tensors(), 2)
    for name, value in made.tensors().items():
        np.testing.assert_array_equal(again.tensors()[name], value)
    np.testing.assert_array_equal(again.whitening.whitening, made.whitening.whitening)


def test_what_does_not_fit(made: Enrolment) -> None:
    tensors = made.tensors()
    with pytest.raises(ValueError, match=r"means: expected \(3, 900\)"):
        enrolment_from_tensors(tensors, 3)
    with pytest.raises(ValueError, match="about: missing"):
        enrolment_from_tensors({name: value for name, value in tensors.items() if name != "about"}, 2)
    with pytest.raises(ValueError, match="more: unexpected"):
        enrolment_from_tensors(tensors | {"more": tensors["about"]}, 2)
    with pytest.raises(ValueError, match="about: a value is out of range"):
        enrolment_from_tensors(tensors | {"about": tensors["about"] + 1}, 2)
    images = made.images.tensors()
    with pytest.raises(ValueError, match="traces: expected"):
        images_from_tensors(images | {"traces": images["traces"][:, 1:]}, 2)
