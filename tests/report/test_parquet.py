from __future__ import annotations

import builtins
import io
import json

import pytest

from forensic.case.ledger import open_case
from forensic.case.rows import finding_to_dict
from forensic.errors import MissingError
from forensic.report import parquet as module
from forensic.report.parquet import write_parquet


def written(case) -> bytes:
    stream = io.BytesIO()
    with open_case(case) as stored:
        write_parquet(stored, stream)
    return stream.getvalue()


@pytest.mark.parametrize("group", [3, 10_000])
def test_every_key_of_every_finding_comes_back(make_case, group, monkeypatch) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    monkeypatch.setattr(module, "_BATCH", group)
    rows = make_case.every_outcome()
    rows.append((make_case.scored("in/z.png", 1.0, "alpha", scores={"real": -1.5, "alpha": 2.25}), make_case.EMPTY))
    case = make_case(rows)
    table = pq.read_table(io.BytesIO(written(case)))
    for row, (finding, _) in zip(table.to_pylist(), rows, strict=True):
        said = finding_to_dict(finding)
        row["salvaged"] = None if row["salvaged"] is None else json.loads(row["salvaged"])
        row["scores"] = None if row["scores"] is None else dict(row["scores"])
        assert {name: value for name, value in row.items() if name in said} == said
        assert all(value is None for name, value in row.items() if name not in said)
    with open_case(case) as stored:
        assert table.schema.metadata[b"forensic.closing_digest"].decode() == stored.closing_digest


def test_the_same_case_gives_the_same_bytes(make_case) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    case = make_case()
    assert written(case) == written(case)


def test_without_pyarrow_the_message_says_what_to_do(make_case, monkeypatch) -> None:
    true_import = builtins.__import__

    def refuse(name: str, *rest):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return true_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingError, match=r"pip install 'forensic-attribution\[parquet\]'"):
        written(make_case())
