"""Cases to report: small, made by hand, with every outcome and every awkward name once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forensic import report
from forensic.case.beside import CarriedClaim, Salvaged
from forensic.case.ledger import Root, RunStart, create_case
from forensic.case.rows import Artefacts, CaseHeader, Finding, display_path

CLASSES = ("real", "alpha", "beta")
BASE: dict[str, Any] = {"preprocessing": "tiles-128-v1", "weights": "8d21c0f3a7be"}
SCRIPT_NAME = "in/</script><svg onload=x>.png"
BIDI_NAME = "in/invoice\u202egpj.exe.png"
CONTROL_NAME = "in/a\nb\x1b[31m\x07.png"
FORMULA_NAME = "=cmd|' /C calc'!A0.png"

CLAIMS = (
    CarriedClaim(
        kind="generator",
        place="PNG tEXt 'parameters' at byte 33",
        reader="forensic",
        state="unsigned",
        says="text of AUTOMATIC1111 or a relative",
        value="</script><svg onload=x> \u202eboat\n=1+1 [red] " + "é" * 200,
        value_bytes=9000,
        value_sha256="ab" * 32,
    ),
    CarriedClaim(kind="c2pa", place="PNG caBX", reader="forensic", state="present-not-checked", says="not looked into"),
    CarriedClaim(kind="metadata", place="PNG eXIf", reader="forensic", state="unreadable", says="damaged EXIF"),
    *(
        CarriedClaim(kind="tool", place=f"tag {name}", reader="forensic", state="unsigned", says="a tool", value=name)
        for name in ("Make", "Model")
    ),
)
SALVAGED = Salvaged(
    rows=94,
    of_rows=144,
    width=192,
    height=94,
    verdict="unknown",
    nearest="al<b>pha",
    score=-0.1 - 0.2,
    threshold=0.25,
    scores={"real": -1.5, 'a": "b, c': 2.0},
    flags=("grey",),
    decoder="opencv 5.0.0",
)

# one white pixel, lossless WebP: the smallest picture a browser shows
THUMBNAIL = bytes.fromhex("524946461a000000574542505650384c0d0000002f00000010071011118888fe0700")


def falling(level: float) -> tuple[float, ...]:
    """A profile that falls as a photograph's does."""
    return tuple(7.0 + level - 0.09 * r for r in range(64))


def header(**changes: Any) -> CaseHeader:
    card = {
        "format": 1,
        "classes": list(CLASSES),
        "real": "real",
        "limits": "Three classes of small pictures.",
        "threshold": {"value": 0.25, "chosen_by": "equal error on validation images"},
        "validated": {
            "formats": ["PNG", "JPEG"],
            "sides": [128, 640],
            "jpeg_quality": [60, 100],
            "images": 90,
            "unknown": 60,
        },
        "metrics": {
            "val": {
                "closed_accuracy": {"value": 0.95, "low": 0.91, "high": 0.98},
                "false_known": {"value": 0.117, "low": 0.058, "high": 0.222},
                "auroc": {"reason": "no unknown images"},
            }
        },
    }
    fields: dict[str, Any] = {
        "question": "",
        "examiner": "M. Okafor",
        "case_number": "2026-1187",
        "exhibit": "KT/4",
        "note": "",
        "weights": "8d21c0f3a7be",
        "weights_name": "three",
        "preprocessing": "tiles-128-v1",
        "configuration": {
            "engine": "torch cpu",
            "threads": 2,
            "max_pixels": 250_000_000,
            "follow_links": False,
            "salvage": True,
        },
        "card": card,
        "classes": CLASSES,
        "class_spectra": {name: (falling(0.2 * n), (0.3,) * 64) for n, name in enumerate(CLASSES)},
        "tool_version": "0.1.0",
    }
    return CaseHeader(**{**fields, **changes})


def scored(path: str, score: float, nearest: str, *, threshold: float = 0.25, **more: Any) -> Finding:
    known = score >= threshold
    fields: dict[str, Any] = {
        "path": path,
        "sha256": hashlib.sha256(path.encode()).hexdigest(),
        "bytes": 20_000,
        "format": "PNG",
        "width": 640,
        "height": 448,
        "status": "ok",
        "verdict": "known" if known else "unknown",
        "label": nearest if known else None,
        "nearest": nearest,
        "score": score,
        "threshold": threshold,
        "decoder": "opencv 5.0.0",
    }
    return Finding(**{**fields, **BASE, **more})


def every_outcome() -> list[tuple[Finding, Artefacts]]:
    kept = Artefacts(thumbnail=THUMBNAIL, spectrum=falling(0.1))
    raw_path, raw_b64 = display_path(b"in/\xff\xfe.png")
    return [
        (scored(FORMULA_NAME, 0.9, "alpha"), kept),
        (scored("in/a.png", 1.5, "alpha", flags=("exif-rotated",)), kept),
        (scored("in/b & <i>.png", -2.0, "real", flags=("small", "duplicate-of=in/a.png")), kept),
        (scored("in/c.png", 0.25, "real", claims=CLAIMS), Artefacts(thumbnail=THUMBNAIL)),
        (scored("in/d.png", 0.2499999, "beta"), Artefacts(spectrum=falling(-0.4))),
        (
            Finding(
                path="in/e.jpg",
                status="unreadable",
                reason="JPEG ends at byte 31744 of 48210",
                bytes=48210,
                flags=("salvaged=94/144",),
                salvaged=SALVAGED,
                **BASE,
            ),
            Artefacts(),
        ),
        (Finding(path=SCRIPT_NAME, status="skipped", reason="too small: 9x9, least side is 16", **BASE), Artefacts()),
        (
            Finding(path=BIDI_NAME, status="unreadable", reason="chunk <script>alert(1)</script> is damaged", **BASE),
            Artefacts(),
        ),
        (Finding(path=CONTROL_NAME, status="skipped", reason="link, not followed", **BASE), Artefacts()),
        (Finding(path=raw_path, path_b64=raw_b64, status="skipped", reason="link, not followed", **BASE), Artefacts()),
    ]


