"""Findings by column, compressed, for the script of the page: what `page/unpack.js` reads.

A block is a column: numbers as little-endian 64-bit floats (NaN for null), repeated values as an index into a table,
paths as lines, hashes and spectra as bytes. Each is compressed by itself and written in base64, so that nothing in it
can end the element it stands in. The block `head` is JSON and says how to read the others. From the columns the script
writes the very lines of JSON that `scan` prints.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import sys
from array import array
from typing import TYPE_CHECKING, Any

from forensic.case.rows import finding_to_dict
from forensic.report.drawing import FIRST_BIN, OVERSHOOT, PLOT_HEIGHT, departure
from forensic.report.escaping import visible
from forensic.report.rows import kinds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forensic.case.rows import Artefacts, CaseHeader, Finding
    from forensic.report.view import RowWriter

FORMAT = 1
"""Of the blocks together; page and script are one file, so that only one ever has to be understood."""

NUMBERS = ("bytes", "width", "height", "score", "threshold", "llr", "p")
TABLES = (
    "status",
    "reason",
    "verdict",
    "label",
    "nearest",
    "format",
    "flags",
    "preprocessing",
    "weights",
    "decoder",
    "engine",
)
WEIGHED = "weighed"
"""A table of what a calibration says beside the verdicts; only with a calibration, and no field of a finding."""
BESIDE = ("claims", "salvaged")
"""What stands beside a finding: its JSON as the finding's line has it, each once, an empty line for none."""
_INTEGERS = ("bytes", "width", "height")
_LEVEL = 6


