from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensic.metrics.measure import Interval, Measure
from forensic.metrics.summary import LEAST_GENERATORS, generator_interval, macro, worst

NOTHING = Measure(None, "no unknown images")


def named(values) -> dict[str, Measure]:
    return {f"g{place:02d}": Measure(value) for place, value in enumerate(values)}


def test_every_generator_weighs_the_same() -> None:
    assert macro(named([0.5, 1.0, 0.0, 0.5])) == Measure(0.5)
    assert macro(named([0.3])) == Measure(0.3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_of_the_generators_changes_no_bit(values, random) -> None:
    items = list(named(values).items())
    shuffled = random.sample(items, len(items))
    assert macro(dict(shuffled)) == macro(dict(items))
    assert worst(dict(shuffled)) == worst(dict(items))
    assert macro(dict(items)).value == pytest.approx(np.mean(values), abs=1e-15)


def test_a_mean_over_fewer_than_it_says_is_no_mean() -> None:
    assert macro({}) == Measure(None, "no generators")
    assert macro({"b": Measure(0.5), "a": NOTHING}) == Measure(None, "a: no unknown images")


@pytest.mark.parametrize("order", list(permutations(["b", "a", "c", "d"])))
def test_the_worst_says_which_way_is_worse(order) -> None:
    values = {"a": Measure(0.9), "b": Measure(0.2), "c": Measure(0.2), "d": NOTHING}
    turned = {name: values[name] for name in order}
    assert worst(turned) == ("b", Measure(0.2))
    assert worst(turned, larger_is_better=False) == ("a", Measure(0.9))


def test_no_generator_is_the_worst_of_none() -> None:
    assert worst({}) is None
    assert worst({"a": NOTHING}) is None


def test_no_interval_over_fewer_than_ten() -> None:
    few = named(np.linspace(0, 1, LEAST_GENERATORS - 1))
    assert generator_interval(few, seed=0) == Interval(None, None, "fewer than 10 generators")
    assert generator_interval(named(np.linspace(0, 1, LEAST_GENERATORS)), seed=0).reason is None
    assert generator_interval({}, seed=0) == Interval(None, None, "no generators")
    assert generator_interval(named([0.5] * 12) | {"a": NOTHING}, seed=0).reason == "a: no unknown images"


def test_interval_is_that_of_a_mean(seeded) -> None:
    values = named(seeded(4).random(40))
    numbers = np.array([measure.value for measure in values.values()])
    found = generator_interval(values, seed=1, replicates=4000)
    # the percentile bootstrap of a mean: 1.96 standard errors, with n in place of n - 1
    half = 1.96 * numbers.std() / np.sqrt(len(numbers))
    assert found.low == pytest.approx(numbers.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(numbers.mean() + half, abs=0.1 * half)
    assert generator_interval(dict(reversed(values.items())), seed=1, replicates=4000) == found
    assert generator_interval(values, seed=2, replicates=4000) != found
