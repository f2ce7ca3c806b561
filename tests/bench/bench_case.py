"""A case of 1,000,000 findings: opened, read, exported, checked; and what keeping a case costs a scan.

python tests/bench/bench_case.py [--rows 1000000] [--rounds 3] [--pictures 120] [--folder /tmp/forensic-bench-case]

The case is synthetic, written once through the writer that a scan uses, and kept in the folder with one of a tenth of
its rows. Each command runs in a process of its own, on either case in turns; memory is the most that the process ever
held, and flat where the large case needs hardly more than the small one. Then the same pictures are scanned with a case
and without one, in turns, by the same engine.
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
import hashlib
import json
import operator
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import synthetic

from forensic.case.ledger import open_case, resume_case

REPOSITORY = Path(__file__).resolve().parents[2]
OPENING = 2.0
"""Seconds that opening may take, the start of Python included."""
GROWTH = 32.0
"""Megabytes that a process may hold more for the large case than for the small one: less than a number for each row of
a million. Parquet is written in groups of 10,000 rows, of which a small case may have none."""
THROUGHPUT = 0.9
"""Least share of a scan's throughput that is left when it keeps a case."""

# a command, and in its last moment what it held at most and how long it had a processor
CHILD = """
import atexit, json, sys, time
told, work = sys.argv[1], sys.argv[2:]
def tell():
    with open("/proc/self/status") as status:
        [line] = [line for line in status if line.startswith("VmHWM")]
    with open(told, "w") as file:
        json.dump({"megabytes": int(line.split()[1]) / 1e3, "busy": time.process_time()}, file)
atexit.register(tell)
"""
COMMAND = CHILD + "from forensic.cli.app import main\nmain(work)\n"
# the steps of forensic.scan.run.run, up to the first stored finding and what is left for thumbnails
RESUME = (
    CHILD
    + """
from pathlib import Path
from forensic.case.ledger import case_is_begun, open_case, resume_case
from forensic.case.thumbnails import ThumbnailBudget
path = Path(work[0])
assert case_is_begun(path)
with open_case(path) as stored:
    assert not stored.complete and stored.header.weights and stored.roots
with resume_case(path) as case:
    assert len(case) and next(case.lines())
    ThumbnailBudget(case)
    case.stop("interrupted")
"""
)
READ = (
    CHILD
    + """
from pathlib import Path
from forensic.case.ledger import open_case
with open_case(Path(work[0])) as stored:
    assert sum(1 for _ in stored.rows()) == len(stored)
"""
)
FORMS = ("jsonl", "csv", "sha256sum", "bagit", "parquet", "case-uco")


