"""Reports of very many findings: what they weigh, and what they ask of a browser; make bench-report has the times."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from forensic import report
from forensic.cli.report import _LARGE
from forensic.report import pictures

BENCH = Path(__file__).resolve().parents[1] / "bench"
MANY = 100_000


def written(path: Path, rows: int) -> Path:
    """A case of so many synthetic findings, as make bench-report has it."""
    spec = importlib.util.spec_from_file_location("synthetic", BENCH / "synthetic.py")
    assert spec is not None
    assert spec.loader is not None
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    synthetic.write(path, rows)
    return path


def test_data_of_a_page_are_packed(tmp_path: Path) -> None:
    """pytest-html 552: a page of 119 MB, which was 3.5 MB when packed."""
    case = written(tmp_path / "a.case", 1500)
    for name in ("a.html", "a.jsonl"):
        report.write(case, tmp_path / name, lambda _: None)
    empty = written(tmp_path / "empty.case", 0)
    report.write(empty, tmp_path / "empty.html")
    plain_rows = 200 * 2500  # what HTML the first rows are, at most
    data = (tmp_path / "a.html").stat().st_size - (tmp_path / "empty.html").stat().st_size - plain_rows
    assert data < (tmp_path / "a.jsonl").stat().st_size / 2


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_twenty_thousand_with_thumbnails_stay_within_what_is_stated(tmp_path: Path) -> None:
    """pytest-html 552, the whole of it: what has no room in the page lies in sheets beside it."""
    case = written(tmp_path / "a.case", 20_000)
    report.write(case, tmp_path / "a.html")
    sheets = list((tmp_path / "a.assets").glob("*.webp"))
    size = (tmp_path / "a.html").stat().st_size
    assert sheets
    assert size < _LARGE
    report.write(case, tmp_path / "none.html", lambda _: None)
    assert size - (tmp_path / "none.html").stat().st_size < pictures.BUDGET * 4 / 3 * 1.02  # in base64, and their tags


def private(process: int) -> int:
    """Bytes that a process holds for itself alone."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(1200)
def test_a_hundred_thousand_findings_open(browser: Any, open_page: Any, tmp_path: Path) -> None:
    """ALEAPP 388: 87,847 plain rows in 13 MB, and the browser was out of memory."""
    case = written(tmp_path / "a.case", MANY)
    report.write(case, tmp_path / "a.html", lambda _: None)
    before = renderers(browser)
    opened = open_page(tmp_path / "a.html", ready=".list.virtual tbody tr")
    tab = max((time, process) for process, time in renderers(browser).items() if process not in before)[1]
    busy = int(Path(f"/proc/{tab}/task/{tab}/schedstat").read_text().split()[0]) / 1e9
    assert busy < 3  # seconds that its thread had a processor until the list answers
    page = opened.page
    page.focus(".list")
    page.keyboard.press("G")
    assert opened.marked() == f"row-{MANY}"
    assert len(opened.ids()) <= 100
    page.wait_for_timeout(1000)
    assert private(tab) < 300e6
    assert opened.said == []


def renderers(browser: Any) -> dict[int, float]:
    """Process of each tab -> time that it had a processor."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return {int(one["id"]): float(one["cpuTime"]) for one in found if one["type"] == "renderer"}
