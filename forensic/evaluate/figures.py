"""Figures of an evaluation: how the scores of known and unknown images lie to the threshold."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from forensic.errors import MissingError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from forensic.evaluate.measures import Condition

FORMATS = (".png", ".svg", ".pdf")
_BINS = 40


def score_histogram(condition: Condition, threshold: float, target: Path) -> bytes:
    """Histogram of the scores of known images, right and wrong, and of unknown ones, with the threshold.

    The counterpart of POSE's confidence histograms (Fig. 4).

    Args:
        condition: what was measured.
        threshold: drawn as a line.
        target: only its suffix is looked at: .png, .svg or .pdf.

    Returns:
        The figure file's bytes, the same for the same scores.

    Raises:
        UsageError: another suffix.
        MissingError: matplotlib is not installed.
    """
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(str(target), "is no figure format", f"One of {', '.join(FORMATS)}")
    try:
        import matplotlib  # noqa: PLC0415 - an extra
        from matplotlib.figure import Figure  # noqa: PLC0415 - the same
    except ImportError as error:
        remedy = "Install it with `pip install 'forensic-attribution[plot]'`"
        raise MissingError("matplotlib", "is not installed; the figure needs it", remedy) from error
    known = [entry for entry in condition.attributed if entry.sample.label >= 0]
    parts = (
        ("known, right class", "#3b6ea5", [e.score for e in known if e.label == e.sample.label]),
        ("known, wrong class", "#c98a2b", [e.score for e in known if e.label != e.sample.label]),
        ("unknown", "#8c8c8c", [e.score for e in condition.attributed if e.sample.label < 0]),
    )
    scores = np.array([score for _, _, part in parts for score in part] + [threshold])
    edges = np.linspace(scores.min(), scores.max() + 1e-9, _BINS + 1)
    with matplotlib.rc_context({"svg.hashsalt": "forensic", "svg.fonttype": "none"}):
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for name, colour, part in parts:
            axes.hist(part, bins=edges.tolist(), label=f"{name} ({len(part)})", color=colour, alpha=0.6)
        axes.axvline(threshold, color="#222222", linewidth=1, label=f"threshold {threshold:.3g}")
        axes.set_xlabel("score (larger = more surely a known class)")
        axes.set_ylabel("images")
        axes.legend(frameon=False, fontsize="small")
        buffer = io.BytesIO()
        # no date and no version in the file: same scores, same bytes
        metadata = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[suffix]
        figure.savefig(buffer, format=suffix[1:], dpi=150, metadata=metadata)
    return buffer.getvalue()
