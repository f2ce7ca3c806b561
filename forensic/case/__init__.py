"""The case: one SQLite file in which scan and report meet. Standard library only."""