class Cases:
    """Writes cases into a folder of its own, and holds the pieces they are made of."""

    SCRIPT_NAME = SCRIPT_NAME
    BIDI_NAME = BIDI_NAME
    THUMBNAIL = THUMBNAIL
    EMPTY = Artefacts()
    BASE = BASE
    header = staticmethod(header)
    scored = staticmethod(scored)
    every_outcome = staticmethod(every_outcome)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        rows: list[tuple[Finding, Artefacts]] | None = None,
        *,
        finish: bool = True,
        name: str = "a.case",
        **fields: Any,
    ) -> Path:
        """A case of these rows (`every_outcome` if none are given); more fields go into its header."""
        path = self.folder / name
        run = RunStart(started="2026-11-25T09:12:04+00:00", argv=("scan", "in"), versions={"python": "3.11"})
        with create_case(path, header(**fields), roots=[Root(b"in", b"/media/in")], run=run) as case:
            case.append(every_outcome() if rows is None else rows)
            if finish:
                case.finish(other_files=3, ended="2026-11-25T09:14:51+00:00")
            else:
                case.stop("interrupted", ended="2026-11-25T09:14:51+00:00")
        return path

    @staticmethod
    def long_rows(count: int) -> list[tuple[Finding, Artefacts]]:
        """So many scored rows with thumbnail and spectrum, then every outcome."""
        kept = Artefacts(thumbnail=THUMBNAIL, spectrum=falling(0.0))
        rows = [(scored(f"in/{n:05d}.png", ((n * 37) % 100 - 50) / 25, CLASSES[n % 3]), kept) for n in range(count)]
        return [*rows, *every_outcome()]


@pytest.fixture
def make_case(tmp_path: Path) -> Cases:
    """Writes a case and returns its path."""
    return Cases(tmp_path)


@pytest.fixture(scope="module")
def make_shared_case(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """The same for a case that all tests of a file read."""
    return Cases(tmp_path_factory.mktemp("shared"))


class Opened:
    """A page of a fresh profile, offline, with everything it said and asked for."""

    def __init__(self, context: Any, path: Path, *, fragment: str, ready: str | None) -> None:
        self.context = context
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.goto(path.as_uri() + fragment)
        if ready:
            self.page.wait_for_selector(ready)

    def ids(self) -> list[str]:
        """Of the rows that are in the document."""
        return list(self.page.evaluate("[...document.querySelectorAll('#list tr')].map((row) => row.id)"))

    def marked(self) -> str:
        """The row or tile that the keys act on."""
        return str(self.page.get_attribute(".pane:not([hidden]) [aria-selected=true]", "id"))

    def choose(self, facet: str, value: str) -> None:
        """Tick or untick a value of a facet, as a reader does."""
        menu = self.page.locator(f"[data-facet={facet}]")
        if menu.get_attribute("open") is None:
            menu.locator("summary").click()
        menu.locator("li label").filter(has=self.page.get_by_text(value, exact=True)).click()

    def axe(self, *rules: str) -> list[str]:
        """What axe finds wrong with what is shown now, by these rules or all."""
        package = pytest.importorskip(
            "axe_playwright_python", reason="needs Chromium, playwright and axe-playwright-python"
        )
        if not self.page.evaluate("'axe' in window"):
            source = Path(package.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
            self.page.evaluate(source + "\n;undefined")
        # of what is right, which is most, it need not tell every place
        run = """async (rules) => {
          const options = {resultTypes: ['violations'], ...(rules.length ? {runOnly: rules} : {})};
          return (await axe.run(options)).violations;
        }"""
        found = self.page.evaluate(run, list(rules))
        return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]

    def saved(self, menu: str, entry: str) -> str:
        """What a button of a menu downloads."""
        summary = self.page.locator(".menu summary", has_text=menu)
        if not summary.evaluate("(summary) => summary.parentNode.open"):
            summary.click()
        with self.page.expect_download() as waited:
            self.page.get_by_role("button", name=entry).click()
        return Path(waited.value.path()).read_bytes().decode("utf-8")


def opening(browser: Any) -> Iterator[Callable[..., Opened]]:
    contexts: list[Any] = []

    def open_it(
        path: Path,
        *,
        fragment: str = "",
        script: bool = True,
        width: int = 1400,
        ready: str = ".tools:not([hidden])",
        **options: Any,
    ) -> Opened:
        if path.suffix == ".case":
            case, path = path, path.with_suffix(".html")
            if not path.exists():
                report.write(case, path)
        viewport = {"width": width, "height": 900}
        context = browser.new_context(offline=True, viewport=viewport, java_script_enabled=script, **options)
        contexts.append(context)
        return Opened(context, path, fragment=fragment, ready=ready if script else None)

    yield open_it
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Opened]]:
    """Opens a report or renders a case first: `open_page(case, fragment="#row=3", width=400)`."""
    yield from opening(browser)


@pytest.fixture(scope="module")
def open_shared_page(browser: Any) -> Iterator[Callable[..., Opened]]:
    """The same for a page that several tests use, each of which leaves it as it was."""
    yield from opening(browser)
