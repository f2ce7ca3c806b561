from __future__ import annotations

import os
from dataclasses import replace

import pytest

from forensic.case.beside import Salvaged
from forensic.case.difference import case_changes, header_changes
from forensic.case.ledger import Place, Root, create_case, open_case
from forensic.case.rows import Artefacts, exact_path


@pytest.fixture
def made(tmp_path, header):
    """`made("a", findings, below="/evidence/in", **header)`: a case whose findings lie below that folder."""

    def make(name, findings, below="/evidence/in", **changes):
        path = tmp_path / f"{name}.case"
        with create_case(path, header(**changes), roots=[Root(b"in", os.fsencode(below))]) as case:
            places = [Place(0, os.fsencode(finding.path.removeprefix("in/"))) for finding in findings]
            case.append([(finding, Artefacts()) for finding in findings], places)
            case.finish()
        return path

    return make


def changes(first, second) -> dict[str, tuple[str, tuple[str, ...]]]:
    with open_case(first) as one, open_case(second) as other:
        return {change.path: (change.kind, change.why) for change in case_changes(one, other)}


def test_a_copy_elsewhere_is_the_same_evidence(made, finding, unreadable) -> None:
    rows = [finding(0), unreadable(1), finding(2)]
    first, second = made("a", rows), made("b", rows, below="/mnt/copy")
    assert changes(first, second) == {}
    with open_case(first) as one, open_case(second) as other:
        assert header_changes(one, other) == {}


def test_each_kind_of_change(made, finding, unreadable) -> None:
    first = made("a", [finding(number) for number in range(6)])
    rows = [
        finding(0, sha256="f" * 64),
        finding(1, verdict="unknown", label=None),
        finding(2, label="real"),
        finding(3, score=9.5),
        replace(unreadable(4), sha256=finding(4).sha256),
        finding(7),
    ]
    assert changes(first, made("b", rows)) == {
        "0000.png": ("content", ("content",)),
        "0001.png": ("verdict", ()),
        "0002.png": ("verdict", ()),
        "0003.png": ("score", ()),
        "0004.png": ("verdict", ("threshold", "decoder")),
        "0005.png": ("only in the first", ()),
        "0007.png": ("only in the second", ()),
    }


def test_parts_are_compared_where_both_salvaged(made, unreadable) -> None:
    part = Salvaged(rows=90, of_rows=144, verdict="known", label="real", nearest="real", score=1.0, threshold=0.5)
    rows = [replace(unreadable(number), salvaged=part) for number in range(4)]
    other = [
        replace(rows[0], salvaged=replace(part, score=2.0)),
        replace(rows[1], salvaged=replace(part, verdict="unknown", label=None)),
        replace(rows[2], salvaged=replace(part, rows=91)),
        unreadable(3),
    ]
    first, second = made("a", rows, configuration={"salvage": True}), made("b", other, configuration={})
    assert {path: kind for path, (kind, _) in changes(first, second).items()} == {
        exact_path(rows[number]).decode().removeprefix("in/"): "salvaged" for number in (1, 2)
    }


def test_causes_are_what_the_cases_name_differently(made, finding) -> None:
    first = made("a", [finding(0), finding(1)], configuration={"threshold": None, "decoders": {"pillow": "1"}})
    rows = [finding(0, verdict="unknown", label=None, weights="f" * 12, decoder="pillow 2"), finding(1)]
    second = made(
        "b",
        rows,
        weights="f" * 12,
        tool_version="0.2.0",
        configuration={"threshold": None, "decoders": {"pillow": "2"}, "shard": "1/2", "scores": True},
    )
    assert changes(first, second) == {
        "0000.png": ("verdict", ("weights", "decoder", "tool version", "decoders: pillow"))
    }
    with open_case(first) as one, open_case(second) as other:
        assert header_changes(one, other) == {
            "weights": ("0123456789ab", "f" * 12),
            "tool version": ("0.1.0", "0.2.0"),
            "decoders: pillow": ("1", "2"),
        }


def test_files_are_told_in_byte_order_whatever_the_order_of_the_rows(tmp_path, header, finding) -> None:
    """Two folders, given so that the rows of the one that comes first in the walk come last below their common one."""
    paths = []
    for name, score in (("a", 0.5), ("b", 0.25)):
        paths.append(tmp_path / f"{name}.case")
        roots = [Root(b"../y", b"/evidence/y"), Root(b"x", b"/evidence/x")]
        rows = [(0, b"2.png"), (0, b"\xff.png"), (1, b"1.png"), (1, b"3.png")]
        with create_case(paths[-1], header(), roots=roots) as case:
            findings = [finding(n, path="given", score=score) for n, _ in enumerate(rows)]
            case.append([(one, Artefacts()) for one in findings], [Place(root, path) for root, path in rows])
            case.finish()
    with open_case(paths[0]) as one, open_case(paths[1]) as other:
        found = list(case_changes(one, other))
        assert [change.path for change in found] == ["x/1.png", "x/3.png", "y/2.png", "y/\\xff.png"]
        assert [(change.before.sha256, change.after.sha256) for change in found if change.before and change.after] == [
            (finding(number).sha256,) * 2 for number in (2, 3, 0, 1)
        ]
