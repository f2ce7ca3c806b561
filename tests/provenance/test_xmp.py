"""XMP: every form of a property, whatever its prefix; document types and entities are refused, damage is told."""

from __future__ import annotations

import pytest

from forensic.errors import Unreadable
from forensic.provenance import xmp as reader
from forensic.provenance.xmp import read_xmp

NAMESPACE = "http://example.org/ns/"


def values(packet: bytes) -> list[tuple[str, str, str]]:
    found, reason = read_xmp(packet)
    assert reason is None
    return [(each.namespace, each.name, each.value) for each in found]


@pytest.mark.parametrize(
    ("inner", "attributes"),
    [
        ("<e:name>value</e:name>", f'xmlns:e="{NAMESPACE}"'),
        ("", f'xmlns:e="{NAMESPACE}" e:name="value"'),
        ('<e:name rdf:resource="value"/>', f'xmlns:e="{NAMESPACE}"'),
        ("<e:name><rdf:Alt><rdf:li xml:lang='x-default'>value</rdf:li></rdf:Alt></e:name>", f'xmlns:e="{NAMESPACE}"'),
        (f'<e:name xmlns:e="{NAMESPACE}"> value\n</e:name>', ""),
    ],
)
def test_forms_of_a_property(inner: str, attributes: str, xmp) -> None:
    assert values(xmp(inner, attributes)) == [(NAMESPACE, "e:name", "value")]


def test_a_default_namespace_holds_for_elements(xmp) -> None:
    assert values(xmp(f'<name xmlns="{NAMESPACE}">value</name>')) == [(NAMESPACE, "name", "value")]


def test_lists_and_structures(xmp) -> None:
    inner = (
        '<e:History><rdf:Seq><rdf:li e:agent="one"/><rdf:li rdf:parseType="Resource"><e:agent>two</e:agent></rdf:li>'
        "<rdf:li>three</rdf:li></rdf:Seq></e:History>"
    )
    assert [value[1:] for value in values(xmp(inner, f'xmlns:e="{NAMESPACE}"'))] == [
        ("e:agent", "one"),
        ("e:agent", "two"),
        ("e:History", "three"),
    ]


def test_a_prefix_that_is_not_declared_has_no_namespace(xmp) -> None:
    assert values(xmp('<C260:AIGC>{"Label":"1"}</C260:AIGC>')) == [("", "C260:AIGC", '{"Label":"1"}')]


def test_places_are_bytes_of_the_packet(xmp) -> None:
    packet = b"  \n" + xmp("<e:ü>é</e:ü><e:name>value</e:name>", f'xmlns:e="{NAMESPACE}"') + bytes(20)
    found, reason = read_xmp(packet)
    assert reason is None
    assert [packet[each.at :].startswith(f"<{each.name}>".encode()) for each in found] == [True, True]


def test_utf_16_is_read(xmp) -> None:
    packet = xmp("<e:name>välue</e:name>", f'xmlns:e="{NAMESPACE}"').decode().encode("utf-16")
    assert values(packet) == [(NAMESPACE, "e:name", "välue")]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ('<!DOCTYPE x [<!ENTITY e "many">]>', "&e;"),
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>', "&e;"),
        ('<!DOCTYPE x SYSTEM "http://localhost/x.dtd">', "x"),
        ("<!DOCTYPE x>", "x"),
    ],
)
def test_document_types_are_refused(head: str, name: str) -> None:
    found, reason = read_xmp(f"{head}<a><b>{name}</b></a>".encode())
    assert found == []
    assert reason == "it declares a document type or an entity: not read"


def test_an_entity_that_nobody_declared_is_damage() -> None:
    assert read_xmp(b"<a><b>&e;</b></a>") == ([], "damaged XML: undefined entity at byte 6")


def test_what_stands_before_the_damage_is_read(xmp) -> None:
    packet = xmp("<e:name>value</e:name><e:open>", f'xmlns:e="{NAMESPACE}"')
    found, reason = read_xmp(packet)
    assert [each.value for each in found] == ["value"]
    assert reason is not None
    assert reason.startswith("damaged XML: mismatched tag at byte ")


@pytest.mark.parametrize(
    "packet", [b"", b"   ", b"\0\0", b"no xml", b'<?xml version="1.0" encoding="cp037"?><a/>', b"<"]
)
def test_what_is_no_xml_is_damage(packet: bytes) -> None:
    found, reason = read_xmp(packet)
    assert found == []
    assert reason is not None
    assert reason.startswith("damaged XML")


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (b"<a>" * 101, "elements in more than 100 levels"),
        (b"<a>" + b"<b/>" * 100_000 + b"</a>", "more than 100,000 elements"),
        (b"<a>" + b"<b>c</b>" * 10_001 + b"</a>", "more than 10,000 properties"),
        (b"<a " + b" ".join(b'xmlns:p%d="x"' % n for n in range(201)) + b"/>", "more than 200 prefixes"),
    ],
)
def test_limits(packet: bytes, reason: str) -> None:
    assert reason in str(read_xmp(packet)[1])


def test_a_large_packet_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_BYTES", 100)
    with pytest.raises(Unreadable, match="a packet of 101 bytes is not read"):
        read_xmp(b"<" * 101)
