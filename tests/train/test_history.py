"""Old augmenters: kept, frozen, drawn evenly."""

from __future__ import annotations

from collections import Counter

import torch

from forensic.models.augmenter import Augmenter
from forensic.train.history import OldAugmenters


def history(count: int, seed: int = 0) -> OldAugmenters:
    old = OldAugmenters(torch.Generator().manual_seed(seed))
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
