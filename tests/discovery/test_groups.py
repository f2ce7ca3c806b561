"""Likeness by bands against all pairs; chains; order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forensic.discovery.groups import ALIKE, alike

SEED = 0x0123456789ABCDEF


def by_all_pairs(looks: list[int]) -> list[int]:
    """The same, as the definition says it."""
    groups = list(range(len(looks)))
    changed = True
    while changed:
        changed = False
        for one, first in enumerate(looks):
            for other, second in enumerate(looks):
                if (first ^ second).bit_count() <= ALIKE and groups[one] > groups[other]:
                    groups[one] = groups[other]
                    changed = True
    return groups


near = st.lists(
    st.lists(st.integers(0, 63), max_size=7).map(lambda bits: SEED ^ sum({1 << bit for bit in bits})), max_size=12
)


@given(near | st.lists(st.integers(0, 2**64 - 1), max_size=12))
def test_bands_find_what_all_pairs_find(looks: list[int]) -> None:
    assert alike(looks).tolist() == by_all_pairs(looks)


@given(near, st.randoms())
def test_order_does_not_matter(looks: list[int], random) -> None:
    order = list(range(len(looks)))
    random.shuffle(order)
    there, here = alike([looks[place] for place in order]).tolist(), alike(looks).tolist()
    position = {place: number for number, place in enumerate(order)}
    for one in range(len(looks)):
        for other in range(len(looks)):
            assert (here[one] == here[other]) == (there[position[one]] == there[position[other]])


def test_four_bits_are_alike_five_are_not() -> None:
    assert alike([0, 0b1111, 1 << 63]).tolist() == [0, 0, 0]
    assert alike([0, 0b11111]).tolist() == [0, 1]
    assert alike([]).tolist() == []


def test_a_chain_is_one_group() -> None:
    assert alike([0, (1 << 8) - 1, (1 << 4) - 1]).tolist() == [0, 0, 0]
