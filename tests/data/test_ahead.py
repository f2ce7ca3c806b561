"""Order and outcomes of files that are read ahead."""

from __future__ import annotations

import time

import pytest

from forensic.data.ahead import read_ahead
from forensic.errors import FileOutcome, Unreadable


def read(number: int) -> str:
    time.sleep(0.002 * (number % 3 == 0))
    if number % 5 == 4:
        raise Unreadable(f"not {number}")
    return str(number)


@pytest.mark.parametrize("count", [0, 1, 64, 65, 150])
def test_in_order_with_the_reasons(count: int) -> None:
    found = list(read_ahead(range(count), read))
    assert [item for item, _ in found] == list(range(count))
    for item, content in found:
        if item % 5 == 4:
            assert isinstance(content, FileOutcome)
            assert content.reason == f"not {item}"
        else:
            assert content == str(item)


def test_an_error_of_ours_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        list(read_ahead([1, 0], lambda number: 1 // number))
