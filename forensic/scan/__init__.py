"""Whole folders of evidence to findings: walk, read once, decode in worker processes, attribute."""
