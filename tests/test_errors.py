"""The tree of errors: one line of subject, reason and remedy, and the exit code that the design gives each."""

from __future__ import annotations

import pytest

from forensic import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ForensicError, 1),
        (errors.UsageError, 2),
        (errors.VerificationError, 4),
        (errors.MissingError, 5),
        (errors.WeightsError, 5),
        (errors.MachineError, 6),
    ],
)
def test_exit_codes(kind: type[errors.ForensicError], code: int) -> None:
    error = kind("a.case", "lies inside the evidence folder", "Choose another place with --case")
    assert error.exit_code == code
    assert str(error) == "a.case: lies inside the evidence folder. Choose another place with --case"
    assert (error.subject, error.reason) == ("a.case", "lies inside the evidence folder")


def test_no_remedy_no_full_stop() -> None:
    assert str(errors.MachineError("disk", "full")) == "disk: full"


def test_codes_are_those_of_the_design() -> None:
    assert {code.name: int(code) for code in errors.ExitCode} == {
        "DONE": 0,
        "INTERNAL": 1,
        "USAGE": 2,
        "UNREADABLE": 3,
        "MISMATCH": 4,
        "MISSING": 5,
        "MACHINE": 6,
        "INTERRUPTED": 130,
        "CLOSED_PIPE": 141,
        "TERMINATED": 143,
    }


@pytest.mark.parametrize("kind", [errors.Unreadable, errors.Skipped])
def test_outcome_of_one_input_is_no_error_of_the_run(kind: type[errors.FileOutcome]) -> None:
    outcome = kind("empty file", flags=("small",), format="JPEG")
    assert not isinstance(outcome, errors.ForensicError)
    assert (outcome.reason, outcome.flags, outcome.format) == ("empty file", ("small",), "JPEG")


def test_tree_in_the_docstring_names_every_class() -> None:
    classes = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert {name for name in classes if name not in (errors.__doc__ or "")} == set()
