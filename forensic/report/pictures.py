"""Where the thumbnails of a long case go: into the page as far as a budget reaches, the others into sheets beside it.

A sheet is one WebP with many thumbnails in cells, drawn anew from the stored ones: a hundred thousand files are hard to
hand over, and one file of a hundred thousand pictures is hard to open. Pillow is imported for it only.
"""

from __future__ import annotations

import contextlib
import io
import re
from array import array
from enum import IntEnum
from typing import TYPE_CHECKING

from forensic.case.output import replacing
from forensic.errors import MachineError, UsageError, refused

if TYPE_CHECKING:
    from pathlib import Path

    from forensic.case.rows import Finding

BUDGET = 30_000_000
"""Bytes of thumbnails, before base64, that one page carries."""
FOLDER = ".assets"
"""What the folder beside a page ends in; `page/js/main.js` makes the same name of the page's own."""
FIRST_OF_CLASS = 20
"""So many of each class are in the page in any case."""
SHEET_COLUMNS = 8
"""Cells in a line of a sheet; as many lines."""
CELL = 96
"""Side of a cell, as the longest side of a thumbnail."""

_SHEET = re.compile(r"sheet-[0-9a-z-]+\.webp|\.sheet-[0-9a-z-]+\.webp\.[0-9a-z_]+\.part")
"""What this program makes in the folder: sheets, and what is left of one that was never whole."""
_PATCHES = 8
_QUALITY, _EFFORT = 80, 0
"""Of WebP; more effort takes three times as long for sheets a fifth smaller."""

NONE, IN_SHEET = 0, 0xFFFF_FFFF
"""What stands for a picture's length in the page's column where it has none, or a cell of a sheet."""


class Rank(IntEnum):
    """Whose thumbnail goes into the page first."""

    PLAIN = 0
    FIRST_OF_CLASS = 1
    UNKNOWN = 2
    FLAGGED = 3
    OTHER = 4


class PicturePlan:
    """Sees every row once, then says of each whether the page carries its thumbnail."""

    def __init__(self, plain: int, budget: int | None = None) -> None:
        self.plain = plain
        self._budget = BUDGET if budget is None else budget
        self._sizes = array("I")
        self._ranks = bytearray()
        self._of_class: dict[str | None, int] = {}
        self._in_page: bytearray | None = None

    def see(self, finding: Finding, thumbnail: bytes | None) -> None:
        """The next row in path order."""
        self._sizes.append(len(thumbnail or b""))
        self._ranks.append(self._rank(finding) if thumbnail else Rank.OTHER)

    def _rank(self, finding: Finding) -> Rank:
        if len(self._sizes) <= self.plain:
            return Rank.PLAIN
        named = finding.label or finding.nearest
        self._of_class[named] = self._of_class.get(named, 0) + 1
        if self._of_class[named] <= FIRST_OF_CLASS:
            return Rank.FIRST_OF_CLASS
        if finding.verdict == "unknown":
            return Rank.UNKNOWN
        return Rank.FLAGGED if finding.flags else Rank.OTHER

    def settle(self) -> int:
        """Decide, once all rows were seen; returns how many thumbnails go into sheets."""
        rows = len(self._sizes)
        if sum(self._sizes) <= self._budget:
            self._in_page = bytearray(b"\1") * rows
            return 0
        self._in_page = bytearray(rows)
        left = self._budget
        for rank in (Rank.PLAIN, Rank.FIRST_OF_CLASS, Rank.UNKNOWN, Rank.FLAGGED):
            for row in range(rows):
                if self._ranks[row] == rank and 0 < self._sizes[row] <= left:
                    left -= self._sizes[row]
                    self._in_page[row] = 1
        return sum(size > 0 and not kept for size, kept in zip(self._sizes, self._in_page, strict=True))

    def in_page(self, row: int) -> bool:
        """Whether the page carries the thumbnail of this row; after `settle` only."""
        if self._in_page is None:
            raise RuntimeError("PicturePlan.in_page before settle")
        return bool(self._in_page[row])


