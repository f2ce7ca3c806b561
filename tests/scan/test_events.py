from __future__ import annotations

import pytest

from forensic.case.rows import Counts
from forensic.errors import ExitCode
from forensic.scan.events import Summary


@pytest.mark.parametrize(
    ("outcome", "counts", "code"),
    [
        ("done", Counts(known=1), ExitCode.DONE),
        ("done", Counts(skipped=2), ExitCode.DONE),
        ("done", Counts(known=1, unreadable=1), ExitCode.UNREADABLE),
        ("again", Counts(unreadable=1), ExitCode.UNREADABLE),
        ("again", Counts(unknown=1), ExitCode.DONE),
        ("interrupted", Counts(unreadable=1), ExitCode.INTERRUPTED),
    ],
)
def test_exit_code(outcome, counts, code) -> None:
    assert Summary(outcome, counts, 0, 0, "", None).exit_code == code
