"""Fixtures that every room uses. tests/README.md tells where the pictures come from and how long what takes."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starting import BEGUN_WITH, Starter

TESTS = Path(__file__).resolve().parent
REPOSITORY = TESTS.parent
TILE = 128

STAND_IN_KNOWN = (
    "real",
    "ae_ct4_d1_s0",
    "ae_ct3bn_d1_s0",
    "ae_nearpn_d1_s0",
    "ae_psin_d1_s0",
    "esrgan_slim_x2",
    "realcugan_se_x2",
)
STAND_IN_UNSEEN = {
    "seed": ("ae_ct4_d1_s1",),
    "arch": ("ae_bilinear_d1_s0",),
    "dataset": ("ae_ct4_d2_s0",),
    "wild": ("waifu2x_upconv7photo_x2", "realesrgan_x4plus"),
}
STAND_IN_VAL_UNSEEN = ("ae_psin_d1_s1", "esrgan_medium_x2")


@dataclass(frozen=True)
class Ran:
    """What a run of the installed command left: exit code, and both streams as text."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of stdout."""
        return self.out.splitlines()


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright, of which there can be one in a process."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Chromium and playwright")
    quiet = ("--disable-quic", "--disable-background-networking", "--disable-sync", "--no-first-run")
    arguments = ["--no-sandbox", "--disable-gpu", *quiet]
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of readable sample pictures; never write below it."""
    return TESTS / "samples"


@pytest.fixture(scope="session")
def hostile() -> Path:
    """The folder of hostile inputs; never write below it."""
    return TESTS / "hostile"


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of recorded numbers."""
    return TESTS / "golden"


@pytest.fixture
def seeded() -> Callable[..., np.random.Generator]:
    """`seeded(3)`: a generator of its own for this test; `seeded()` has seed 0."""

    def make(seed: int = 0) -> np.random.Generator:
        return np.random.default_rng(seed)

    return make


@pytest.fixture(scope="session")
def osma_mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """osma-mini where it is to be had, else a stand-in of its layout, cut from the sample pictures."""
    named = os.environ.get("FORENSIC_OSMA_MINI")
    for folder in [Path(named)] if named else [REPOSITORY.parent / "shared" / "osma-mini"]:
        if (folder / "classes.yaml").is_file():
            return folder
    return make_stand_in(tmp_path_factory.mktemp("osma-mini"))


@pytest.fixture(scope="session")
def osma_mini_small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in whatever the machine has: seven classes, eight training images each; trains in seconds."""
    return make_stand_in(tmp_path_factory.mktemp("osma-mini-small"))


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory, osma_mini_small: Path) -> Path:
    """A whole weights file of a tiny, untrained network on the stand-in: right in form, worthless in its verdicts."""
    return make_tiny_weights(tmp_path_factory.mktemp("tiny-weights") / "tiny.safetensors", osma_mini_small)


@pytest.fixture(scope="session")
def comparing_weights(tmp_path_factory: pytest.TempPathFactory, osma_mini_small: Path) -> Path:
    """The same with the score traces, which carries a comparison of sets."""
    return make_tiny_weights(
        tmp_path_factory.mktemp("comparing-weights") / "comparing.safetensors", osma_mini_small, score="traces"
    )


@pytest.fixture(scope="session")
def run_forensic(starter: Starter) -> Callable[..., Ran]:
    """Runs the command in a process of its own: `run_forensic("scan", path, cwd=..., env={...}, input=...)`.

    A fork of an interpreter that waits for it, if the environment allows; `new=True` is for tests of the start itself.
    """

    def run(
        *arguments: str | bytes | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        input: bytes | None = None,  # noqa: A002 - as subprocess.run calls it
        timeout: float = 240,
        new: bool = False,
    ) -> Ran:
        environment = clean_environment(env or {})
        if not new and starter.suits(environment):
            code, out, err = starter.run(arguments, environment, cwd, input, timeout)
            return Ran(code, out.decode(errors="replace"), err.decode(errors="replace"))
        done = subprocess.run(
            forensic_command(arguments),
            cwd=cwd,
            env=environment,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    return run


@pytest.fixture(scope="session")
def starter() -> Iterator[Starter]:
    """Starts the command without the wait for torch."""
    with closing(Starter(clean_environment({}))) as made:
        yield made


def forensic_command(arguments: Sequence[str | bytes | Path]) -> list[str | bytes]:
    """The command line that runs the program under test with the interpreter that runs the tests."""
    return [sys.executable, "-m", "forensic", *(os.fspath(argument) for argument in arguments)]


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment without the user's own settings of the program, plus `extra`."""
    kept = {
        name: value
        for name, value in BEGUN_WITH.items()
        if not name.startswith("FORENSIC_") or name in ("FORENSIC_ISA", "FORENSIC_KERNELS")
    }
    root = os.pathsep.join(filter(None, [str(REPOSITORY), kept.get("PYTHONPATH")]))
    cache = str(REPOSITORY / ".pytest_cache" / "home")
    return {**kept, "PYTHONPATH": root, "XDG_CONFIG_HOME": os.devnull, "XDG_CACHE_HOME": cache, **extra}


