"""Columns read back with nothing but gzip, base64 and struct: every value of every finding is there."""

from __future__ import annotations

import base64
import gzip
import json
import math
import struct
from dataclasses import fields
from typing import Any

import pytest

from forensic.case.ledger import open_case
from forensic.case.rows import Artefacts, Finding, finding_to_json
from forensic.report import columns
from forensic.report.columns import BESIDE, NUMBERS, TABLES, Columns
from forensic.report.drawing import OVERSHOOT
from forensic.report.escaping import visible
from forensic.report.view import RowWriter, survey


def blocks_of(case: Any, about: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, bytes], RowWriter]:
    with open_case(case) as reader:
        found = survey((finding, artefacts) for _, finding, artefacts in reader.rows())
        writer = RowWriter(reader.header, found)
        made = Columns(reader.header, writer)
        for row, finding, artefacts in reader.rows():
            made.add(finding, artefacts, row)
    blocks = {name: gzip.decompress(base64.b64decode(text)) for name, text in made.blocks(about or {})}
    return json.loads(blocks.pop("head")), blocks, writer


def table_of(head: dict[str, Any], blocks: dict[str, bytes], name: str) -> list[Any]:
    kind = {"u1": "B", "u2": "H", "u4": "I"}[head["types"][name]]
    numbers = struct.unpack(f"<{head['rows']}{kind}", blocks[name])
    return [head["tables"][name]["values"][number] for number in numbers]


def test_every_field_of_a_finding_has_a_column() -> None:
    by_hand = {"path", "path_b64", "sha256", "scores"}
    assert {field.name for field in fields(Finding)} == {*NUMBERS, *TABLES, *BESIDE, *by_hand}


def test_what_stands_beside_is_the_json_of_the_line(make_case: Any) -> None:
    head, blocks, _ = blocks_of(make_case())
    for name in BESIDE:
        texts = blocks[f"{name}-texts"].decode("ascii").split("\n")
        told = [texts[number] for number in blocks[name]]
        assert texts[0] == ""
        for text, (finding, _) in zip(told, make_case.every_outcome(), strict=True):
            assert bool(text) == (getattr(finding, name) is not None)
            assert not text or f'"{name}": {text}' in finding_to_json(finding)
    assert table_of(head, blocks, "kinds")[2:4] == [[], ["c2pa", "generator", "tool"]]


def test_numbers_are_exact(make_case: Any) -> None:
    rows = [(make_case.scored("a", 0.1 + 0.2, "real", llr=-1e-7, p=5e-324), Artefacts()), *make_case.every_outcome()]
    head, blocks, _ = blocks_of(make_case(rows))
    assert head["rows"] == 11
    for name in ("bytes", "width", "height", "score", "threshold", "llr", "p"):
        values = [getattr(finding, name) for finding, _ in rows]
        read = struct.unpack("<11d", blocks[name])
        assert [None if math.isnan(value) else value for value in read] == values


def test_a_column_without_any_value_is_left_out(make_case: Any) -> None:
    _, blocks, _ = blocks_of(make_case())
    assert not {"llr", "p", "scores"} & set(blocks)


@pytest.mark.parametrize("name", TABLES)
def test_tables_hold_every_value(make_case: Any, name: str) -> None:
    head, blocks, _ = blocks_of(make_case())
    values = [getattr(finding, name) for finding, _ in make_case.every_outcome()]
    assert table_of(head, blocks, name) == [list(value) if isinstance(value, tuple) else value for value in values]


def test_an_index_takes_as_many_bytes_as_it_needs(make_case: Any) -> None:
    rows = [(make_case.scored(f"{n}", 1.0, "real", flags=(f"duplicate-of={n}",)), Artefacts()) for n in range(300)]
    head, blocks, _ = blocks_of(make_case(rows))
    assert (head["types"]["flags"], head["types"]["label"]) == ("u2", "u1")
    assert table_of(head, blocks, "flags")[299] == ["duplicate-of=299"]


