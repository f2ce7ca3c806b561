"""Ratios in digits, for whoever tells them; nothing else is loaded here."""

from __future__ import annotations

import sys


def ratio_in_digits(llr: float) -> str:
    """A ratio with two digits.

    Args:
        llr: its log10; what no number holds, as an altered case may say, is told as a power.
    """
    return f"{10**llr:.2g}" if abs(llr) < sys.float_info.max_10_exp else f"10^{llr:.3g}"
