"""Old augmenters: kept, frozen, drawn evenly."""

from __future__ import annotations

from collections import Counter

import torch

from forensic.models.augmenter import Augmenter
from forensic.train.history import NumpyDraws, OldAugmenters, TorchDraws


def history(count: int, seed: int = 0) -> OldAugmenters:
    old = OldAugmenters(TorchDraws(torch.Generator().manual_seed(seed)))
    for _ in range(count):
        old.keep(Augmenter(2, 3))
    return old


def test_nothing_to_draw_in_the_first_epoch() -> None:
    assert history(0).draw() is None


def test_all_are_kept_in_order() -> None:
    old = history(3)
    last = Augmenter(2, 3)
    old.keep(last)
    assert len(old) == 4
    assert old[3] is last


def test_kept_ones_do_not_learn() -> None:
    assert not any(parameter.requires_grad for parameter in history(1)[0].parameters())


def test_each_is_as_likely_as_the_other() -> None:
    old = history(4)
    drawn = Counter(id(old.draw()) for _ in range(4000))
    assert len(drawn) == 4
    assert all(abs(count - 1000) < 150 for count in drawn.values())  # five standard deviations


def test_draws_follow_the_generator() -> None:
    first, second = history(5, seed=3), history(5, seed=3)
    places = [[first[i] for i in range(5)].index(first.draw()) for _ in range(20)]
    assert places == [[second[i] for i in range(5)].index(second.draw()) for _ in range(20)]


def test_the_authors_draws_are_repeated() -> None:
    """What their first draws are with seed 0: none is consumed while there is one augmenter."""
    draws = NumpyDraws(0)
    assert [draws(1) for _ in range(8)] == [0] * 8
    assert [draws(2) for _ in range(10)] == [0, 1, 1, 0, 1, 1, 1, 1, 1, 1]


def test_the_authors_draws_go_on_from_a_checkpoint() -> None:
    draws, again = NumpyDraws(3), NumpyDraws(4)
    for _ in range(700):  # past a refill of the generator's 624 words
        draws(5)
    again.set_state(draws.get_state())
    assert [draws(7) for _ in range(50)] == [again(7) for _ in range(50)]
