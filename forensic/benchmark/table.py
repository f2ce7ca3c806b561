"""The table of a benchmark: for a terminal, as Markdown, as JSON."""

from __future__ import annotations

import json
from typing import Any

from forensic.benchmark.measure import JPEG_QUALITY

_MEASURES = (("accuracy", "accuracy"), ("auroc_softmax", "AUROC, softmax"), ("auroc_score", "AUROC, score"))

COLUMNS = (
    "row",
    ">augmenters",
    ">steps",
    *(f">{title}" for _, title in _MEASURES),
    *(f">{title}, Q{JPEG_QUALITY}" for _, title in _MEASURES),
    ">s/step",
)
"""`>` before a heading: right-aligned."""


def cells(result: dict[str, Any]) -> list[str]:
    """A row's cells under `COLUMNS`, from its result; a dash where there is nothing."""
    values = [result[form][name] for form in ("stored", "jpeg") for name, _ in _MEASURES]
    seconds = result["seconds_per_step"]
    return [
        result["row"],
        str(result["augmenters"]),
        str(result["steps"]),
        *("-" if value is None else f"{value:.3f}" for value in values),
        "-" if seconds is None else f"{seconds:.2f}",
    ]


def to_json(table: dict[str, Any]) -> str:
    """The table with every recipe in full."""
    return json.dumps(table, indent=2) + "\n"


def to_markdown(table: dict[str, Any]) -> str:
    """A page: the command, the table, what each row sets, and how to read it."""
    rows = table["rows"]
    heads = [column.removeprefix(">") for column in COLUMNS]
    bars = ["---:" if column.startswith(">") else "---" for column in COLUMNS]
    lines = [
        f"# Ablation on {table['data']['name']}",
        "",
        "```text",
        f"$ {table['command']}",
        "```",
        "",
        *_facts(table),
        "",
        _line(heads),
        _line(bars),
        *(_line(cells(result)) for result in rows),
        "",
        "| row | what | sets |",
        "|---|---|---|",
        *(
            f"| {result['row']} | {result['what']} | {' '.join(f'`{one}`' for one in result['fields']) or '-'} |"
            for result in rows
        ),
    ]
    return "\n".join(lines) + "\n"


def _facts(table: dict[str, Any]) -> list[str]:
    rows = table["rows"]
    names = sorted({result["processor"] for result in rows})
    scores = sorted({result["recipe"]["score"] for result in rows})
    counts = sorted({(result["known"], result["unknown"]) for result in rows})
    images = "; ".join(f"{known} known, {unknown} unknown" for known, unknown in counts) or "none"
    versions = ", ".join(f"{name} {version}" for name, version in table["versions"].items())
    quality = f"as JPEG of quality {JPEG_QUALITY} (Q{JPEG_QUALITY})"
    run = f"Seed {table['seed']}, device {table['device']}, torch threads {table['threads']}"
    return [
        f"- Data: {table['data']['name']}, SHA-256 over training and validation files {table['data']['sha256']}.",
        f"- {run}{f'; {versions}' if versions else ''}.",
        f"- Measured on validation images ({images}), as stored and {quality}.",
        "- AUROC sets known against unknown validation images: by the largest softmax, and by the score of the row's",
        f"  weights ({', '.join(scores) or 'none'}), whose standardisation is fitted on the known ones among them.",
        f"- s/step: median wall clock of a step, whatever else was running, on {', '.join(names) or 'no processor'}.",
        "- One seed: differences of a few hundredths are no finding.",
    ]


def _line(entries: list[str]) -> str:
    return f"| {' | '.join(entries)} |"
