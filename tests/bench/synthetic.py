"""A case of many synthetic findings, written through the real writer: names, scores, spectra and pictures that vary."""

from __future__ import annotations

import hashlib
import io
import math
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from PIL import Image

from forensic.case.ledger import Place, Root, RunStart, create_case
from forensic.case.rows import Artefacts, CaseHeader, Finding
from forensic.case.thumbnails import ThumbnailBudget

CLASSES = ("real", *(f"generator-{n:02}" for n in range(13)))
BATCH = 2_000
PICTURES = 400
"""Different thumbnails; rows take them in turn, each with a comment of its own length."""


def write(
    path: Path, rows: int, *, within_budget: bool = False, done: Callable[[int], object] = lambda _: None
) -> None:
    """Write the case; row n is the same in cases of any number of rows.

    Args:
        path: of the new case.
        rows: findings.
        within_budget: whether thumbnails end where those of a scan do.
        done: called with the number of rows that are stored, after each batch.
    """
    chance = random.Random(7)  # noqa: S311 - figures to look at
    header = CaseHeader(
        question="",
        examiner="",
        case_number="",
        exhibit="",
        note="",
        weights="8d21c0f3a7be",
        weights_name="synthetic",
        preprocessing="tiles-128-v2",
        configuration={"engine": "torch cpu"},
        card={"classes": list(CLASSES), "real": "real"},
        classes=CLASSES,
        class_spectra={name: (_profile(chance, 0.12 * n, 0.0), (0.2,) * 64) for n, name in enumerate(CLASSES)},
        tool_version="0",
    )
    run = RunStart(started="2026-01-01T00:00:00+00:00", argv=("scan", "in"), versions={})
    thumbnails = [_thumbnail(chance) for _ in range(PICTURES)]
    budget = ThumbnailBudget() if within_budget else None
    with create_case(path, header, roots=[Root(b"in", b"/in")], run=run) as case:
        found = _findings(chance, rows, thumbnails)
        while batch := list(islice(found, BATCH)):
            if budget is not None:
                batch = [(one, replace(kept, thumbnail=budget.kept(kept.thumbnail))) for one, kept in batch]
            case.append(batch, [Place(0, os.fsencode(finding.path.removeprefix("in/"))) for finding, _ in batch])
            done(len(case))
        case.finish(ended="2026-01-01T01:00:00+00:00")


def _findings(chance: random.Random, rows: int, thumbnails: list[bytes]) -> Iterator[tuple[Finding, Artefacts]]:
    for row in range(rows):
        path = f"in/volume-{row // 25_000}/DCIM/{row // 500:04}/IMG_{row:06}.jpg"
        shared = {"path": path, "preprocessing": "tiles-128-v2", "weights": "8d21c0f3a7be"}
        read = {"sha256": hashlib.sha256(path.encode()).hexdigest(), "bytes": int(chance.lognormvariate(14, 0.8))}
        if row % 200 == 199:
            reason = f"truncated: {chance.randrange(10**6)} bytes are missing"
            yield Finding(status="unreadable", reason=reason, **shared, **read), Artefacts()
            continue
        if row % 333 == 332:
            yield Finding(status="skipped", reason="link, not followed", **shared), Artefacts()
            continue
        nearest, score = chance.choice(CLASSES), chance.gauss(0.0, 3.0)
        threshold = -1.36 if row % 3 else -2.4
        known = score >= threshold
        flags = ["exif-rotated"] * (row % 5 == 0) + [f"duplicate-of={path[:-8]}1.jpg"] * (row % 50 == 0)
        width, height = chance.choice(((4032, 3024), (1024, 1024), (1920, 1080), (640, 448)))
        finding = Finding(
            status="ok",
            verdict="known" if known else "unknown",
            label=nearest if known else None,
            nearest=nearest,
            score=score,
            threshold=threshold,
            format=chance.choice(("JPEG", "JPEG", "PNG", "WebP")),
            width=width,
            height=height,
            flags=tuple(flags),
            decoder="opencv 5.0.0",
            **shared,
            **read,
        )
        spectrum = _profile(chance, 0.12 * CLASSES.index(nearest), 0.08)
        yield finding, Artefacts(thumbnail=thumbnails[row % PICTURES], spectrum=spectrum)


def _profile(chance: random.Random, level: float, noise: float) -> tuple[float, ...]:
    return tuple(
        7.0 + level - 2.2 * math.log10(max(r, 1)) - 0.012 * r + (chance.gauss(0.0, noise) if noise else 0.0)
        for r in range(64)
    )


def _thumbnail(chance: random.Random) -> bytes:
    """About as many bytes as a photograph's."""
    coarse = Image.frombytes("RGB", (16, 12), bytes(chance.randrange(256) for _ in range(16 * 12 * 3)))
    out = io.BytesIO()
    coarse.resize((96, 72), Image.Resampling.BICUBIC).save(out, "WEBP", quality=80)
    return out.getvalue()
