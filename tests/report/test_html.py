"""The page: what must stand in it, what may never, and that the same case gives the same bytes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from forensic import report
from forensic.case.ledger import open_case
from forensic.report import html, pictures

FORBIDDEN = (
    r"fakes?",
    r"authentic\w*",
    r"genuine\w*",
    r"original\w*",
    r"prov(?:es?|ed|en)",
    r"certain\w*",
    r"100 ?%",
    r"zero error",
    r"match\w*",
    r"identif\w*",
    r"fingerprints?",
    r"probability that",
    r"confiden\w*",
    r"consistent with",
    r"inconclusive",
    r"ai-made",
)


class Reader(HTMLParser):
    """Collects what a browser would see: text, attributes, and the raw content of style and script."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.raw: dict[str, list[str]] = {"style": [], "script": []}
        self.data: dict[str, str] = {}
        self._inside: str | None = None
        self._id: str | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        found = dict(attrs)
        self._id = found.get("id") if found.get("type") == "text/plain" else None
        self._inside = tag if tag in self.raw else None
        if tag in self.raw and self._id is None:
            self.raw[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.raw:
            self._inside = self._id = None

    def handle_data(self, data: str) -> None:
        if self._id is not None:
            self.data[self._id] = self.data.get(self._id, "") + data
        elif self._inside is not None:
            self.raw[self._inside][-1] += data
        else:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def page_of(case: Path) -> str:
    out = case.with_suffix(".html")
    report.write(case, out)
    return out.read_text(encoding="utf-8")


def test_first_page_stands_in_the_order_of_a_forensic_report(make_case: Any) -> None:
    words = Reader(page_of(make_case())).words
    heads = ["The question", "What was examined", "What was found", "How strong", "What this can not say", "Method"]
    heads += ["Integrity, and how to repeat this", "Signatures", "The images", "End of report"]
    places = [words.index(head) for head in heads]
    assert places == sorted(places)


def test_first_page_says_what_it_must(make_case: Any) -> None:
    case = make_case()
    with open_case(case) as reader:
        digest = reader.closing_digest
    words = Reader(page_of(case)).words
    for said in (
        "Which of the known generators made each of these images",
        "A generator made the image that is none of the known classes.",
        "Not calibrated for this condition.",
        "Unknown images taken for a known class 0.117 0.058 to 0.222",
        "no unknown images",
        "Intervals are over images: of the unknown ones they say nothing of a generator that is not among them.",
        "No class counts these files.",
        "equal error on validation images",
        "Results relate to the listed files only",
        "three hash 8d21c0f3a7be",
        "M. Okafor",
        "2026-11-25 09:12:04 UTC",
        "Reviewer, date",
        digest,
        "forensic case verify a.case --level 0",
        "forensic case verify a.case --level 3",
        "forensic scan in --case NEW.case --weights three",
        "11.7 % (95 % interval 5.8 % to 22.2 %)",
    ):
        assert said in words, said


def test_counts_keep_the_unreadable_apart(make_case: Any) -> None:
    words = Reader(page_of(make_case())).words
    assert "3 known attributed to a class of these weights" in words
    assert "2 unknown attributed to no known class" in words
    assert "2 unreadable could not be read as an image" in words
    assert "3 skipped left out by rule" in words


def test_a_case_s_own_question_is_asked(make_case: Any) -> None:
    words = Reader(page_of(make_case(question="Who made <KT/4>?"))).words
    assert "Who made <KT/4>?" in words
    assert "Which of the known generators" not in words


def test_words_that_a_report_may_never_use(make_case: Any) -> None:
    reader = Reader(page_of(make_case()))
    script = " ".join(re.findall(r"""["`]([^"`]*)["`]""", reader.raw["script"][-1]))
    for text in (reader.words, script, *(value for _, name, value in reader.attributes if name == "aria-label")):
        found = re.findall(rf"\b(?:{'|'.join(FORBIDDEN)})\b", text, flags=re.IGNORECASE)
        assert found == []


def test_real_is_never_the_opposite_of_unknown(make_case: Any) -> None:
    words = Reader(page_of(make_case())).words
    uses = [words[max(0, place.start() - 30) : place.end() + 12] for place in re.finditer(r"\breal\b", words)]
    assert uses
    assert [use for use in uses if not re.search(r"([Cc]lass|nearest is|no date\):|Drawn) real\b", use)] == []


def test_no_address_leads_out(make_case: Any) -> None:
    reader = Reader(page_of(make_case()))
    addresses = [
        (tag, name, value) for tag, name, value in reader.attributes if name in {"src", "href", "action", "srcset"}
    ]
    assert addresses
    for tag, name, value in addresses:
        assert value.startswith(("#", "data:image/webp;base64,")), (tag, name, value[:80])
    assert "url(" not in reader.raw["style"][0]
    assert "@import" not in reader.raw["style"][0]
    assert "fetch(" not in reader.raw["script"][-1]


def test_policy_allows_exactly_this_style_and_this_script(make_case: Any) -> None:
    page = page_of(make_case())
    reader = Reader(page)
    policies = [
        value
        for tag, name, value in reader.attributes
        if tag == "meta" and name == "content" and "default-src" in value
    ]
    assert len(policies) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))

    def sha(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert rules == {
        "default-src": "'none'",
        "script-src": sha(reader.raw["script"][-1]),
        "style-src": sha(reader.raw["style"][0]),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert not [name for _, name, _ in reader.attributes if name == "style" or name.startswith("on")]


def test_script_writes_text_only(make_case: Any) -> None:
    script = Reader(page_of(make_case())).raw["script"][-1]
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser", "new Function"):
        assert way not in script


def test_names_are_text_and_hide_nothing(make_case: Any) -> None:
    page = page_of(make_case())
    reader = Reader(page)
    words = reader.words.replace(" ", "")
    assert make_case.SCRIPT_NAME.replace(" ", "") in words
    assert page.count("</script>") == page.count("<script")
    assert "onload=x" not in " ".join(f"{n}={v}" for _, n, v in reader.attributes)
    assert make_case.BIDI_NAME not in page
    assert "invoice\\u202egpj.exe.png" in page
    assert "a\\x0ab\\x1b[31m\\x07.png" in page
    assert "\\xff\\xfe.png" in page
    assert "exact bytes, base64: aW4v//4ucG5n" in reader.words
    assert "\u202e" not in page
    assert "\x1b" not in page


def test_a_row_tells_verdict_class_score_hash_and_flags(make_case: Any) -> None:
    words = Reader(page_of(make_case())).words
    finding = make_case.every_outcome()[2][0]
    assert finding.sha256 is not None
    assert finding.sha256 in words
    assert "attributed to no known class; nearest is real" in words
    assert "−2.000 threshold 0.250" in words
    assert "duplicate-of=in/a.png" in words
    assert "attributed to class alpha" in words
    assert "JPEG ends at byte 31744 of 48210" in words


def test_a_score_that_rounds_to_the_threshold_is_told_apart(make_case: Any) -> None:
    words = Reader(page_of(make_case())).words
    assert "0.2499999 threshold 0.2500000" in words
    assert "0.250 threshold 0.250" in words


def test_spectrum_says_which_class_it_is_drawn_against(make_case: Any) -> None:
    reader = Reader(page_of(make_case()))
    told = [value for tag, name, value in reader.attributes if (tag, name) == ("svg", "aria-label")]
    assert told[0].startswith(
        "Radial spectrum against class alpha: within one spread of its mean at 62 of 62 frequencies"
    )
    assert any(text.startswith("Radial spectrum against nearest class real") for text in told)
    assert "against nearest class real" in reader.words


def test_an_unfinished_case_says_so_first(make_case: Any) -> None:
    unfinished = Reader(page_of(make_case(finish=False, name="b.case"))).words
    assert unfinished.index("Unfinished case.") < unfinished.index("The question")
    assert "Scan ended not yet" in unfinished
    assert "Unfinished" not in Reader(page_of(make_case())).words


def test_an_empty_case_has_a_page(make_case: Any) -> None:
    words = Reader(page_of(make_case([], card={}, class_spectra={}, examiner="", case_number="", exhibit=""))).words
    assert "Files listed 0" in words
    assert "The card of these weights states no error rates." in words


def test_same_case_same_bytes(make_case: Any) -> None:
    case = make_case()
    first = page_of(case)
    case.with_suffix(".html").unlink()
    assert page_of(case) == first


def test_report_id_differs_when_the_report_does(make_case: Any) -> None:
    ids = {
        re.search(r"End of report\s+([0-9a-f]{16})", Reader(page_of(case)).words)[1]  # type: ignore[index]
        for case in (make_case(), make_case(name="b.case", note="x"), make_case(name="c.case", finish=False))
    }
    assert len(ids) == 3


def test_two_hundred_rows_stand_as_plain_html(make_case: Any) -> None:
    page = page_of(make_case(make_case.long_rows(230)))
    reader = Reader(page)
    assert page.count('<tr role="row" id=') == html.PLAIN_ROWS == 200
    assert "in/00199.png" in reader.words
    assert "in/00200.png" not in reader.words
    assert "Rows 1 to 200 of 240 are shown without JavaScript" in reader.words
    assert "<" not in "".join(reader.data.values())


def test_head_of_the_columns_tells_the_case(make_case: Any) -> None:
    case = make_case(make_case.long_rows(230))
    head = json.loads(gzip.decompress(base64.b64decode(Reader(page_of(case)).data["block-head"])))
    with open_case(case) as reader:
        assert (head["rows"], head["digest"], head["complete"]) == (240, reader.closing_digest, True)
    assert head["plain"] == 200
    assert head["sheets"] is None
    assert head["flagNotes"]["small"].startswith("A side is shorter")


def test_pictures_of_the_plain_rows_stand_in_them_only(make_case: Any) -> None:
    data = Reader(page_of(make_case(make_case.long_rows(203)))).data
    text = base64.b64encode(make_case.THUMBNAIL).decode()
    assert data["pictures"] == text * (3 + 4)  # four of the ten rows behind carry one
    few = Reader(page_of(make_case(name="few.case"))).data
    assert "pictures" not in few


def test_pictures_may_be_shown_otherwise_or_not_at_all(make_case: Any) -> None:
    case = make_case()
    out = case.with_suffix(".html")
    text = base64.b64encode(make_case.THUMBNAIL).decode()
    report.write(case, out, show=lambda _: None)
    assert text not in out.read_text(encoding="utf-8")
    report.write(case, out, show=lambda stored: stored[::-1])
    page = out.read_text(encoding="utf-8")
    assert text not in page
    assert base64.b64encode(make_case.THUMBNAIL[::-1]).decode() in page


def test_sheets_stand_beside_a_page_that_has_no_room(make_case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "BUDGET", 210 * len(make_case.THUMBNAIL))
    monkeypatch.setattr(pictures, "FIRST_OF_CLASS", 1)
    page = page_of(make_case(make_case.long_rows(400)))
    words = Reader(page).words
    assert re.search(r"The thumbnails of 19\d rows are in the folder that lies beside this page", words)
    assert "img-src data: 'self';" in page


def test_report_needs_no_torch_and_no_pictures(make_case: Any) -> None:
    case = make_case()
    code = (
        "import sys, pathlib; from forensic import report; "
        "report.write(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])); "
        "print(sorted({'torch', 'cv2', 'PIL', 'numpy', 'safetensors'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(case), str(case.with_suffix(".html"))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_page_is_the_recorded_one(make_case: Any, gold: Any) -> None:
    """Every byte but the style sheet, the script and the columns, which are read elsewhere; a page that was changed on
    purpose is recorded anew, and its diff is there to be read."""
    page = re.sub(r"(<(script|style)[^>]*>).*?(</\2>)", r"\1\3", page_of(make_case()), flags=re.DOTALL)
    gold("report/every-outcome.html", re.sub(r"sha256-[A-Za-z0-9+/=]+", "sha256-", page))
