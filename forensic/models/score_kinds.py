"""The kinds of score by name: which terms each adds, which features it looks at. `scorer` defines the terms."""

from __future__ import annotations

from typing import Literal, get_args

ScoreKind = Literal[
    "sum", "softmax", "margin", "energy", "distance", "relative", "spectrum", "odds-spectrum", "combined",
    "traces", "traces-alone",
]  # fmt: skip
KINDS: tuple[ScoreKind, ...] = get_args(ScoreKind)
Term = Literal["log-odds", "margin", "energy", "distance", "relative", "spectrum", "trace-margin", "trace-distance"]
Appended = Literal["", "spectrum", "traces"]
"""What features hold behind the embedding: nothing, block means of the spectrum, or these and then traces."""

TERMS: dict[str, tuple[Term, ...]] = {
    "sum": ("log-odds", "distance"),
    "margin": ("margin",),
    "energy": ("energy",),
    "distance": ("distance",),
    "relative": ("relative",),
    "spectrum": ("spectrum",),
    "odds-spectrum": ("log-odds", "spectrum"),
    "combined": ("log-odds", "relative", "spectrum"),
    "traces": ("log-odds", "spectrum", "trace-margin", "trace-distance"),
    "traces-alone": ("trace-margin", "trace-distance"),
}
"""Kind -> what is added; `softmax` is none of them. `traces-alone` asks nothing of the network, hence serves classes
that its head does not have."""
OF_LOGITS: frozenset[Term] = frozenset({"log-odds", "margin", "energy"})
WEIGHTS: dict[tuple[str, Term], float] = {("traces", "log-odds"): 0.5}
"""Of a term in a sum, where it is not 1. Between 0 and 1 the network's share moves AUROC by less than a hundredth."""

SPECTRUM_GRID = 4
"""Blocks along a side. 2 and 8 do worse where known classes are left out in turn (docs/ablation.md)."""
SPECTRUM_FEATURES = 3 * SPECTRUM_GRID**2
TRACE_FEATURES = 900
"""Of `forensic.traces.features`, which this file does not import: cards are listed and checked without torch."""
APPENDED: dict[Appended, int] = {"": 0, "spectrum": SPECTRUM_FEATURES, "traces": SPECTRUM_FEATURES + TRACE_FEATURES}
"""Columns of features behind the embedding."""

_NEARER = "squared Mahalanobis distance to the mean of all classes minus that to the class mean"
WORDS = {
    "sum": "log-odds margin of the averaged logits minus the Mahalanobis distance to the class mean, each",
    "margin": "largest of the averaged logits minus the second,",
    "energy": "logarithm of the summed exponentials of the averaged logits,",
    "distance": "negative Mahalanobis distance to the class mean,",
    "relative": f"{_NEARER},",
    "spectrum": f"{_NEARER}, of block means of the log spectrum,",
    "odds-spectrum": "log-odds margin of the averaged logits plus, of block means of the log spectrum, the "
    f"{_NEARER}, each",
    "combined": f"log-odds margin of the averaged logits plus {_NEARER}, plus the same difference for block means of "
    "the log spectrum, each",
    "traces": "of residual traces, the margin between the squared distances to the next and to the nearest class minus "
    "the distance to the nearest, plus, of block means of the log spectrum, the "
    f"{_NEARER}, plus half the log-odds margin of the averaged logits, each",
    "traces-alone": "of residual traces, the margin between the squared distances to the next and to the nearest class "
    "minus the distance to the nearest, each",
}
"""What the card says of a kind, before the sentence on its scale."""


def appended(kind: str) -> Appended:
    """What a kind's features hold behind the embedding."""
    if kind in ("traces", "traces-alone"):
        return "traces"
    return "spectrum" if "spectrum" in TERMS.get(kind, ()) else ""
