"""The clusters of a case as one HTML page: a contact sheet, a spectrum and the numbers of each. No script."""

from __future__ import annotations

import base64
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from forensic.discovery.run import IS_NOT, REPRESENTATIVES, method, remarks
from forensic.evaluate.frame import Section, box, figure, figures, paragraph, render, table, text
from forensic.evaluate.plots import Axis, Line, lines
from forensic.spectra.figure import FIRST_BIN
from forensic.spectra.profile import frequencies
from forensic.spectra.reading import BINS

if TYPE_CHECKING:
    from collections.abc import Callable

    from forensic.case.reader import CaseReader
    from forensic.discovery.run import Cluster, Discovery
    from forensic.models.card import Card

NAMED = 50
"""So many files that are left out are named; JSON has them all."""
_DIGITS = 12
"""Of a SHA-256, below a picture."""


def to_page(found: Discovery, case: CaseReader, card: Card, weights: str, *, told: Callable[[str], str]) -> bytes:
    """The page; the same bytes for the same clusters.

    Args:
        found: of this case.
        case: with its thumbnails and spectra.
        card: of the weights.
        weights: their name.
        told: makes a line fit to be shown; HTML is escaped here.
    """
    pictures = _thumbnails(case, {each.members[place].seq for each in found.clusters for place in each.shown})
    facts = {
        "closing digest of the case": case.closing_digest,
        "weights": f"{weights} ({card.short_hash})"
        + ("" if card.short_hash == case.header.weights else "; the case was made with others"),
        "rejected files": str(found.gathered.findings),
        "different images": str(len(found.gathered.images)),
        "clusters": str(len(found.clusters)),
        "in no cluster": "-" if found.noise_share is None else f"{found.noise_share:.0%}",
    }
    sections = [
        Section("What this is not", paragraph(IS_NOT, "notice")),
        Section("In short", _short(found)),
        *(Section(each.name, _cluster(each, case, pictures)) for each in found.clusters),
    ]
    if found.gathered.left_out:
        sections.append(Section("Files left out", _left_out(found)))
    foot = "; ".join(f"{name.replace('_', ' ')}: {_said(value)}" for name, value in method(found, card).items())
    style = resources.files("forensic.discovery").joinpath("page.css").read_text(encoding="utf-8")
    title = "What a case rejected, by like traces"
    return render(title, facts.items(), sections, foot, told=told, own_style=style)


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items() if part is not None)
    return str(value)


def _short(found: Discovery) -> Markup:
    images = len(found.gathered.images)
    if not images:
        return paragraph("The case rejected no file that can be used here.")
    rows = [(each.name, str(len(each.members)), str(each.count_groups), _nearest(each)) for each in found.clusters]
    rows.append(("in no cluster", str(len(found.noise)), str(found.noise_groups), ""))
    rows.append(("all", str(images), "", ""))
    counted = (
        "Images are counted once however many files hold their bytes; images that look alike are a group, so that "
        "copies do not pass for many. Groups are counted within each row."
    )
    said = [counted, *remarks(found)]
    columns = ("cluster", ">images", ">groups that look alike", "nearest known class")
    return Markup("").join(map(paragraph, said)) + table(columns, rows, strong=1)


def _nearest(each: Cluster) -> str:
    if not each.nearest:
        return "-"
    name, count = each.nearest[0]
    return f"{name} ({count} of {len(each.members)} images)"


def _cluster(each: Cluster, case: CaseReader, pictures: dict[int, bytes]) -> Markup:
    items = []
    for rank, place in enumerate(each.shown):
        image = each.members[place]
        data = pictures.get(image.seq)
        drawn = (
            Markup('<span class="none">no picture kept</span>')
            if data is None
            else Markup('<img alt="" src="data:image/webp;base64,{}">').format(base64.b64encode(data).decode("ascii"))
        )
        kind = Markup(' class="first"') if rank < REPRESENTATIVES else ""
        items.append(
            Markup('<li{} title="{}">{}<code>{}</code></li>').format(
                kind, text(image.path), drawn, image.sha256[:_DIGITS]
            )
        )
    size = (
        f"{len(each.members)} images in {each.count_groups} groups that look alike. Nearest the middle first, one of "
        f"each group; the first {min(REPRESENTATIVES, len(each.shown))} are the representatives."
    )
    classes = table(("nearest known class", ">images"), [(name, str(count)) for name, count in each.nearest[:5]])
    named = table(
        ("representative", "SHA-256"),
        [(each.members[place].path, each.members[place].sha256) for place in each.shown[:REPRESENTATIVES]],
    )
    sheet = Markup('<ul class="pictures">{}</ul>\n').format(Markup("").join(items))
    return paragraph(size) + sheet + figures(_spectrum(each, case), box(classes)) + named


def _spectrum(each: Cluster, case: CaseReader) -> Markup:
    if not each.spectrum.count:
        return box(paragraph("The case keeps no spectrum of these images."))
    at = frequencies(BINS)[FIRST_BIN:]
    known = {
        name: np.array(mean)[FIRST_BIN:] for name, (mean, _) in case.header.class_spectra.items() if len(mean) == BINS
    }
    near = each.nearest[0][0] if each.nearest else ""
    own = each.spectrum.mean[FIRST_BIN:]
    drawn = [Line("line rest", at, values) for name, values in known.items() if name != near]
    legend = [("line l0", each.name)]
    if near in known:
        drawn.append(Line("line l2", at, known[near]))
        legend.append(("line l2", near))
    if len(known) > (near in known):
        legend.append(("line rest", "other known classes"))
    drawn.append(Line("line l0", at, own))
    power = Axis.over("log10 of the mean power", np.concatenate([line.y for line in drawn]).tolist())
    across = Axis("cycles a pixel", 0.0, 0.5, tuple((tick, f"{tick:g}") for tick in (0.0, 0.125, 0.25, 0.375, 0.5)))
    told = f"Mean radial spectrum of {each.name} and of the known classes"
    caption = f"{told}: means over {each.spectrum.count} images, and over training images of each class."
    return figure(lines(told, across, power, drawn), caption, legend)


def _left_out(found: Discovery) -> Markup:
    rows = found.gathered.left_out
    said = f"{len(rows)} rejected files were not used."
    if len(rows) > NAMED:
        said += f" The first {NAMED}:"
    return paragraph(said) + table(("file", "reason"), rows[:NAMED])


def _thumbnails(case: CaseReader, wanted: set[int]) -> dict[int, bytes]:
    return {
        seq: artefacts.thumbnail
        for seq, _, artefacts in case.rows()
        if seq in wanted and artefacts.thumbnail is not None
    }
