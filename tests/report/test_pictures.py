"""Where thumbnails go: by rank into the page, the others cell by cell into sheets."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from forensic import report
from forensic.errors import MachineError, UsageError
from forensic.report import pictures
from forensic.report.pictures import PicturePlan, Sheets


def webp(colour: tuple[int, int, int], size: tuple[int, int] = (96, 64)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "WEBP", quality=90)
    return out.getvalue()


def placed(make_case: Any, budget: int, plain: int = 1) -> list[bool]:
    plan = PicturePlan(plain, budget)
    rows = [
        make_case.scored("0", 1.0, "real"),
        make_case.scored("1", 1.0, "real"),
        make_case.scored("2", 1.0, "real"),
        make_case.scored("3", 1.0, "real", flags=("small",)),
        make_case.scored("4", -1.0, "real"),
        make_case.scored("5", 1.0, "alpha"),
    ]
    for row in rows:
        plan.see(row, b"x" * 10)
    plan.settle()
    return [plan.in_page(row) for row in range(6)]


def test_all_fit(make_case: Any) -> None:
    assert placed(make_case, 60) == [True] * 6


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (59, [0, 1, 3, 4, 5]),  # what has no rank goes aside even where there is room left
        (40, [0, 1, 4, 5]),  # the unknown before the flagged
        (30, [0, 1, 5]),  # the first of each class before both
        (10, [0]),
    ],
)
def test_rank_decides(make_case: Any, monkeypatch: pytest.MonkeyPatch, budget: int, expected: list[int]) -> None:
    monkeypatch.setattr(pictures, "FIRST_OF_CLASS", 1)
    assert [row for row, kept in enumerate(placed(make_case, budget)) if kept] == expected


def test_settle_counts_what_goes_aside(make_case: Any) -> None:
    plan = PicturePlan(0, 10)
    for size in (10, 0, 10):
        plan.see(make_case.scored("a", 1.0, "real"), b"x" * size or None)
    assert plan.settle() == 1
    with pytest.raises(RuntimeError):
        PicturePlan(0).in_page(0)


def test_sheets_hold_the_cells_in_order(tmp_path: Path) -> None:
    sheets = Sheets(tmp_path / "r.html")
    sheets.begin("sheet-a-")
    colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250)]
    for number in range(66):
        sheets.add(webp(colours[number % 3]))
    sheets.finish()
    assert sorted(path.name for path in (tmp_path / "r.assets").iterdir()) == ["sheet-a-0.webp", "sheet-a-1.webp"]
    first = Image.open(tmp_path / "r.assets" / "sheet-a-0.webp").convert("RGBA")
    assert first.size == (768, 768)
    for number in (0, 1, 2, 9, 63):
        red, green, blue, alpha = first.getpixel((number % 8 * 96 + 48, number // 8 * 96 + 48))
        assert max(range(3), key=[red, green, blue].__getitem__) == number % 3
        assert alpha == 255
    assert first.getpixel((48, 4))[3] == 0  # beside a picture that is wider than high
    second = Image.open(tmp_path / "r.assets" / "sheet-a-1.webp").convert("RGBA")
    assert second.getpixel((2 * 96 + 48, 48))[3] == 0


def test_a_thumbnail_that_is_none_leaves_its_cell_empty(tmp_path: Path) -> None:
    sheets = Sheets(tmp_path / "r.html")
    sheets.begin("sheet-a-")
    sheets.add(b"no picture")
    sheets.add(webp((250, 10, 10)))
    sheets.finish()
    sheet = Image.open(tmp_path / "r.assets" / "sheet-a-0.webp").convert("RGBA")
    assert (sheet.getpixel((48, 48))[3], sheet.getpixel((144, 48))[3]) == (0, 255)


def test_blurred_keeps_size_and_colour_and_loses_the_rest() -> None:
    out = io.BytesIO()
    stripes = Image.new("RGB", (96, 64), (200, 40, 40))
    for x in range(0, 96, 4):
        stripes.paste((40, 40, 200), (x, 0, x + 2, 64))
    stripes.save(out, "WEBP", lossless=True)
    blurred = pictures.blurred(out.getvalue())
    assert blurred is not None
    picture = Image.open(io.BytesIO(blurred)).convert("RGB")
    assert picture.size == (96, 64)
    for (low, high), mean in zip(picture.getextrema(), (120, 40, 120), strict=True):
        assert high - low < 20
        assert low - 15 < mean < high + 15
    assert pictures.blurred(b"no picture") is None


def test_no_folder_without_need(make_case: Any) -> None:
    case = make_case(make_case.long_rows(20))
    report.write(case, case.with_suffix(".html"))
    assert not case.with_suffix(".assets").exists()


def test_sheets_of_an_older_report_go_and_nothing_else(make_case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(make_case.long_rows(300))
    out, folder = case.with_suffix(".html"), case.with_suffix(".assets")
    monkeypatch.setattr(pictures, "BUDGET", 200 * len(make_case.THUMBNAIL))
    report.write(case, out)
    assert [path.name.startswith("sheet-") for path in folder.iterdir()] == [True] * 2
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    page = out.read_bytes()
    report.write(case, out)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert out.read_bytes() == page
    (folder / "mine.txt").write_text("mine")
    (folder / "sheet-0123-0.webp").write_bytes(b"older")
    report.write(case, out)
    assert {path.name for path in folder.iterdir()} == {*before, "mine.txt"}
    monkeypatch.undo()
    report.write(case, out)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_report_that_is_not_written_leaves_no_sheets(make_case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(make_case.long_rows(300))
    out, folder = case.with_suffix(".html"), case.with_suffix(".assets")
    monkeypatch.setattr(pictures, "BUDGET", 200 * len(make_case.THUMBNAIL))
    begun = set(case.parent.iterdir())
    made = pictures._sheet

    def interrupted(cells: list[bytes]) -> bytes:
        if sum(1 for _ in folder.iterdir()) > 1:  # the first sheet, and the second under way
            raise KeyboardInterrupt
        return made(cells)

    monkeypatch.setattr(pictures, "_sheet", interrupted)
    with pytest.raises(KeyboardInterrupt):
        report.write(case, out)
    assert set(case.parent.iterdir()) == begun
    monkeypatch.setattr(pictures, "_sheet", made)
    report.write(case, out)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / ".sheet-0123-0.webp.a_b1c2d3.part").write_bytes(b"of a process that was killed")
    monkeypatch.setattr(pictures, "_sheet", interrupted)
    with pytest.raises(KeyboardInterrupt):  # the page that is there still has its sheets
        report.write(case, out)
    assert {path.name for path in folder.iterdir()} > set(whole)
    monkeypatch.setattr(pictures, "_sheet", made)
    report.write(case, out)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.assets").write_text("a file")
    sheets = Sheets(tmp_path / "r.html")
    sheets.add(webp((1, 2, 3)))
    with pytest.raises(UsageError, match="is no folder"):
        sheets.finish()
    (tmp_path / "s.assets").symlink_to(tmp_path)
    sheets = Sheets(tmp_path / "s.html")
    sheets.add(webp((1, 2, 3)))
    with pytest.raises(UsageError, match="is no folder"):
        sheets.finish()
    sheets.remove_older()


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    sheets = Sheets(tmp_path / "none" / "r.html")
    sheets.add(webp((1, 2, 3)))
    with pytest.raises(MachineError, match="can not be written: no such file"):
        sheets.finish()
