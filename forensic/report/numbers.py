"""Scores as a reader sees them."""

from __future__ import annotations


def told_apart(score: float, threshold: float) -> tuple[str, str]:
    """Both numbers with three decimals, or with as many more as it takes to tell them apart."""
    for decimals in range(3, 17):
        told = f"{score:.{decimals}f}", f"{threshold:.{decimals}f}"
        if told[0] != told[1] or score == threshold:
            return _minus(told[0]), _minus(told[1])
    return _minus(repr(score)), _minus(repr(threshold))


def _minus(number: str) -> str:
    return number.replace("-", "−")
