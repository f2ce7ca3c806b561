"""Blocks of metadata to unsigned claims: every text is looked up by its key, and what a table knows becomes a claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forensic.errors import Unreadable
from forensic.provenance import vocabulary
from forensic.provenance.aigc import aigc_claim
from forensic.provenance.claims import Claim, claim_of, unreadable
from forensic.provenance.exif_tags import read_exif_texts, text_of
from forensic.provenance.iim import read_iim
from forensic.provenance.xmp import read_xmp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forensic.provenance.blocks import Block

_SOURCE_TYPE = "iptc:DigitalSourceType"


def claims_in(block: Block) -> Iterator[Claim | str]:
    """The unsigned claims of a block.

    Args:
        block: of any kind but `jumbf`.

    Yields:
        Claims, records of what is damaged, and as plain strings the places of texts that no table knows.
    """
    try:
        match block.kind:
            case "text":
                text = text_of(block.data)
                yield claim_in_text(block.key, text, block.data, block.place) or block.place
            case "exif":
                yield from _exif(block)
            case "xmp":
                yield from _xmp(block)
            case "iim":
                yield from _iim(block)
            case _:
                return
    except Unreadable as outcome:
        yield unreadable(block.place, outcome.reason)


def claim_in_text(key: str, text: str, raw: bytes, place: str) -> Claim | None:
    """The claim that a text under a key is, or None.

    Args:
        key: as the vocabulary has it.
        text: the value.
        raw: its exact bytes.
        place: where it stands.
    """
    if key.rpartition(":")[2] == "DigitalSourceType":
        return claim_of(_SOURCE_TYPE, place, text, raw, says=vocabulary.source_type(text))
    label = aigc_claim(key, text, raw, place)
    if label is not None:
        return label
    meaning = vocabulary.meaning_of(key, text)
    return None if meaning is None else claim_of(meaning.kind, place, text, raw, says=meaning.says)


def _exif(block: Block) -> Iterator[Claim]:
    for each in read_exif_texts(block.data):
        if isinstance(each, Unreadable):
            yield unreadable(block.place, each.reason)
            continue
        at = "" if block.at is None else f" at byte {block.at + each.at}"
        claim = claim_in_text(each.name, each.text, each.raw, f"{block.place}, tag {each.name}{at}")
        if claim is not None:
            yield claim


def _xmp(block: Block) -> Iterator[Claim]:
    found, reason = read_xmp(block.data)
    for each in found:
        key = vocabulary.property_key(each.namespace, each.name)
        at = "" if block.at is None else f" at byte {block.at + each.at}"
        claim = claim_in_text(key, each.value, each.value.encode(errors="surrogatepass"), f"{block.place}, {key}{at}")
        if claim is not None:
            yield claim
    if reason is not None:
        yield unreadable(block.place, reason)


def _iim(block: Block) -> Iterator[Claim]:
    for each in read_iim(block.data):
        at = "" if block.at is None else f" at byte {block.at + each.at}"
        claim = claim_in_text(each.name, text_of(each.raw), each.raw, f"{block.place}, {each.name}{at}")
        if claim is not None:
            yield claim
