"""Manifest stores: labels, generators and actions as they describe themselves; damage is told by manifest."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensic.errors import Unreadable
from forensic.provenance.containers import metadata_blocks
from forensic.provenance.manifests import Action, actions_of, generator_of, is_manifest_store, read_manifests

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def test_manifests_in_their_order(store: bytes) -> None:
    assert is_manifest_store(store)
    one, two = read_manifests(store)
    assert (one.label, one.kind, one.generator) == ("urn:c2pa:one", "manifest", "older program/1")
    assert one.actions == [Action("c2pa.created", SOURCE_TYPE + "digitalCapture", "")]
    assert (two.label, two.generator, two.unread) == ("urn:c2pa:two", "generator 2", [])
    assert two.actions == [
        Action("c2pa.opened", "", ""),
        Action("c2pa.edited", SOURCE_TYPE + "compositeWithTrainedAlgorithmicMedia", "agent"),
    ]


def test_other_boxes_are_no_stores(jumbf, box) -> None:
    assert not is_manifest_store(jumbf(b"c2ma", "c2pa"))
    assert not is_manifest_store(box(b"jumb", b""))
    assert not is_manifest_store(b"")


@pytest.mark.parametrize(
    ("media_type", "picture"),
    [
        ("image/jpeg", "jpeg-ok-control.jpg"),
        ("image/png", "png-sd-a1111.png"),
        ("image/webp", "webp-lossless-alpha.webp"),
        ("image/avif", "avif-ok.avif"),
        ("image/tiff", "tiff-multipage.tif"),
        ("image/gif", "gif-animated.gif"),
    ],
)
def test_stores_that_the_library_wrote_are_read(media_type: str, picture: str, signer, hostile) -> None:
    data = signer.sign((hostile / picture).read_bytes(), media_type)
    name = {"image/webp": "WebP"}.get(media_type, media_type.partition("/")[2].upper())
    (found,) = [each.data for each in metadata_blocks(data, name) if getattr(each, "kind", "") == "jumbf"]
    assert is_manifest_store(found)
    (manifest,) = read_manifests(found)
    assert manifest.label.startswith("urn:c2pa:")
    assert manifest.generator == "test generator 1.0"
    assert [each.source_type for each in manifest.actions] == [SOURCE_TYPE + "trainedAlgorithmicMedia"]
    assert manifest.unread == []


def test_a_compressed_manifest_is_named(jumbf) -> None:
    (found,) = read_manifests(jumbf(b"c2pa", "c2pa", jumbf(b"c2cm", "urn:c2pa:x")))
    assert (found.kind, found.unread) == ("compressed manifest", ["it is compressed, which is not read here"])


def test_damage_in_a_manifest_leaves_the_others(jumbf, manifest, box) -> None:
    broken = jumbf(b"c2ma", "broken", jumbf(b"c2cl", "c2pa.claim", box(b"cbor", b"\xff")))
    empty = jumbf(b"c2ma", "empty", jumbf(b"c2cl", "c2pa.claim", box(b"json", b"{}")))
    sound = manifest("sound", {"claim_generator": "x"}, [])
    found = read_manifests(jumbf(b"c2pa", "c2pa", broken, empty, sound))
    assert [(each.label, each.generator) for each in found] == [("broken", ""), ("empty", ""), ("sound", "x")]
    assert [each.unread for each in found] == [
        ["damaged CBOR: an end where nothing is open"],
        ["damaged: no CBOR map in c2pa.claim"],
        [],
    ]


def test_stores_that_can_not_be_right(jumbf, box) -> None:
    for store, reason in (
        (b"", "not one box"),
        (jumbf(b"c2pa", "c2pa") * 2, "not one box"),
        (box(b"jumb", b""), "no description"),
        (box(b"jumb", box(b"jumd", b"c2pa")), "no description"),
        (jumbf(b"c2pa", "c2pa"), "no manifest in the store"),
        (jumbf(b"c2pa", "c2pa", *[jumbf(b"c2ma", "x")] * 65), "more than 64 manifests"),
        (jumbf(b"c2pa", "c2pa", b"\0\0\xff\xffjumb"), "truncated"),
    ):
        with pytest.raises(Unreadable, match=reason):
            read_manifests(store)


@pytest.mark.parametrize(
    ("info", "line", "expected"),
    [
        ({"name": "a", "version": "1"}, None, "a 1"),
        ([{"name": "a"}, {"name": "b"}], None, "a"),
        (None, "line/1", "line/1"),
        ([], "line/1", "line/1"),
        ({"name": 7}, None, ""),
        (7, b"x", ""),
    ],
)
def test_generators_of_all_versions(info: object, line: object, expected: str) -> None:
    assert generator_of(info, line) == expected


@pytest.mark.parametrize("listed", [None, 7, {}, "text", [1, "x", None]])
def test_what_is_no_list_of_actions_gives_none(listed: object) -> None:
    assert list(actions_of(listed)) == []


@given(data=st.data())
def test_any_damage_is_refused_or_told(store: bytes, data: st.DataObject) -> None:
    broken = bytearray(store)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Unreadable):
        assert read_manifests(bytes(broken[: data.draw(st.integers(0, len(broken)))]))
