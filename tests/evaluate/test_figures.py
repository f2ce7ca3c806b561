from __future__ import annotations

import builtins
from pathlib import Path

import pytest

from forensic.errors import MissingError, UsageError
from forensic.evaluate.figures import score_histogram
from forensic.evaluate.run import Evaluation

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.mark.parametrize("suffix", MAGIC)
def test_same_scores_same_bytes(evaluation: Evaluation, suffix: str) -> None:
    figure = score_histogram(evaluation.stored, 0.5, Path(f"x{suffix}"))
    assert figure.startswith(MAGIC[suffix])
    assert score_histogram(evaluation.stored, 0.5, Path(f"y{suffix}")) == figure


def test_it_names_what_it_shows(evaluation: Evaluation) -> None:
    text = score_histogram(evaluation.stored, 0.25, Path("x.svg")).decode()
    unknown = sum(entry.sample.label < 0 for entry in evaluation.stored.attributed)
    for words in (f"unknown ({unknown})", "threshold 0.25", "larger = more surely a known class", "known, right class"):
        assert words in text


def test_other_formats_are_refused(evaluation: Evaluation) -> None:
    with pytest.raises(UsageError, match="is no figure format"):
        score_histogram(evaluation.stored, 0.5, Path("x.gif"))


def test_without_matplotlib(evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def absent(name: str, *rest, **more):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return really(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingError, match=r"pip install 'forensic-attribution\[plot\]'"):
        score_histogram(evaluation.stored, 0.5, Path("x.png"))
