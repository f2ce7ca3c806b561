"""Kernels beside their rivals: equality first, then interleaved rounds, and one table with losses like wins.

python tests/bench/run.py [--kernel dct] [--all] [--threads 2] [--rounds 15] [--json FILE|FOLDER] [--check FOLDER]

A ratio is a rival's median time over ours; its spread goes from the 10th to the 90th percentile of the ratios round by
round. `limit` is the larger of two shares: bytes that must move over what a copy of as many bytes reaches in the same
rounds, and multiply-adds over what a loop in registers reaches in the same run (peak.cpp).
Exit code 1: our own output is not equal, or, with --check, a ratio is really lower than the recorded one.
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import cv2
import machine
import torch
from case import Case
from interleaving import interleaved
from recorded import compare

HERE = Path(__file__).resolve().parent
STEMS = ("dct", "augment", "triplet", "norm", "resize", "radial")


def declared(pattern: str, threads: int, *, everything: bool) -> Iterator[Case]:
    """The cases of the bench files that `pattern` names, made one at a time."""
    stems = [stem for stem in STEMS if fnmatch(stem, pattern)]
    if not stems:
        sys.exit(f"no bench is called {pattern}; there are {', '.join(STEMS)}")
    for stem in stems:
        yield from importlib.import_module(f"bench_{stem}").cases(threads, everything=everything)


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """One row of the results: equality of each rival, then times.

    Returns:
        Keys as in the JSON file. A rival that is not equal is in `not_equal` with its error and has no time.
    """
    torch.set_num_threads(case.threads)
    cv2.setNumThreads(case.threads)
    bounds = dict.fromkeys(case.rivals, case.bound) | dict.fromkeys(case.other_values, float("inf"))
    wrong = {}
    with case.mode():
        error = case.error(case.ours())
        if not error <= case.bound:
            sys.exit(
                f"{case.kernel} {case.shape}: ours is off by {error:.1e} of the largest value, not {case.bound:.0e}"
            )
        for name, run in case.rivals.items():
            off = case.error(run())
            if not off <= bounds[name]:
                wrong[name] = off
        source = torch.ones(max(case.bytes_moved // 8, 1))
        target = torch.empty_like(source)
        right = {name: run for name, run in case.rivals.items() if name not in wrong}
        times = interleaved({"forensic": case.ours, **right, "copy": lambda: target.copy_(source)}, rounds)
    seconds = statistics.median(times["forensic"])
    copy = statistics.median(times.pop("copy")) / seconds
    products = case.multiply_adds / machine.multiply_adds_a_second(case.computed, case.threads) / seconds
    return {
        "kernel": case.kernel,
        "shape": case.shape,
        "type": case.dtype,
        "threads": case.threads,
        "error": error,
        "ms": 1e3 * seconds,
        "limit": "copy" if copy > products else "multiply-adds",
        "share": max(copy, products),
        "rivals": {
            name: _rival(times["forensic"], times[name]) | ({"other_values": True} if name in case.other_values else {})
            for name in right
        },
        "not_equal": wrong,
    }


def _rival(ours: list[float], theirs: list[float]) -> dict[str, Any]:
    ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
    tenth = round((len(ratios) - 1) / 10)
    return {
        "ms": 1e3 * statistics.median(theirs),
        "ratio": statistics.median(theirs) / statistics.median(ours),
        "low": ratios[tenth],
        "high": ratios[-1 - tenth],
    }


def show(rows: list[dict[str, Any]]) -> None:
    """One table; a line a rival."""
    columns = "{:<34} {:<26} {:<8} {:>2} {:>9} {:>6}  {:<33} {:>9} {:>8}  {}"
    print(columns.format("kernel", "shape", "type", "t", "ours, ms", "limit", "rival", "its ms", "ratio", "spread"))
    for row in rows:
        share = f"{100 * row['share']:.0f}%{'c' if row['limit'] == 'copy' else 'm'}"
        head = [row["kernel"], row["shape"], row["type"], row["threads"], f"{row['ms']:.3f}", share]
        for name, rival in row["rivals"].items():
            spread = f"{rival['low']:.2f}..{rival['high']:.2f}"
            title = f"{name}*" if rival.get("other_values") else name
            print(columns.format(*head, title, f"{rival['ms']:.3f}", f"{rival['ratio']:.2f}x", spread))
            head = [""] * len(head)
        for name, error in row["not_equal"].items():
            print(columns.format(*head, name, "", "", f"no row: off by {error:.1e} of the largest value"))
    print("t: threads; limit: c by copying, m by multiply-adds; *: another filter, other values, for its speed only")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", default="*", help=f"one of {', '.join(STEMS)}, or a pattern")
    parser.add_argument("--all", action="store_true", help="more sizes, batches and types; an hour or so")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--json", type=Path, help="write machine, versions, commit and rows, in a folder under its processor's name"
    )
    parser.add_argument("--check", type=Path, help="compare with the figures of this processor in a folder")
    options = parser.parse_args()
    about = machine.processor()
    print(f"{about['model']}, {about['cores']} cores, our level {about['level']}", file=sys.stderr)
    figures = options.check / f"{about['key']}.json" if options.check else None
    if figures is not None and not figures.exists():
        print(f"no recorded figures for this processor, {about['key']}: make them with --json {options.check}")
        return 0

    def rows() -> list[dict[str, Any]]:
        done = []
        for case in declared(options.kernel, options.threads, everything=options.all):
            begun = time.monotonic()
            done.append(measure(case, options.rounds))
            print(f"{case.kernel} {case.shape} {case.dtype}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
        return done

    measured = rows()
    show(measured)
    if options.json:
        target = options.json if options.json.suffix == ".json" else options.json / f"{about['key']}.json"
        found = {
            "machine": about,
            "versions": machine.versions(),
            "commit": machine.commit(),
            "rounds": options.rounds,
            "copied_bytes_a_second": machine.copied_bytes_a_second(options.threads),
            "multiply_adds_a_second": machine.multiply_adds_a_second("float32", options.threads),
            "rows": measured,
        }
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if figures is None:
        return 0
    before = json.loads(figures.read_text(encoding="utf-8"))
    return compare(before, measured, rows)


if __name__ == "__main__":
    sys.exit(main())
