"""How a scan is asked to stop: what is done is kept, what is under way is given up."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class StopRequested(Exception):  # noqa: N818 - no error: the user's wish, on its way to the scan's own end
    """The scan was asked to stop while it waited for a file."""


class Interruption:
    """A request to stop, made from a signal handler or from between two events.

    The scan looks at `requested` between batches. While it only waits for workers, a request made in the same
    thread ends the waiting at once; a commit is never cut in two.
    """

    def __init__(self) -> None:
        self.requested = False
        self._is_waiting = False

    def request(self) -> None:
        """Ask for the end.

        Raises:
            StopRequested: only inside `waiting`, where the scan catches it.
        """
        self.requested = True
        if self._is_waiting:
            self._is_waiting = False
            raise StopRequested

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around what may be given up at any moment.

        Raises:
            StopRequested: a request was made before or is made meanwhile.
        """
        self._is_waiting = True
        try:
            if self.requested:
                raise StopRequested
            yield
        finally:
            self._is_waiting = False
