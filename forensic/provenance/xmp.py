"""XMP: properties with their values, by a parser that refuses document types and with them every entity.

An entity can make a small packet large or name a file or an address; XMP needs none. Prefixes are resolved here and not
by the parser, so that a packet with one that is not declared can be read as far as it goes.

Source: XMP specification part 1 (ISO 16684-1), section 7; Namespaces in XML 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

from forensic.errors import Unreadable

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
MOST_BYTES = 8 << 20
MOST_PROPERTIES = 10_000
MOST_ELEMENTS = 100_000
_DEEPEST = 100
_MOST_PREFIXES = 200
_BLANK = b"\0 \t\r\n"


class Property(NamedTuple):
    """One property: its namespace (empty where its prefix is not declared), its name as written, its value."""

    namespace: str
    name: str
    value: str
    at: int
    """Byte of the packet where it begins."""


@dataclass
class _Element:
    """An element that is open."""

    namespace: str
    name: str
    at: int
    prefixes: dict[str, str]
    text: list[str] = field(default_factory=list)
    parent_of_elements: bool = False


class _Refused(Exception):  # noqa: N818 - carries a reason past expat
    pass


class _Reader:
    def __init__(self) -> None:
        self.found: list[Property] = []
        self._open: list[_Element] = []
        self._elements = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _refuse(self, *_: object) -> None:
        raise _Refused("it declares a document type or an entity: not read")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            raise _Refused(f"more than {MOST_ELEMENTS:,} elements: the others were not read")
        if len(self._open) >= _DEEPEST:
            raise _Refused(f"elements in more than {_DEEPEST} levels: not read")
        above = self._open[-1] if self._open else None
        prefixes = {} if above is None else above.prefixes
        declared = {key.partition(":")[2]: value for key, value in attributes.items() if key.split(":")[0] == "xmlns"}
        if declared:
            prefixes = {**prefixes, **declared}
            if len(prefixes) > _MOST_PREFIXES:
                raise _Refused(f"more than {_MOST_PREFIXES} prefixes: not read")
        if above is not None:
            above.parent_of_elements = True
        element = _Element(_namespace(name, prefixes), name, self.parser.CurrentByteIndex, prefixes)
        self._open.append(element)
        for key, value in attributes.items():
            namespace = _namespace(key, prefixes) if ":" in key else ""
            if namespace == RDF and key.endswith(":resource"):
                self._property(element.namespace, element.name, value, element.at)
            elif ":" in key and namespace != RDF and not key.startswith(("xmlns:", "xml:")):
                self._property(namespace, key, value, element.at)

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        text = "".join(element.text).strip()
        if not text or element.parent_of_elements:
            return
        for holder in (element, *reversed(self._open)):  # an item of a list is a value of the property around it
            if holder.namespace != RDF:
                self._property(holder.namespace, holder.name, text, element.at)
                return

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].text.append(text)

    def _property(self, namespace: str, name: str, value: str, at: int) -> None:
        if len(self.found) >= MOST_PROPERTIES:
            raise _Refused(f"more than {MOST_PROPERTIES:,} properties: the others were not read")
        self.found.append(Property(namespace, name, value, at))


def _namespace(name: str, prefixes: dict[str, str]) -> str:
    prefix, colon, _ = name.partition(":")
    return prefixes.get(prefix if colon else "", "")


def read_xmp(packet: bytes) -> tuple[list[Property], str | None]:
    """The properties of a packet: attributes, elements with text, items of lists.

    Args:
        packet: XML in UTF-8 or UTF-16, with or without padding around it.

    Returns:
        The properties up to the damage, in the order in which they end, and the reason of the damage or None.

    Raises:
        Unreadable: larger than is read.
    """
    if len(packet) > MOST_BYTES:
        raise Unreadable(f"a packet of {len(packet):,} bytes is not read")
    body = packet.strip(_BLANK) if not packet.startswith((b"\xff\xfe", b"\xfe\xff")) else packet
    skipped = packet.find(body[:1]) if body else 0
    reader = _Reader()
    reason = None
    try:
        reader.parser.Parse(body, True)  # noqa: FBT003 - expat takes it by place
    except expat.ExpatError as error:
        reason = (
            f"damaged XML: {expat.ErrorString(error.code)} at byte {skipped + max(reader.parser.ErrorByteIndex, 0)}"
        )
    except _Refused as refused:
        reason = str(refused)
    except ValueError:  # an encoding that Python has no single-byte table for
        reason = "damaged XML: an encoding that is not read"
    return [each._replace(at=each.at + skipped) for each in reader.found], reason
