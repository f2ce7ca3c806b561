"""How many thumbnails a case keeps: in path order, until one does not fit; from then on none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forensic.case.reader import CaseReader

THUMBNAIL_BUDGET = 64 << 20
"""Bytes of thumbnails a case keeps."""


class ThumbnailBudget:
    """What is left. A case that goes on, or is put together from parts, keeps what an undivided one keeps.

    Args:
        case: of which some is spent already.
    """

    def __init__(self, case: CaseReader | None = None) -> None:
        self._left = THUMBNAIL_BUDGET - (0 if case is None else case.thumbnail_bytes)
        self._spent = case is not None and case.lacks_thumbnails

    def kept(self, thumbnail: bytes | None) -> bytes | None:
        """The thumbnail, or None where it does not fit any more."""
        if thumbnail is None or self._spent:
            return None
        self._left -= len(thumbnail)
        self._spent = self._left < 0
        return None if self._spent else thumbnail

    def spend(self) -> None:
        """A part left out a thumbnail that did not fit, so none after it does."""
        self._spent = True