def test_what_must_not_be_shown_as_it_is_stands_beside(make_case: Any) -> None:
    head, blocks, _ = blocks_of(make_case())
    rows = [finding for finding, _ in make_case.every_outcome()]
    assert blocks["path"].decode().split("\n") == [visible(finding.path) for finding in rows]
    assert head["exact"] == {"7": make_case.BIDI_NAME, "8": "in/a\nb\x1b[31m\x07.png"}
    assert head["base64"] == {"9": "aW4v//4ucG5n"}
    hostile = [(make_case.scored("a", 1.0, "al\u202epha", flags=("x=\x07",)), Artefacts())]
    head = blocks_of(make_case(hostile, name="b.case"))[0]
    assert head["tables"]["label"] == {"values": ["al\u202epha"], "shown": {"0": "al\\u202epha"}}
    assert head["tables"]["flags"]["shown"] == {"0": ["x=\\x07"]}


def test_hashes_are_bytes_and_nought_for_none(make_case: Any) -> None:
    _, blocks, _ = blocks_of(make_case())
    hashes = [blocks["sha256"][32 * n : 32 * n + 32].hex() for n in range(10)]
    assert hashes == [finding.sha256 or "0" * 64 for finding, _ in make_case.every_outcome()]


def test_spectra_are_heights_as_steps(make_case: Any) -> None:
    head, blocks, writer = blocks_of(make_case())
    assert head["bins"] == 64
    for row, (_, artefacts) in enumerate(make_case.every_outcome()):
        steps, at, heights = blocks["spectrum"][62 * row : 62 * row + 62], 0, []
        for step in steps:
            at = (at + step) % 256
            heights.append(at - OVERSHOOT - 1)
        if artefacts.spectrum is None:
            assert steps == bytes(62)
        else:
            assert heights == writer.spectrum_scale.heights(artefacts.spectrum)
    gaps = blocks["gap"].decode().split("\n")
    assert gaps[1].startswith("62,-10,3,")
    assert gaps[3] == ""


def test_a_spectrum_of_another_length_is_left_out(make_case: Any) -> None:  # weights without any say no length
    rows = [
        (make_case.scored("a", 1.0, "real"), Artefacts()),
        (make_case.scored("b", 1.0, "real"), Artefacts(spectrum=(5.0,) * 64)),
        (make_case.scored("c", 1.0, "real"), Artefacts(spectrum=(5.0,) * 32)),
    ]
    _, blocks, _ = blocks_of(make_case(rows, class_spectra={}))
    assert len(blocks["spectrum"]) == 3 * 62
    assert [any(blocks["spectrum"][62 * n : 62 * n + 62]) for n in range(3)] == [False, True, False]


def test_class_scores_are_a_matrix_and_odd_ones_stand_apart(make_case: Any) -> None:
    both = {"real": 0.5, "alpha": -2.0}
    rows = [
        (make_case.scored("a", 1.0, "real"), Artefacts()),
        (make_case.scored("b", 1.0, "real", scores=both), Artefacts()),
        (make_case.scored("c", 1.0, "real", scores={"beta": 3.0}), Artefacts()),
    ]
    head, blocks, _ = blocks_of(make_case(rows))
    assert head["scoreNames"] == ["real", "alpha"]
    assert head["oddScores"] == {"2": {"beta": 3.0}}
    assert struct.unpack("<6d", blocks["scores"])[2:4] == (0.5, -2.0)


def test_head_comes_first_and_carries_more(make_case: Any) -> None:
    with open_case(make_case([])) as reader:
        made = Columns(reader.header, RowWriter(reader.header, survey([])))
    names = [name for name, _ in made.blocks({})]
    assert names[0] == "head"
    assert blocks_of(make_case(name="b.case"), {"plain": 7})[0]["plain"] == 7
    assert columns.FORMAT == 1
