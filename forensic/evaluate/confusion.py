"""The confusion matrix of a page: known classes by known classes, then what unknown ones come out as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from forensic.evaluate.frame import paragraph, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forensic.evaluate.measures import Condition

_SHADES = (0.0, 0.1, 0.25, 0.5, 0.75)
"""Shares of a row from which on a cell is shaded one step darker."""


def confusion_table(condition: Condition) -> Markup:
    """Shares of each row in percent; columns are numbered as the rows of the known classes are."""
    names = list(condition.known_classes)
    numbers = {name: str(place + 1) for place, name in enumerate(names)}
    heads = Markup("").join(
        Markup('<th scope="col" title="{}">{}</th>').format(text(name), number) for name, number in numbers.items()
    )
    table = condition.confusion.tolist()
    lines = [
        _line(f"{numbers[name]}  {name}", counts, same=place)
        for place, (name, counts) in enumerate(zip(names, table, strict=False))
    ]
    group = None
    for name, counts in zip(condition.unknown_classes, table[len(names) :], strict=True):
        if condition.class_groups[name] != group:
            group = condition.class_groups[name]
            row = Markup('<tr class="group"><th scope="rowgroup" colspan="{}">unknown: {}</th></tr>\n')
            lines.append(row.format(len(names) + 2, text(group)))
        lines.append(_line(name, counts))
    said = paragraph(
        "Per cent of each row's images whose best class, whatever the threshold, is that of the column. Columns have "
        "the numbers of the known classes; the outlined cell is the right one."
    )
    return said + Markup(
        '<div class="wide"><table class="matrix">\n<thead><tr><th scope="col">images of</th>{}'
        '<th scope="col">n</th></tr></thead>\n<tbody>\n{}</tbody></table></div>\n'
    ).format(heads, Markup("").join(lines))


def _line(name: str, counts: Sequence[int], same: int | None = None) -> Markup:
    total = sum(counts)
    cells = []
    for place, count in enumerate(counts):
        share = count / total if total else 0.0
        shade = sum(share >= least for least in _SHADES) if count else 0
        kind = f"s{shade} same" if place == same else f"s{shade}"
        told = f"{100 * share:.0f}" if count else "·"
        cells.append(Markup('<td class="{}">{}</td>').format(kind, told))
    return Markup('<tr><th scope="row">{}</th>{}<td>{}</td></tr>\n').format(text(name), Markup("").join(cells), total)
