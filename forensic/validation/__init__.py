"""Calibrations of weights, and what a laboratory can state of them on pictures of its own."""