@dataclass(frozen=True)
class Ran:
    """One process."""

    seconds: float
    busy: float
    megabytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=120, help="of the scans; 0 leaves them out")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "forensic-bench-case")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    small, large = (made(options.folder, rows) for rows in (options.rows // 10, options.rows))
    check(small, large)
    grown = show(small, large, measured(small, large, options.rounds))
    if options.pictures:
        scans(options.folder, options.pictures, options.rounds)
    if grown:
        raise SystemExit(f"memory grows with the case: {', '.join(grown)}")


def made(folder: Path, rows: int) -> Path:
    """The case of so many rows; made where it is not there, or was left unfinished."""
    path = folder / f"{rows}.case"
    if not path.exists():
        moments = [(0, time.perf_counter())]
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        synthetic.write(part, rows, within_budget=True, done=lambda n: moments.append((n, time.perf_counter())))
        ended = time.perf_counter()
        part.rename(path)
        rates = [rate(moments, share) for share in (0.0, 0.9)]
        print(
            f"{rows:,} rows written, {path.stat().st_size / 1e6:.0f} MB: {in_words(rates)}; finished in "
            f"{ended - moments[-1][1]:.1f} s"
        )
    with open_case(path) as stored:
        complete = stored.complete
    if not complete:
        with resume_case(path) as case:
            case.finish()
    return path


def in_words(rates: list[float | None]) -> str:
    """How fast rows were written at the beginning and at the end."""
    first, last = rates
    if first is None or last is None:
        return "too few rows for a rate"
    return f"{first:.0f} rows/s in the first tenth, {last:.0f} in the last"


def rate(moments: list[tuple[int, float]], begun: float) -> float | None:
    """Rows a second in the tenth of the rows that begins at this share of them; None with too few moments."""
    total = moments[-1][0]
    inside = [moment for moment in moments if begun * total <= moment[0] <= (begun + 0.1) * total]
    if len(inside) < 2:
        return None
    return (inside[-1][0] - inside[0][0]) / (inside[-1][1] - inside[0][1])


def check(small: Path, large: Path) -> None:
    """The cases agree with themselves, begin alike, and end with the same digest when they are finished again."""
    with open_case(small) as few, open_case(large) as many:
        assert all(map(operator.eq, few.stored_rows(), islice(many.stored_rows(), len(few))))
        digest, counts = many.closing_digest, many.counts
        assert counts.total == len(many) == 10 * len(few)
    unfinish(large)
    with resume_case(large) as case:
        assert case.finish() == digest
    with open_case(large) as many:
        assert many.counts == counts
        exported = hashlib.sha256()
        for line, *_ in many.stored_rows():
            exported.update(line.encode() + b"\n")
    out = large.with_suffix(".jsonl")
    run(COMMAND, "case", "export", large, "--format", "jsonl", "--out", out)
    with out.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").digest() == exported.digest()
    out.unlink()


def unfinish(path: Path) -> None:
    """As a scan leaves it that was stopped after its last batch."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM closing")
        connection.commit()


def run(code: str, *arguments: str | Path) -> Ran:
    """One process from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        command = [sys.executable, "-c", code, told, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        begun = time.perf_counter()
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        seconds = time.perf_counter() - begun
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return Ran(seconds=seconds, **json.loads(told.read_text()))


def works(folder: Path) -> dict[str, Callable[[Path], Ran]]:
    """What is done with a case, by name."""

    def resumed(case: Path) -> Ran:
        unfinish(case)
        ran = run(RESUME, case)
        with resume_case(case) as again:
            again.finish()
        return ran

    def exported(form: str) -> Callable[[Path], Ran]:
        return lambda case: run(COMMAND, "case", "export", case, "--format", form, "--out", folder / "exported")

    return {
        "case show": lambda case: run(COMMAND, "case", "show", case),
        "opening to go on": resumed,
        "reading every row": lambda case: run(READ, case),
        **{f"export {form}": exported(form) for form in FORMS},
        "verify --level 0": lambda case: run(COMMAND, "case", "verify", case, "--level", "0"),
    }


def measured(small: Path, large: Path, rounds: int) -> dict[str, tuple[list[Ran], list[Ran]]]:
    """Runs with the small and the large case, in turns."""
    with tempfile.TemporaryDirectory(dir=large.parent) as folder:
        doings = works(Path(folder))
        found: dict[str, tuple[list[Ran], list[Ran]]] = {name: ([], []) for name in doings}
        for _ in range(rounds):
            for name, work in doings.items():
                for place, case in enumerate((small, large)):
                    found[name][place].append(work(case))
    return found


def show(small: Path, large: Path, found: dict[str, tuple[list[Ran], list[Ran]]]) -> list[str]:
    """Prints the table; returns what takes more memory for the large case."""
    few, many = (int(case.stem) for case in (small, large))
    print(f"{'':<20} {few:>11,} rows {many:>11,} rows   on a processor   ratio  most memory, MB")
    grown = []
    for name, (ours, theirs) in found.items():
        seconds = [statistics.median(one.seconds for one in runs) for runs in (ours, theirs)]
        busy = statistics.median(one.busy for one in theirs)
        held = [statistics.median(one.megabytes for one in runs) for runs in (ours, theirs)]
        opening = name in ("case show", "opening to go on")
        note = f"over {OPENING:.0f} s" if opening and busy > OPENING else ""
        if held[1] - held[0] > GROWTH:
            grown.append(name)
            note += f"  {held[1] - held[0]:.0f} MB more"
        print(
            f"{name:<20} {seconds[0]:14.2f} s {seconds[1]:14.2f} s {busy:14.2f} s {seconds[1] / seconds[0]:7.1f}"
            f"  {held[0]:.0f} and {held[1]:.0f}  {note}"
        )
    return grown


def scans(folder: Path, count: int, rounds: int) -> None:
    """The same pictures with a case and without, in turns; findings are equal."""
    from scan_pictures import small_pictures  # OpenCV, and torch with the scan: not before the processes above

    from forensic.scan.events import Found
    from forensic.scan.plan import ScanPlan
    from forensic.scan.run import run as scan

    paths = tuple(os.fsencode(path) for path in small_pictures(folder / "pictures", count))
    taken: dict[str, list[float]] = {"without": [], "with": []}
    busy: dict[str, list[float]] = {"without": [], "with": []}
    for number in range(rounds + 1):  # the first one warms up
        findings = {}
        for name, seconds in taken.items():
            case = folder / "scan.case" if name == "with" else None
            if case is not None:
                case.unlink(missing_ok=True)
            begun, worked = time.perf_counter(), processors()
            with closing(scan(ScanPlan(paths=paths, engine="torch", case=case))) as events:
                findings[name] = [event.finding for event in events if isinstance(event, Found)]
            if number:
                seconds.append(time.perf_counter() - begun)
                busy[name].append(processors() - worked)
        assert findings["with"] == findings["without"]
        assert len(findings["with"]) == count
    print(f"a scan of {count} pictures with a case, the same without / with:")
    for name, rounds_of in {"throughput": taken, "time on a processor": busy}.items():
        ratios = sorted(without / kept for without, kept in zip(rounds_of["without"], rounds_of["with"], strict=True))
        median = statistics.median(ratios)
        note = "" if median >= THROUGHPUT else f"  under {THROUGHPUT}"
        print(f"  {name:<20} {median:.2f} ({ratios[0]:.2f}..{ratios[-1]:.2f}){note}")


def processors() -> float:
    """Seconds that this process and those it has waited for had a processor."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
