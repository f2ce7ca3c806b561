"""C2PA manifest stores, read without checking: which manifests, who says to have made them, which sources they name.

What stands here says nothing about signatures; `verification` does, where the library is installed.

Source: ISO 19566-5 (JUMBF); C2PA specification 2.2, sections 8 (boxes), 10 (claims) and 18.15 (actions).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from forensic.data.isobmff_boxes import boxes
from forensic.errors import Unreadable
from forensic.provenance.cbor import read_cbor

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUFFIX = bytes.fromhex("00110010800000aa00389b71")
_STORE, _ASSERTIONS, _COMPRESSED = b"c2pa", b"c2as", b"c2cm"
_MANIFESTS = {b"c2ma": "manifest", b"c2um": "update manifest", _COMPRESSED: "compressed manifest"}
_MOST_MANIFESTS = 64
_MOST_ACTIONS = 256


class Action(NamedTuple):
    """One action: its name, the digital source type and the program that it names, empty where it does not."""

    name: str
    source_type: str
    agent: str


@dataclass
class Manifest:
    """One manifest as it describes itself."""

    label: str
    kind: str
    generator: str = ""
    actions: list[Action] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Reasons of parts that could not be read."""


class _SuperBox(NamedTuple):
    """A JUMBF superbox: the first four bytes of its type, its label, where its content stands."""

    kind: bytes
    label: str
    begin: int
    end: int


def is_manifest_store(box: bytes) -> bool:
    """Whether a JUMBF box is a C2PA manifest store."""
    return box[4:8] == b"jumb" and box[12:16] == b"jumd" and box[16:32] == _STORE + _SUFFIX


def read_manifests(store: bytes) -> list[Manifest]:
    """The manifests of a store in their order; the last one is the active one.

    Args:
        store: the superbox with its head.

    Raises:
        Unreadable: damaged boxes, or more manifests than are read.
    """
    try:
        (top,) = _super_boxes(store, 0, len(store))
    except ValueError:
        raise Unreadable("damaged JUMBF: not one box") from None
    found: list[Manifest] = []
    for each in _super_boxes(store, top.begin, top.end):
        if each.kind not in _MANIFESTS:
            continue
        if len(found) >= _MOST_MANIFESTS:
            raise Unreadable(f"more than {_MOST_MANIFESTS} manifests")
        found.append(_manifest(store, each))
    if not found:
        raise Unreadable("no manifest in the store")
    return found


def _super_boxes(data: bytes, begin: int, end: int) -> Iterator[_SuperBox]:
    for kind, first, last in boxes(data, begin, end):
        if kind != b"jumb":
            continue
        inner = boxes(data, first, last)
        described = next(inner, None)
        if described is None or described[0] != b"jumd" or described[2] - described[1] < 17:
            raise Unreadable(f"damaged JUMBF: no description at byte {first}")
        _, at, stop = described
        label = data[at + 17 : stop].partition(b"\0")[0] if data[at + 16] & 2 else b""
        yield _SuperBox(data[at : at + 4], label.decode("utf-8", errors="replace"), stop, last)


def _manifest(data: bytes, box: _SuperBox) -> Manifest:
    found = Manifest(box.label, _MANIFESTS[box.kind])
    if box.kind == _COMPRESSED:
        found.unread.append("it is compressed, which is not read here")
        return found
    try:
        for part in _super_boxes(data, box.begin, box.end):
            if part.label.partition("__")[0] in ("c2pa.claim", "c2pa.claim.v2"):
                content = _content(data, part)
                found.generator = generator_of(content.get("claim_generator_info"), content.get("claim_generator"))
            elif part.kind == _ASSERTIONS:
                for assertion in _super_boxes(data, part.begin, part.end):
                    if assertion.label.partition("__")[0] in ("c2pa.actions", "c2pa.actions.v2"):
                        found.actions += actions_of(_content(data, assertion).get("actions"))
    except Unreadable as outcome:
        found.unread.append(outcome.reason)
    return found


def _content(data: bytes, box: _SuperBox) -> dict[object, object]:
    for kind, first, last in boxes(data, box.begin, box.end):
        if kind == b"cbor":
            value = read_cbor(data[first:last])
            if isinstance(value, dict):
                return value
            break
    raise Unreadable(f"damaged: no CBOR map in {box.label}")


def generator_of(info: object, line: object = None) -> str:
    """Name and version of the program that made a claim.

    Args:
        info: a map in claims of version 2, a list of maps in those before.
        line: one line, in claims before version 2.
    """
    first = info[0] if isinstance(info, list) and info else info
    return _program(first) or _text(line)


def _program(value: object) -> str:
    if not isinstance(value, dict):
        return _text(value)
    return " ".join(filter(None, (_text(value.get("name")), _text(value.get("version")))))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def actions_of(listed: object) -> Iterator[Action]:
    """The actions of an assertion, as they stand in it; what is no list of maps gives none.

    Args:
        listed: the value of `actions`.
    """
    for action in listed[:_MOST_ACTIONS] if isinstance(listed, list) else ():
        if isinstance(action, dict):
            source = _text(action.get("digitalSourceType"))
            yield Action(_text(action.get("action")), source, _program(action.get("softwareAgent")))
