from __future__ import annotations

import pytest

from forensic.case.flags import of_decoder, with_duplicate_of, without_stability


@pytest.mark.parametrize(
    ("flags", "path", "then"),
    [
        ((), None, ()),
        ((), "a", ("duplicate-of=a",)),
        (("small", "outside-validation"), "a", ("small", "duplicate-of=a", "outside-validation")),
        (("small", "duplicate-of=b", "not-validated"), "a", ("small", "duplicate-of=a", "not-validated")),
        (("small", "duplicate-of=b"), None, ("small",)),
        (
            ("outside-calibration=size", "llr-at-bound"),
            "a",
            ("duplicate-of=a", "outside-calibration=size", "llr-at-bound"),
        ),
        (
            ("small", "stability=4/5", "changed-by=x+y"),
            "a",
            ("small", "duplicate-of=a", "stability=4/5", "changed-by=x+y"),
        ),
    ],
)
def test_the_flag_stands_where_a_scan_puts_it(flags, path, then) -> None:
    assert with_duplicate_of(flags, path) == then


def test_flags_of_the_decoder() -> None:
    flags = ("small", "x=1", "duplicate-of=b", "not-validated", "outside-validation")
    assert of_decoder(flags) == ("small", "x=1")
    assert of_decoder((*flags, "stability=1/2", "changed-by=crop-8")) == ("small", "x=1")
    assert of_decoder((*flags, "llr-withheld=small", "p-disagrees")) == ("small", "x=1")
    assert without_stability(("small", "stability=1/2", "changed-by=crop-8")) == ("small",)
