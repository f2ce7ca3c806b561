"""What stands beside a finding, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forensic.case.beside import Salvaged
from forensic.report.beside import MOST_CLAIMS, claim_views, salvaged_words


def test_claims_are_cut_and_hide_nothing(make_case: Any) -> None:
    claims = make_case.every_outcome()[3][0].claims
    shown = claim_views(claims)
    assert len(claims) == MOST_CLAIMS + 1
    assert [view.kind for view in shown] == ["generator", "c2pa", "metadata", "tool", ""]
    assert shown[0].text.startswith("</script><svg onload=x> \\u202eboat\\x0a=1+1 [red] é")
    assert shown[0].text.endswith("é…")
    assert len(shown[0].text) == 121
    assert shown[0].about == "unsigned claim, PNG tEXt 'parameters' at byte 33"
    assert (shown[1].text, shown[1].about) == ("not looked into", "signature not checked, PNG caBX")
    assert shown[-1].text == "and 1 more"
    assert claim_views(None) == ()


PART = Salvaged(rows=94, of_rows=1440, verdict="known", label="alpha", nearest="alpha", score=0.5, threshold=0.25)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (None, ""),
        (
            PART,
            "Salvaged part, in no count: 94 of 1,440 rows, attributed to class alpha; score 0.500, threshold 0.250",
        ),
        (
            replace(PART, verdict="unknown", label=None, score=-1.0),
            (
                "Salvaged part, in no count: 94 of 1,440 rows, attributed to no known class, nearest is alpha; "
                "score −1.000, threshold 0.250"
            ),
        ),
        (Salvaged(rows=0, reason="nothing \u202e"), "Nothing \\u202e"),
    ],
)
def test_a_salvaged_part_in_a_sentence(part: Salvaged | None, words: str) -> None:
    assert salvaged_words(part) == words
