from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix

from forensic.metrics.closedset import accuracy, accuracy_per_class, confusion
from forensic.metrics.measure import Measure


def test_equal_to_scikit_learn(seeded) -> None:
    labels, predicted = seeded(1).integers(0, 5, 200), seeded(2).integers(0, 5, 200)
    assert accuracy(labels, predicted).value == pytest.approx(accuracy_score(labels, predicted))
    expected = confusion_matrix(labels, predicted, labels=range(5))
    np.testing.assert_array_equal(confusion(labels, predicted, 5), expected)
    rows = [expected[label, label] / expected[label].sum() for label in range(5)]
    assert [measure.value for measure in accuracy_per_class(labels, predicted, 5)] == pytest.approx(rows)


def test_a_class_without_images_has_no_accuracy() -> None:
    assert accuracy_per_class([0, 0, 2], [0, 1, 2], 3) == [Measure(0.5), Measure(None, "no known images"), Measure(1.0)]
    assert accuracy([], []) == Measure(None, "no known images")


@pytest.mark.parametrize(
    ("labels", "predicted", "told"),
    [([0, 3], [0, 1], "labels: expected 0 to 2, got 0 to 3"), ([0, 1], [-1, 1], "predicted: expected 0 to 2, got -1")],
)
def test_labels_out_of_range_are_refused(labels, predicted, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        confusion(labels, predicted, 3)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="predicted: expected shape"):
        accuracy([0, 1], [0])