class Columns:
    """Takes findings in path order, then gives the blocks."""

    def __init__(self, header: CaseHeader, writer: RowWriter) -> None:
        self._header = header
        self._writer = writer
        self._numbers = {name: array("d") for name in NUMBERS}
        told = (WEIGHED,) if writer.wording.calibration is not None else ()
        self._tables = {name: _Table() for name in (*TABLES, *told)}
        self._beside = {name: _Table("") for name in BESIDE}
        self._kinds = _Table()
        self._paths: list[str] = []
        self._exact: dict[int, str] = {}
        self._base64: dict[int, str] = {}
        self._sha256 = bytearray()
        self._pictures = array("I")
        self._spectra = bytearray()
        self._bins = 0
        self._gaps: list[str] = []
        self._score_names: tuple[str, ...] = ()
        self._scores = array("d")
        self._odd_scores: dict[int, dict[str, float]] = {}

    def add(self, finding: Finding, artefacts: Artefacts, picture: int) -> None:
        """Take one finding.

        Args:
            finding: the next in path order.
            artefacts: its spectrum; the thumbnail is not taken here.
            picture: a number that tells the script where the thumbnail is.
        """
        row = len(self._paths)
        for name, column in self._numbers.items():
            value = getattr(finding, name)
            column.append(math.nan if value is None else value)
        for name, table in self._tables.items():
            table.add(self._writer.wording.beside(finding) if name == WEIGHED else getattr(finding, name))
        told = {} if finding.claims is None and finding.salvaged is None else finding_to_dict(finding)
        for name, texts in self._beside.items():
            texts.add(json.dumps(told[name], ensure_ascii=True, allow_nan=False) if name in told else "")
        self._kinds.add(kinds_of(finding))
        path = visible(finding.path)
        if path != finding.path:
            self._exact[row] = finding.path
        if finding.path_b64 is not None:
            self._base64[row] = finding.path_b64
        self._paths.append(path)
        self._sha256 += bytes.fromhex(finding.sha256) if finding.sha256 is not None else bytes(32)
        self._pictures.append(picture)
        self._add_spectrum(finding, artefacts.spectrum)
        self._add_scores(row, finding.scores)

    def _add_spectrum(self, finding: Finding, profile: tuple[float, ...] | None) -> None:
        """Heights of the curve as steps from bin to bin (modulo 256; 0 is kept for no curve), and how it departs."""
        if profile is not None and not self._bins:
            self._bins = len(profile)
        if profile is None or len(profile) != self._bins:
            self._spectra += bytes(max(self._bins - FIRST_BIN, 0))
            self._gaps.append("")
            return
        if missing := (self._bins - FIRST_BIN) * len(self._gaps) - len(self._spectra):
            self._spectra += bytes(missing)  # rows before the first that has a spectrum
        before = 0
        for height in self._writer.spectrum_scale.heights(profile):
            at = height + OVERSHOOT + 1
            self._spectra.append((at - before) % 256)
            before = at
        against = self._header.class_spectra.get(finding.label or finding.nearest or "")
        if against is None or len(against[0]) != self._bins:
            self._gaps.append("")
            return
        gap = departure(profile, *against)
        self._gaps.append(f"{gap.within},{gap.largest},{gap.spreads},{gap.at},{gap.frequency}")

    def _add_scores(self, row: int, scores: dict[str, float] | None) -> None:
        if scores is not None and not self._score_names:
            self._score_names = tuple(scores)
            self._scores.extend([math.nan] * (row * len(scores)))
        if scores is not None and tuple(scores) == self._score_names:
            self._scores.extend(scores.values())
            return
        self._scores.extend([math.nan] * len(self._score_names))
        if scores is not None:
            self._odd_scores[row] = scores

    def blocks(self, about: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Name and base64 text of every block, `head` first.

        Args:
            about: more for the head: what the script must know of the case and the page.
        """
        columns: dict[str, bytes] = {"path": "\n".join(self._paths).encode("utf-8", "backslashreplace")}
        columns["sha256"] = bytes(self._sha256)
        columns["picture"] = _little(self._pictures)
        types: dict[str, str] = {}
        for name, numbers in self._numbers.items():
            if not all(map(math.isnan, numbers)):
                columns[name] = _little(numbers)
        for name, table in self._tables.items():
            columns[name] = _little(table.column)
            types[name] = f"u{table.column.itemsize}"
        for name, table in self._beside.items():
            columns[name] = _little(table.column)
            types[name] = f"u{table.column.itemsize}"
            columns[f"{name}-texts"] = "\n".join(table.values).encode("ascii")
        columns["kinds"] = _little(self._kinds.column)
        types["kinds"] = f"u{self._kinds.column.itemsize}"
        if self._bins:
            columns["spectrum"] = bytes(self._spectra)
            columns["gap"] = "\n".join(self._gaps).encode("ascii")
        if self._scores:
            columns["scores"] = _little(self._scores)
        head = {
            "format": FORMAT,
            "rows": len(self._paths),
            "types": types,
            "integers": _INTEGERS,
            "tables": {name: table.told() for name, table in (self._tables | {"kinds": self._kinds}).items()},
            "exact": self._exact,
            "base64": self._base64,
            "bins": self._bins,
            "scoreNames": self._score_names,
            "oddScores": self._odd_scores,
            "scale": [self._writer.score_scale.low, self._writer.score_scale.high],
            "spectra": self._class_heights(),
            **about,
        }
        yield "head", _packed(json.dumps(head, ensure_ascii=True, separators=(",", ":")).encode("ascii"))
        for name, content in columns.items():
            yield name, _packed(content)

    def _class_heights(self) -> list[dict[str, Any]]:
        """Each class's mean as it is drawn, and its spread in the drawing's units."""
        scale = self._writer.spectrum_scale
        unit = PLOT_HEIGHT / (scale.top - scale.bottom)
        return [
            {
                "name": name,
                "mean": scale.heights(mean),
                "spread": [max(1, round(value * unit)) for value in spread[FIRST_BIN:]],
            }
            for name, (mean, spread) in self._header.class_spectra.items()
        ]


class _Table:
    """Values that repeat, each once, in the order in which they came; rows hold their numbers."""

    def __init__(self, *first: Any) -> None:  # noqa: ANN401 - as `add`
        self._numbers: dict[Any, int] = {value: number for number, value in enumerate(first)}
        self._column = array("I")

    def add(self, value: Any) -> None:  # noqa: ANN401 - text, a tuple of texts or None
        self._column.append(self._numbers.setdefault(value, len(self._numbers)))

    @property
    def values(self) -> list[Any]:
        """The values by their numbers."""
        return list(self._numbers)

    @property
    def column(self) -> array[int]:
        """The rows' numbers in as few bytes as they need."""
        kind = "B" if len(self._numbers) <= 0x100 else "H" if len(self._numbers) <= 0x10000 else "I"
        return array(kind, self._column)

    def told(self) -> dict[str, Any]:
        """The values, and under `shown`, by their number, those that a page must not show as they are."""
        shown: dict[int, str | list[str]] = {}
        for value, number in self._numbers.items():
            if isinstance(value, str) and visible(value) != value:
                shown[number] = visible(value)
            elif isinstance(value, tuple) and any(visible(text) != text for text in value):
                shown[number] = [visible(text) for text in value]
        return {"values": self.values, "shown": shown}


def _little(numbers: array[Any]) -> bytes:
    if sys.byteorder == "big":
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, compresslevel=_LEVEL, mtime=0)).decode("ascii")