class Sheets:
    """Writes the sheets of a report into the folder beside it, made when the first is needed."""

    def __init__(self, out: Path) -> None:
        self.folder = out.with_suffix(FOLDER)
        self.count = 0
        self.prefix = ""
        self._cells: list[bytes] = []

    def begin(self, prefix: str) -> None:
        """Name the sheets that follow: `prefix`, a number, `.webp`."""
        self.prefix = prefix

    def add(self, thumbnail: bytes) -> None:
        """The next cell.

        Raises:
            UsageError: something else has the folder's name.
            MachineError: the disk is full or refuses.
        """
        self._cells.append(thumbnail)
        if len(self._cells) == SHEET_COLUMNS**2:
            self._write()

    def finish(self) -> None:
        """Write the last sheet.

        Raises:
            UsageError: something else has the folder's name.
            MachineError: the disk is full or refuses.
        """
        if self._cells:
            self._write()

    def discard(self) -> None:
        """Remove all sheets, of a report that was not written and replaces none."""
        self.count = 0
        self.remove_older()

    def remove_older(self) -> None:
        """Remove the sheets of a report that this one replaced; nothing else in the folder is touched.

        Raises:
            MachineError: the folder refuses.
        """
        if self.folder.is_symlink() or not self.folder.is_dir():
            return
        try:
            for path in sorted(self.folder.iterdir()):
                ours = _SHEET.fullmatch(path.name)
                if ours and not (self.count and path.name.startswith(self.prefix)):
                    path.unlink(missing_ok=True)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()
        except OSError as error:
            reason = f"older thumbnails can not be removed: {(error.strerror or str(error)).lower()}"
            raise MachineError(str(self.folder), reason, "The page itself is whole") from error

    def _write(self) -> None:
        if self.folder.is_symlink() or (self.folder.exists() and not self.folder.is_dir()):
            raise UsageError(str(self.folder), "is no folder", "The report's thumbnails go there; choose another name")
        target = self.folder / f"{self.prefix}{self.count}.webp"
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise refused(str(target), error, "The report was not written") from error
        with replacing(target) as file:
            file.write(_sheet(self._cells))
        self.count += 1
        self._cells = []


def blurred(thumbnail: bytes) -> bytes | None:
    """The thumbnail as eight patches along its longer side, melted into each other: colours, no content; as WebP.

    What is blurred is the picture itself, not its appearance, so nothing sharp is in a page that is made of these.
    Returns None for what can not be decoded.
    """
    from PIL import Image  # noqa: PLC0415 - only where it is asked for

    try:
        with Image.open(io.BytesIO(thumbnail), formats=["WEBP"]) as picture:
            size = picture.size
            small = picture.convert("RGB")
    except (OSError, ValueError):
        return None
    small.thumbnail((_PATCHES, _PATCHES), Image.Resampling.BOX)
    out = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(out, "WEBP", quality=30, method=4)
    return out.getvalue()


def _sheet(thumbnails: list[bytes]) -> bytes:
    """Thumbnails line by line, each in the middle of its cell; what can not be decoded leaves its cell empty."""
    from PIL import Image  # noqa: PLC0415 - most reports need no picture library

    side = SHEET_COLUMNS * CELL
    sheet = Image.new("RGBA", (side, side))
    for number, stored in enumerate(thumbnails):
        row, column = divmod(number, SHEET_COLUMNS)
        with contextlib.suppress(OSError, ValueError), Image.open(io.BytesIO(stored), formats=["WEBP"]) as picture:
            picture.thumbnail((CELL, CELL))
            place = column * CELL + (CELL - picture.width) // 2, row * CELL + (CELL - picture.height) // 2
            sheet.paste(picture, place)
    out = io.BytesIO()
    sheet.save(out, "WEBP", quality=_QUALITY, method=_EFFORT)
    return out.getvalue()
