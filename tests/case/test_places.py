from __future__ import annotations

import os

import pytest

from forensic.case.ledger import Place, Root, create_case, open_case
from forensic.case.places import Places
from forensic.case.rows import Artefacts
from forensic.errors import UsageError, VerificationError


@pytest.fixture
def made(tmp_path, header, finding):
    """`made((given, absolute, below), ...)`: an open case with these roots and one file below each; b"" is the root."""

    def make(*roots):
        path = tmp_path / "made.case"
        with create_case(path, header(), roots=[Root(given, absolute) for given, absolute, _ in roots]) as case:
            rows = [
                finding(number, path=os.fsdecode(given + (b"/" + below if below else b"")))
                for number, (given, _, below) in enumerate(roots)
            ]
            places = [Place(number, below) for number, (_, _, below) in enumerate(roots)]
            case.append([(row, Artefacts()) for row in rows], places)
            case.finish()
        return open_case(path)

    return make


def test_one_folder_stays_where_it_was_or_moves(made, tmp_path) -> None:
    with made((b"in", b"/evidence/in", b"a/b.png")) as case:
        assert Places(case).folder == b"/evidence/in"
        assert Places(case).opened(Place(0, b"a/b.png"), follow_links=False) == b"/evidence/in/a/b.png"
        moved = Places(case, [str(tmp_path)])
        assert moved.opened(Place(0, b"a/b.png"), follow_links=False) == os.fsencode(tmp_path / "a/b.png")
        assert moved.below(Place(0, b"a/b.png")) == b"a/b.png"


def test_several_roots_move_with_the_folder_that_holds_them(made, tmp_path) -> None:
    with made((b"in", b"/evidence/x/in", b"a.png"), (b"b.png", b"/evidence/y/b.png", b"")) as case:
        moved = Places(case, [str(tmp_path)])
        assert moved.folder == b"/evidence"
        assert moved.opened(Place(0, b"a.png"), follow_links=False) == os.fsencode(tmp_path / "x/in/a.png")
        assert moved.opened(Place(1), follow_links=False) == os.fsencode(tmp_path / "y/b.png")
        assert [moved.below(place) for place in (Place(0, b"a.png"), Place(1))] == [b"x/in/a.png", b"y/b.png"]


def test_a_single_file_lies_in_its_folder(made, tmp_path) -> None:
    with made((b"b.png", b"/evidence/y/b.png", b"")) as case:
        assert Places(case).folder == b"/evidence/y"
        assert Places(case, [str(tmp_path)]).opened(Place(0), follow_links=True) == os.fsencode(tmp_path / "b.png")


def test_roots_move_one_by_one_and_the_longest_name_wins(made, tmp_path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with made((b"in", b"/evidence/in", b"a.png"), (b"/evidence/out", b"/evidence/out", b"a.png")) as case:
        moved = Places(case, [f"/evidence={tmp_path / 'one'}", f"in={tmp_path / 'two'}"])
        assert moved.opened(Place(0, b"a.png"), follow_links=False) == os.fsencode(tmp_path / "two/a.png")
        assert moved.opened(Place(1, b"a.png"), follow_links=False) == os.fsencode(tmp_path / "one/out/a.png")


def test_a_link_that_was_given_is_resolved_unless_links_are_followed(made, tmp_path) -> None:
    (tmp_path / "real.png").touch()
    (tmp_path / "link.png").symlink_to("real.png")
    link = os.fsencode(tmp_path / "link.png")
    with made((link, link, b"")) as case:
        assert Places(case).opened(Place(0), follow_links=False) == os.fsencode((tmp_path / "real.png").resolve())
        assert Places(case).opened(Place(0), follow_links=True) == link


def test_a_row_below_no_root_is_told(made) -> None:
    with made((b"in", b"/evidence/in", b"a.png")) as case:
        for place in (Place(1, b"a.png"), Place(-1, b"a.png")):
            with pytest.raises(VerificationError, match="the case has no such root"):
                Places(case).below(place)
            with pytest.raises(VerificationError, match="the case has no such root"):
                Places(case).opened(place, follow_links=False)


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (["/no/such/folder"], "is not there"),
        (["in=/no/such/folder"], "is not there"),
        (["elsewhere=."], "no root of the case lies there"),
        ([".", "in=."], "stands for all roots"),
    ],
)
def test_wrong_places_are_told(made, evidence, said) -> None:
    with made((b"in", b"/evidence/in", b"a.png")) as case, pytest.raises(UsageError, match=said):
        Places(case, evidence)
