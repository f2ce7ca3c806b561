from __future__ import annotations

import pytest

from forensic.case import thumbnails
from forensic.case.ledger import create_case
from forensic.case.rows import Artefacts
from forensic.case.thumbnails import ThumbnailBudget


@pytest.fixture(autouse=True)
def ten_bytes(monkeypatch) -> None:
    monkeypatch.setattr(thumbnails, "THUMBNAIL_BUDGET", 10)


def test_after_the_first_that_does_not_fit_none_is_kept() -> None:
    budget = ThumbnailBudget()
    sizes = [4, 6, 1, 0]
    assert [budget.kept(b"x" * size) is not None for size in sizes] == [True, True, False, False]
    budget = ThumbnailBudget()
    assert [budget.kept(b"x" * size) is not None for size in [4, 7, 1]] == [True, False, False]
    assert ThumbnailBudget().kept(None) is None


@pytest.mark.parametrize("stop", range(5))
def test_a_case_that_goes_on_keeps_what_an_undisturbed_one_keeps(tmp_path, header, finding, stop) -> None:
    pictures = [b"x" * size for size in (4, 7, 1, 2)]
    undisturbed = ThumbnailBudget()
    wanted = [undisturbed.kept(picture) for picture in pictures]
    with create_case(tmp_path / "a.case", header()) as case:
        before = ThumbnailBudget(case)
        case.append([(finding(n), Artefacts(thumbnail=before.kept(pictures[n]))) for n in range(stop)])
        after = ThumbnailBudget(case)
        kept = [artefacts.thumbnail for _, _, artefacts in case.rows()]
        assert kept + [after.kept(picture) for picture in pictures[stop:]] == wanted


def test_what_a_part_left_out_ends_it() -> None:
    budget = ThumbnailBudget()
    budget.spend()
    assert budget.kept(b"x") is None
