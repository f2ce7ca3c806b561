from __future__ import annotations

import io

import pytest

from forensic import report
from forensic.case.ledger import open_case
from forensic.case.rows import finding_to_json
from forensic.report.export import FORMS, export


def exported(case, form) -> bytes:
    stream = io.BytesIO()
    with open_case(case) as stored:
        export(stored, form, stream)
    assert not stream.closed
    return stream.getvalue()


def test_jsonl_and_csv_are_those_of_the_report(make_case) -> None:
    case = make_case()
    for form in ("jsonl", "csv"):
        report.write(case, case.with_suffix(f".{form}"))
        assert exported(case, form) == case.with_suffix(f".{form}").read_bytes()
    lines = [finding_to_json(finding) for finding, _ in make_case.every_outcome()]
    assert exported(case, "jsonl").decode("ascii").splitlines() == lines


@pytest.mark.parametrize("form", [form for form in FORMS if form != "parquet"])
def test_the_same_case_gives_the_same_bytes(make_case, form) -> None:
    first = exported(make_case(name="a.case"), form)
    assert first
    assert first == exported(make_case(name="b.case"), form)


def test_manifests_count_what_has_no_hash(make_case) -> None:
    with open_case(make_case()) as stored:
        left_out = sum(finding.sha256 is None for finding, _ in stored.lines())
        assert left_out > 0
        for form in ("sha256sum", "bagit"):
            assert export(stored, form, io.BytesIO()) == left_out
        assert export(stored, "jsonl", io.BytesIO()) == 0
