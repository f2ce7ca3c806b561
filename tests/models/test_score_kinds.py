"""What the names promise each other."""

import subprocess
import sys

import pytest

from forensic.models.score_kinds import APPENDED, KINDS, SPECTRUM_FEATURES, TERMS, TRACE_FEATURES, WORDS, appended
from forensic.traces.features import FEATURES


def test_every_kind_but_the_softmax_has_terms_and_words() -> None:
    assert set(TERMS) == set(WORDS) == set(KINDS) - {"softmax"}


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("softmax", 0),
        ("sum", 0),
        ("relative", 0),
        ("spectrum", SPECTRUM_FEATURES),
        ("combined", 48),
        ("traces", 948),
        ("traces-alone", 948),
    ],
)
def test_what_stands_behind_the_embedding(kind: str, columns: int) -> None:
    assert APPENDED[appended(kind)] == columns


def test_traces_are_as_many_as_are_measured() -> None:
    assert TRACE_FEATURES == FEATURES


def test_kinds_are_told_without_torch() -> None:
    code = "import sys, forensic.models.scorer; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0
