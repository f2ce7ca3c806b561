"""Files read a little ahead of who works on them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from forensic.errors import FileOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")
Content = TypeVar("Content")
_AHEAD = 64


def read_ahead(items: Sequence[Item], read: Callable[[Item], Content]) -> Iterator[tuple[Item, Content | FileOutcome]]:
    """Each item with what was read of it, or why it could not be, in the order of the items.

    Args:
        items: what is to be read, by two threads in blocks, which bound how much is ahead.
        read: reads one; a `FileOutcome` that it raises comes out as its result, anything else as it is.
    """

    def tried(item: Item) -> Content | FileOutcome:
        try:
            return read(item)
        except FileOutcome as outcome:
            return outcome

    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(items), _AHEAD):
            block = items[start : start + _AHEAD]
            yield from zip(block, pool.map(tried, block), strict=True)
