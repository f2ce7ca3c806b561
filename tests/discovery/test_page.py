"""The page: inert, self-contained, the same bytes for the same clusters."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from forensic.case.ledger import open_case
from forensic.cli.console import safe
from forensic.discovery.page import to_page
from forensic.discovery.space import load_whitening


class Seen(HTMLParser):
    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.values: list[str] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.values += [value for name, value in attrs if name in ("src", "href") and value]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_holds_pictures_spectra_and_what_it_is_not(
    folder, tmp_path, rejecting, discovered, comparing_weights
) -> None:
    first, second, *_ = sorted(folder.iterdir())
    first.rename(folder / "<script>alert(1)<\u202egnp.png")
    case = rejecting(folder, tmp_path / "a.case")
    second.unlink()
    found = discovered(case, k=2)
    card = load_whitening(comparing_weights)[0]
    with open_case(case) as stored:
        page = to_page(found, stored, card, "weights", told=safe)
        assert page == to_page(discovered(case, k=2), stored, card, "weights", told=safe)
    seen = Seen(page)
    assert "script" not in seen.tags
    assert "\u202e" not in page.decode()
    assert seen.tags.count("img") == sum(len(each.shown) for each in found.clusters)
    assert seen.tags.count("svg") >= 2
    assert all(value.startswith(("data:image/webp;base64,UklGR", "#")) for value in seen.values)
    assert not re.search(rb"https?://(?!www\.w3\.org)", page)
    for said in (
        "no finding",
        "unknown-1",
        "unknown-2",
        "is missing",
        second.name,
        found.clusters[0].members[0].sha256[:12],
    ):
        assert said in seen.text


def test_page_of_nothing(folder, tmp_path, rejecting, discovered, comparing_weights) -> None:
    case = rejecting(folder, tmp_path / "a.case", -1e9)
    with open_case(case) as stored:
        page = to_page(discovered(case), stored, load_whitening(comparing_weights)[0], "weights", told=safe)
    assert "rejected no file" in Seen(page).text