def make_tiny_weights(out: Path, data: Path, seed: int = 0, **plan: Any) -> Path:
    """Finishes a seeded network that was never trained, as the end of a training run does; returns `out`.

    `plan`: further fields of the plan, e.g. `score`.
    """
    import torch

    from forensic.data.cache import read_training_images
    from forensic.data.layouts import read_layout
    from forensic.data.loader import Reencoding
    from forensic.models.feature_extractor import Architecture, TaskModel
    from forensic.models.finish import FinishPlan, finish_weights
    from forensic.spectra.profile import log_radial
    from forensic.train.seeding import new_task_model

    layout = read_layout(data)
    architecture = Architecture(width=4, neck_channels=4, embedding_dim=16)
    model = new_task_model(TaskModel(len(layout.classes), architecture), torch.Generator().manual_seed(seed))
    fields = {"recipe": {"name": "untrained", "seed": seed}, "reencoding": Reencoding(0.5, 60, 100), "seed": seed}
    how = FinishPlan(**(fields | plan))
    images = read_training_images(layout.train, layout.preprocessing)
    finish_weights(model.eval(), layout, images, out, how, profile=log_radial)
    return out


def make_stand_in(root: Path) -> Path:
    """osma-mini's layout in small: 128 px crops at multiples of 16 of the sample pictures; returns `root`."""
    import cv2
    import yaml

    def write(image: np.ndarray, folder: Path, number: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / f"{number:05d}.png"), image)

    def crops(name: str) -> list[np.ndarray]:
        whole = [cv2.imread(str(path)) for path in sorted((TESTS / "samples" / "full").glob(f"{name}-*.png"))]
        corners = [(row, column) for row in (0, 128, 304) for column in (0, 128, 256, 384, 512)]
        cut = [image[row : row + TILE, column : column + TILE] for row, column in corners for image in whole]
        return cut or [cv2.imread(str(path)) for path in sorted((TESTS / "samples").glob(f"{name}-*.png"))]

    for name in STAND_IN_KNOWN:
        for number, image in enumerate(crops(name)[:16]):
            split = "train" if number < 8 else "val" if number < 12 else "test"
            write(image, root / split / name, number)
    for group, names in STAND_IN_UNSEEN.items():
        for name in names:
            for number, image in enumerate(crops(name)[:4]):
                write(image, root / "test_unseen" / group / name, number)
    for name in STAND_IN_VAL_UNSEEN:
        for number, image in enumerate(crops(name)[:4]):
            write(image, root / "val_unseen" / name, number)
    unseen = {group: list(names) for group, names in STAND_IN_UNSEEN.items()}
    listing = {
        "name": "osma-mini",
        "known": list(STAND_IN_KNOWN),
        "unseen": unseen,
        "val_unseen": list(STAND_IN_VAL_UNSEEN),
    }
    (root / "classes.yaml").write_text(yaml.safe_dump(listing, sort_keys=False), encoding="utf-8")
    return root


SKIP_REASONS = (
    "needs Chromium",
    "needs a CUDA device",
    "needs nvcc",
    "needs an instruction set that this processor lacks",
    "needs the C++ toolchain",
    "needs a user who is not root",
    "needs a file system that keeps names which are no UTF-8",
    "needs a file system with times after 2262",
    "needs pillow-heif",
    "needs a git checkout",
    "needs Python",
    "needs openvino",
    "needs onnxruntime",
    "needs c2pa-python",
    "needs pyarrow",
    "needs bagit",
    "needs case-utils",
)
"""What a skip may say, or begin with; any other fails the run, so that no test goes missing unseen."""

_FORBIDDEN_IN_CI = (
    "needs Chromium",
    "needs a git checkout",
    "needs the C++ toolchain",
    "needs openvino",
    "needs onnxruntime",
    "needs c2pa-python",
    "needs pyarrow",
    "needs bagit",
    "needs case-utils",
)

LONGEST = (
    "house/test_readme.py",
    "train/test_golden_trace.py",
    "cli/test_scan_stopped.py",
    "report/test_desk.py",
    "report/test_browser.py",
    "engines/test_runner.py",
    "scan/test_memory.py",
    "scan/test_run.py",
    "scan/test_reexamine.py",
    "scan/test_pool.py",
    "cli/test_evaluate.py",
)
"""Of the files that take longest, in `make test` or in `make slow`, those that are begun first."""

_skipped_for_no_good_reason: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--renew-gold` is what `make gold` adds."""
    parser.addoption("--renew-gold", action="store_true", help="write the recorded outputs instead of comparing them")


def pytest_configure() -> None:
    # a shell that starts the tests in the background has them, and all they start, ignore Ctrl-C
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection() -> None:
    """What is collected is not looked through for cycles while it grows."""
    gc.disable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several processes, none is left with a long file at the end when the others have nothing to do any more."""
    if hasattr(config, "workerinput"):
        places = {TESTS / name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish() -> None:
    """What has been loaded and collected stays to the end: not looked through for cycles again and again."""
    gc.freeze()
    gc.enable()


def pytest_report_header() -> list[str]:
    """Which kernels this run tests."""
    from forensic import kernels
    from forensic.errors import ForensicError

    try:
        return [f"{name}: {path}" for name, path in kernels.describe().items()]
    except ForensicError as missing:
        return [f"kernels: {missing}"]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collects skips whose reason is not on the list."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr).removeprefix(
        "Skipped: "
    )
    allowed = reason.startswith(SKIP_REASONS) and not (os.environ.get("CI") and reason.startswith(_FORBIDDEN_IN_CI))
    if not allowed:
        _skipped_for_no_good_reason.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A skip for a reason that is not on the list fails the run."""
    if _skipped_for_no_good_reason and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names those skips, and the code paths that ran."""
    for line in _skipped_for_no_good_reason:
        terminalreporter.write_line(f"skipped for a reason that tests/conftest.py does not list: {line}", red=True)


@pytest.fixture
def gold(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`gold("scan.jsonl", text)` compares with tests/gold/scan.jsonl, or writes it under `make gold`."""

    def check(name: str, text: str) -> None:
        path = TESTS / "gold" / name
        if request.config.getoption("--renew-gold"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"differs from {path.name}; `make gold` renews it"

    return check
