"""IPTC-IIM: the older form of IPTC's metadata, still written beside XMP.

Source: IPTC-NAA Information Interchange Model 4.2, chapter 3 (record syntax) and record 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from forensic.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

DATASETS = {
    65: "OriginatingProgram",
    70: "ProgramVersion",
    80: "By-line",
    110: "Credit",
    115: "Source",
    116: "CopyrightNotice",
}
_APPLICATION = 2


class DataSet(NamedTuple):
    """One data set of record 2: its name, its bytes, where they begin in the block."""

    name: str
    raw: bytes
    at: int


def read_iim(block: bytes) -> Iterator[DataSet]:
    """The data sets of record 2 that speak of origin.

    Args:
        block: from the first tag marker on; bytes in front of it and padding behind the last are passed over.

    Raises:
        Unreadable: a data set that reaches beyond the block, or of extended length.
    """
    at = max(block.find(b"\x1c"), 0)
    while at + 5 <= len(block) and block[at] == 0x1C:
        record, number, size = block[at + 1], block[at + 2], int.from_bytes(block[at + 3 : at + 5], "big")
        begin = at + 5
        if size & 0x8000:
            raise Unreadable("a data set of extended length is not read")
        if begin + size > len(block):
            raise Unreadable("damaged IPTC-IIM: a data set reaches beyond the block")
        if record == _APPLICATION and number in DATASETS:
            yield DataSet(DATASETS[number], block[begin : begin + size], begin)
        at = begin + size
