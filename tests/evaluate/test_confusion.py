from __future__ import annotations

import re
from dataclasses import replace

from forensic.evaluate.confusion import confusion_table
from forensic.evaluate.run import Evaluation


def test_every_row_of_the_matrix_in_percent(evaluation: Evaluation) -> None:
    stored = evaluation.stored
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th>(.*?)</tr>', str(confusion_table(stored)))
    names = [f"{place + 1}  {name}" for place, name in enumerate(stored.known_classes)] + list(stored.unknown_classes)
    assert [name for name, _ in rows] == names
    for place, (counts, (_, cells)) in enumerate(zip(stored.confusion.tolist(), rows, strict=True)):
        *shares, total = re.findall(r"<td[^>]*>([^<]*)</td>", cells)
        assert int(total) == sum(counts)
        assert shares == [f"{100 * count / sum(counts):.0f}" if count else "·" for count in counts]
        right = [column for column, kind in enumerate(re.findall(r'<td class="([^"]*)"', cells)) if "same" in kind]
        assert right == ([place] if place < len(stored.known_classes) else [])


def test_groups_of_unknown_have_a_heading_each(evaluation: Evaluation) -> None:
    assert re.findall(r"unknown: (\w+)", str(confusion_table(evaluation.stored))) == ["seed", "arch", "dataset", "wild"]


def test_a_class_without_images_has_an_empty_row(evaluation: Evaluation) -> None:
    empty = replace(evaluation.stored, confusion=evaluation.stored.confusion * 0)
    assert "nan" not in str(confusion_table(empty))
    assert str(confusion_table(empty)).count("<td>0</td>") == len(empty.confusion)
