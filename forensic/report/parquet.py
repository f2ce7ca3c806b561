"""Findings as Parquet, for programs that read columns; needs the extra `parquet`."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import IO, TYPE_CHECKING, Any

from forensic.case.beside import CarriedClaim
from forensic.case.rows import finding_to_dict
from forensic.errors import MissingError
from forensic.report.rows import holds_salvaged

if TYPE_CHECKING:
    from forensic.case.reader import CaseReader

_BATCH = 10_000
"""Rows a group: memory does not depend on the size of the case."""


def write_parquet(case: CaseReader, stream: IO[bytes]) -> None:
    """One row a finding, every key a column, typed; flags are a list, per-class scores a map, claims a list of records.

    The file's metadata has weights and closing digest. The same case and pyarrow give the same bytes.

    Raises:
        MissingError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise MissingError(
            "--format parquet",
            "pyarrow is not installed",
            "Install it with `pip install 'forensic-attribution[parquet]'`, or use --format jsonl",
        ) from error
    text, number = pa.string(), pa.float64()
    kinds = {"str": text, "str | None": text, "int | None": pa.int64()}
    columns: dict[str, Any] = {
        **dict.fromkeys(("path", "path_b64", "sha256"), text),
        "bytes": pa.int64(),
        "format": text,
        "width": pa.int64(),
        "height": pa.int64(),
        **dict.fromkeys(("status", "reason", "verdict", "label", "nearest"), text),
        **dict.fromkeys(("score", "threshold"), number),
        "scores": pa.map_(text, number),
        **dict.fromkeys(("llr", "p"), number),
        "flags": pa.list_(text),
        **dict.fromkeys(("preprocessing", "weights", "decoder", "engine"), text),
        "claims": pa.list_(pa.struct({field.name: kinds[str(field.type)] for field in fields(CarriedClaim)})),
    }
    if holds_salvaged(case):
        columns["salvaged"] = text  # one JSON object: a part is no picture, and none of its numbers a column's
    told = {"forensic.weights": case.header.weights, "forensic.closing_digest": case.closing_digest}
    schema = pa.schema(columns, metadata=told)
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        rows: list[dict[str, Any]] = []
        for finding, _ in case.lines():
            row = finding_to_dict(finding)
            if "scores" in row:
                row["scores"] = list(row["scores"].items())
            if "salvaged" in row:
                row["salvaged"] = json.dumps(row["salvaged"])
            rows.append(row)
            if len(rows) == _BATCH:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows = []
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema))
