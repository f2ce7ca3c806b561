"""A report of 100,000 findings in Chromium: bytes, time until it answers, time of each filter, memory, rows in the DOM.

python tests/bench/bench_report.py [--rows 100000] [--rounds 3] [--thumbnails] [--folder build/bench-report]

The case is synthetic and written once, through the real writer. The page is opened from file:// with the network off.
Loading counts from the navigation to the first row that the script has drawn; a filter from the call to the frame after
it. Memory is what the page's process holds for itself alone, above the same process on about:blank.
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import synthetic
from playwright.sync_api import sync_playwright

from forensic import report

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]
FILTERS = {
    "search of a name": "search('img_0123')",
    "search of one letter": "search('9')",
    "search of a hash": "search('ab12')",
    "search of two words": "search('volume-3 jpeg')",
    "verdict": "facet('verdict', 'unknown')",
    "class": "facet('class', 'generator-05')",
    "folder": "facet('folder', 'in/volume-1/')",
    "flag": "facet('flag', 'exif-rotated')",
    "nothing (all rows)": "clear()",
    "order by score, first time": "order('low')",
    "order by score, again": "order('low')",
    "order by the threshold": "order('near')",
}
# what a reader does, by the page's own controls
ACTS = """
window.settled = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
window.set = (node, value, event) => { node.value = value; node.dispatchEvent(new Event(event, { bubbles: true })); };
window.search = (text) => { const node = document.querySelector('.tools input[type=search]');
  const before = document.querySelector('.shown').textContent; set(node, text, 'input');
  return new Promise((done) => { const look = () => document.querySelector('.shown').textContent !== before ? done() :
    setTimeout(look, 1); look(); }); };
window.order = (key) => set(document.querySelector('.tools select'), key, 'change');
window.clear = () => [...document.querySelectorAll('.tools button')].find((one) => one.textContent === 'Clear').click();
window.open_ = async (key) => { const node = document.querySelector(`[data-facet=${key}]`); node.open = true;
  await new Promise((done) => setTimeout(done, 50)); return node; };
window.press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
window.facet = (key, label) => { const items = document.querySelectorAll(`[data-facet=${key}] li`);
  [...items].find((one) => one.querySelector('span').textContent === label).querySelector('input').click(); };
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, default=Path("build/bench-report"), help="where case and report are kept"
    )
    parser.add_argument("--kept", action="store_true", help="open the report that is there")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    case = options.folder / f"{options.rows}.case"
    if not case.exists():
        synthetic.write(case, options.rows)
    page = case.with_suffix(".html")
    start = time.perf_counter()
    if not options.kept:
        report.write(case, page)
    sheets = list(page.with_suffix(".assets").glob("*.webp")) if page.with_suffix(".assets").is_dir() else []
    print(
        f"{options.rows:,} findings, rendered in {time.perf_counter() - start:.1f} s: {_bytes(page) / 1e6:.1f} MB",
        end="",
    )
    print(f", and {len(sheets)} sheets of thumbnails, {sum(map(_bytes, sheets)) / 1e6:.1f} MB" if sheets else "")

    rounds = [_round(page) for _ in range(options.rounds)]
    print(f"  {'median of ' + str(options.rounds):<34} {'':>8}  {'(least..most)':<18} of it on a processor")
    for name in rounds[0]:
        values, busy = sorted(one[name][0] for one in rounds), [one[name][1] for one in rounds]
        spread = f"({values[0]:.0f}..{values[-1]:.0f})"
        used = "" if busy[0] is None else f"{statistics.median(filter(None.__ne__, busy)):8.0f}"
        print(f"  {name:<34} {statistics.median(values):8.0f}  {spread:<18} {used}")


class Tab:
    """A page, with the time that its main thread has had on a processor: other work on the machine is not in it."""

    def __init__(self, chromium: Any, page: Any) -> None:
        self.page = page
        self._chromium = chromium

    def private(self) -> float:
        """Megabytes that the process holds for itself alone."""
        lines = Path(f"/proc/{self._process()}/smaps_rollup").read_text(encoding="ascii").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty"))) / 1e3

    def busy(self) -> float:
        """Milliseconds."""
        process = self._process()
        return int(Path(f"/proc/{process}/task/{process}/schedstat").read_text(encoding="ascii").split()[0]) / 1e6

    def timed(self, act: str) -> tuple[float, float]:
        """Milliseconds from the call to the frame after it, and how many of them were on a processor."""
        before = self.busy()
        wall = self.page.evaluate(
            f"(async () => {{ const t = performance.now(); await {act}; await settled(); "
            "return performance.now() - t; })()"
        )
        return float(wall), self.busy() - before

    def _process(self) -> int:
        session = self._chromium.new_browser_cdp_session()
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        session.detach()
        renderers = [one for one in processes if one["type"] == "renderer"]
        return int(max(renderers, key=lambda one: float(one["cpuTime"]))["id"])


def _round(path: Path) -> dict[str, tuple[float, float | None]]:
    """One browser, opened and closed; every figure by its name."""
    found: dict[str, tuple[float, float | None]] = {}
    with sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=_chromium(), args=QUIET)
        context = chromium.new_context(viewport={"width": 1400, "height": 900}, offline=True)
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto("about:blank")
        tab = Tab(chromium, page)
        blank = tab.private()
        start = time.perf_counter()
        page.goto(path.resolve().as_uri(), wait_until="commit")
        page.wait_for_selector(".list.virtual tbody tr")
        found["load, ms"] = 1e3 * (time.perf_counter() - start), tab.busy()
        page.evaluate(ACTS + "undefined")
        page.evaluate("document.getElementById('rows').scrollIntoView({ behavior: 'instant' })")
        for name, act in FILTERS.items():
            if act.startswith("facet"):
                page.evaluate(f"open_({act[6:].split(',')[0]})")
            if act.startswith("clear"):
                page.evaluate("open_('flag').then(() => facet('flag', 'exif-rotated'))")
            found[f"{name}, ms"] = tab.timed(act)
            if act.startswith(("search", "facet")):
                page.evaluate("(async () => { clear(); await settled(); })()")
        page.evaluate("order('path')")
        found["rows in the DOM"] = page.evaluate("document.querySelectorAll('.list tbody tr').length"), None
        page.focus(".list")
        for key, name in {"G": "G to the last row", "k": "k to the row before", "v": "gallery"}.items():
            found[f"{name}, ms"] = tab.timed(f"press('{key}')")
            if key == "G":
                assert page.get_attribute("[aria-selected=true]", "aria-rowindex") == page.get_attribute(
                    ".list", "aria-rowcount"
                )
        found["lines of the gallery in the DOM"] = page.evaluate("document.querySelectorAll('.line').length"), None
        page.wait_for_timeout(1000)
        found["memory of the tab, MB"] = tab.private() - blank, None
        assert said == [], said
        chromium.close()
    return found


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise SystemExit("chromium is missing")


def _bytes(path: Path) -> int:
    return path.stat().st_size


if __name__ == "__main__":
    main()
