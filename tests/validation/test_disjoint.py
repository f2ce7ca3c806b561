from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forensic.calibration.pictures import Condition, Picture
from forensic.data.layouts import read_layout
from forensic.errors import MissingError
from forensic.models.card import files_hash
from forensic.models.weights import load_weights
from forensic.validation.disjoint import check_not_fitted_on, check_not_trained_on, check_sides, kept_by_weights
from forensic.validation.score import Scored, score_pictures


def scored(digest: str, source: str = "real", label: int = 0, unit: str = "") -> Scored:
    picture = Picture(digest, unit or digest, source, label, 0, np.zeros(2), Condition("PNG", 128, 128, 1))
    return Scored(picture, f"{source}/{digest}.png", None)


def test_one_file_has_one_source() -> None:
    check_sides([scored("a"), scored("a"), scored("b")], [scored("c", "g", -1)])
    with pytest.raises(MissingError, match=r"g/a\.png: is the same file as real/a\.png, of real"):
        check_sides([scored("a")], [scored("a", "g", -1)])
    with pytest.raises(MissingError, match="is the same file"):
        check_sides([scored("a"), scored("a", "alpha", 1)], [])


def test_training_and_enrolled_images_are_told_by_the_card_s_hashes(tiny) -> None:
    card = tiny.card
    mine = [scored("aa"), scored("bb", "alpha", 1)]
    check_not_trained_on(mine, card)
    trained = replace(card, training=replace(card.training, hash=files_hash(["bb", "aa"])))
    with pytest.raises(MissingError, match="training images"):
        check_not_trained_on(mine, trained)
    enrolled = replace(card, enrolled={"alpha": {"hash": files_hash(["bb"])}})
    with pytest.raises(MissingError, match="images of alpha: are those that the class was enrolled with"):
        check_not_trained_on(mine, enrolled)
    of_more = replace(card, enrolled={"alpha": {"hash": "", "files": ["bb", "cc"]}})
    with pytest.raises(MissingError, match=r"alpha/bb\.png: took part in the enrolment of a class"):
        check_not_trained_on(mine, of_more)


def test_the_training_images_of_real_weights_are_seen(osma_mini_small, tiny) -> None:
    found, _ = score_pictures(tiny, read_layout(osma_mini_small).train)
    with pytest.raises(MissingError, match="training images"):
        check_not_trained_on(found, tiny.card)


def test_what_fitted_a_calibration_measures_nothing(made_calibration) -> None:
    made = replace(made_calibration, files=("aa",), units=("p1",))
    check_not_fitted_on([scored("bb", unit="p2")], made)
    with pytest.raises(MissingError, match=r"real/aa\.png: took part"):
        check_not_fitted_on([scored("aa")], made)
    with pytest.raises(MissingError, match="of the photograph p1, which took part"):
        check_not_fitted_on([scored("bb", unit="p1")], made)


def test_validation_images_are_found_by_the_traces_that_weights_keep(osma_mini_small, comparing_weights) -> None:
    weights = load_weights(comparing_weights)
    layout = read_layout(osma_mini_small)
    found, _ = score_pictures(weights, [*layout.val[:3], *layout.test[:3]])
    assert [one.path for one in kept_by_weights(found, comparing_weights)] == [str(s.path) for s in layout.val[:3]]


def test_weights_without_traces_keep_none(osma_mini_small, tiny, tiny_weights) -> None:
    found, _ = score_pictures(tiny, read_layout(osma_mini_small).val[:2])
    assert kept_by_weights(found, tiny_weights) == []
