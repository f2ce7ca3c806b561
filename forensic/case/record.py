"""What stands beside the rows of a case and no digest covers: whether it agrees with itself.

The history of runs and the words of the header can be written anew by whoever holds the file. What can be held against
something else in the file is: the card against weights and classes, the runs against the closing row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forensic.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forensic.case.reader import CaseReader


def record_differences(case: CaseReader) -> Iterator[str]:
    """What does not agree beside the rows, a sentence each.

    Args:
        case: of the right form.

    Raises:
        MachineError: the case can not be read.
    """
    header, card = case.header, case.header.card
    if str(card.get("hash", header.weights))[: len(header.weights)] != header.weights:
        yield "the card is that of other weights"
    if list(card.get("classes", header.classes)) != list(header.classes):
        yield "the classes are not those of the card"
    if card.get("preprocessing", header.preprocessing) != header.preprocessing:
        yield "the preprocessing is not that of the card"
    calibration = card.get("calibration")
    kept = calibration.get("hash") if isinstance(calibration, dict) else calibration
    if kept != header.configuration.get("calibration"):
        yield "the calibration that is kept is not the one of the configuration"
    try:
        yield from _of_runs(case)
    except VerificationError as error:
        yield f"a run can not be read: {error.reason}"
    roots = "SELECT count(*) FROM root WHERE NOT id BETWEEN 0 AND (SELECT count(*) - 1 FROM root)"
    if case.connection.execute(roots).fetchone()[0]:
        yield "the roots are not numbered 0, 1, 2, ..."
    (orphans,) = case.connection.execute(
        "SELECT count(*) FROM artefact WHERE seq NOT IN (SELECT seq FROM finding)"
    ).fetchone()
    if orphans:
        yield f"{orphans} artefacts belong to no finding"


def _of_runs(case: CaseReader) -> Iterator[str]:
    runs = case.runs
    if [run.run_id for run in runs] != list(range(1, len(runs) + 1)):
        yield "the runs are not numbered 1, 2, 3, ..."
    ended = bool(runs) and runs[-1].outcome == "done"
    if ended != case.complete:
        yield "the last run came to its end, and the case has none" if ended else "the case is closed, and by no run"
