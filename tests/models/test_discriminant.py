"""Against scikit-learn's discriminant, and what its coordinates promise."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from forensic.models.discriminant import (
    Discriminant,
    discriminant_from_tensors,
    fit_discriminant,
    fit_whitening,
    whitening_from_tensors,
)


def _drawn(classes=4, features=12, each=50, seed=0):
    draws = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    mixing = draws.standard_normal((features, features))
    values = 2 * draws.standard_normal((classes, features))[labels] + draws.standard_normal((len(labels), features))
    return (values @ mixing + 5).astype(np.float32), labels


@pytest.mark.parametrize("shrinkage", [0.0, 0.1, 0.9])
def test_distances_are_those_of_the_shrunk_covariance(shrinkage):
    features, labels = _drawn()
    found = fit_discriminant(features, labels, 4, shrinkage)
    squared = found.squared_distances(found.coordinates(features))
    values = (features - features.mean(axis=0, dtype=np.float64)) / features.std(axis=0, dtype=np.float64)
    means = np.stack([values[labels == label].mean(axis=0) for label in range(4)])
    within = np.cov((values - means[labels]).T, bias=True)
    shrunk = (1 - shrinkage) * within + shrinkage * np.trace(within) / 12 * np.eye(12)
    gaps = values[:, None] - means
    full = np.einsum("nkf,fg,nkg->nk", gaps, np.linalg.inv(shrunk), gaps)
    # what lies outside the plane of the means is the same for all classes
    np.testing.assert_allclose(squared - squared[:, :1], full - full[:, :1], rtol=1e-3, atol=1e-3)
    assert (squared <= full + 1e-3).all()


def test_without_shrinkage_labels_are_scikit_learns():
    features, labels = _drawn(each=30, seed=1)
    found = fit_discriminant(features, labels, 4, 0.0)
    other = LinearDiscriminantAnalysis().fit(features, labels)
    nearest = found.squared_distances(found.coordinates(features)).argmin(axis=1)
    np.testing.assert_array_equal(nearest, other.predict(features))


def test_fewer_images_than_features_and_features_that_never_change():
    features, labels = _drawn(features=300, each=5)
    features[:, 7] = 3.0
    found = fit_discriminant(features, labels, 4)
    nearest = found.squared_distances(found.coordinates(features)).argmin(axis=1)
    np.testing.assert_array_equal(nearest, labels)
    assert found.directions.shape == (300, 3)
    assert np.isfinite(found.directions).all()


def test_one_image_a_class():
    features, labels = _drawn(each=1)
    found = fit_discriminant(features, labels, 4)
    np.testing.assert_array_equal(found.squared_distances(found.coordinates(features)).argmin(axis=1), labels)


def test_tensors_come_back():
    features, labels = _drawn()
    found = fit_discriminant(features, labels, 4)
    named = {f"x.{name}": value for name, value in found.tensors().items()}
    again = discriminant_from_tensors(named, "x.", 4, 12)
    for name in Discriminant.names:
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    with pytest.raises(ValueError, match=r"x.offset: expected \(13,\)"):
        discriminant_from_tensors(named, "x.", 4, 13)


def test_what_can_not_be_fitted():
    features, labels = _drawn()
    with pytest.raises(ValueError, match="every class of 5"):
        fit_discriminant(features, labels, 5)
    with pytest.raises(ValueError, match="every class of 3"):
        fit_discriminant(features, labels, 3)
    features[3, 3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        fit_discriminant(features, labels, 4)


def test_the_plane_of_the_whitening_is_the_discriminants():
    features, labels = _drawn()
    found, whitening = fit_discriminant(features, labels, 4), fit_whitening(features, labels, 4)
    squared = found.squared_distances(found.coordinates(features))
    plane = whitening.discriminant()
    np.testing.assert_allclose(plane.squared_distances(plane.coordinates(features)), squared, rtol=1e-3, atol=1e-3)
    named = {f"x.{name}": value for name, value in whitening.tensors().items()}
    again = whitening_from_tensors(named, "x.", 4, 12)
    for name in ("offset", "whitening", "means"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whitening, name))


def test_a_class_more_lies_in_the_plane_of_all():
    features, labels = _drawn(classes=5)
    first = labels < 4
    whitening = fit_whitening(features[first], labels[first], 4)
    mean = features[~first].mean(axis=0, dtype=np.float64) - whitening.offset
    plane = whitening.discriminant(np.vstack([whitening.means, mean]))
    assert plane.directions.shape == (12, 4)
    squared = plane.squared_distances(plane.coordinates(features))
    assert (squared.argmin(axis=1) == labels).mean() > 0.98
    whitened = (features - whitening.offset) @ whitening.whitening
    means = np.vstack([whitening.means, mean]) @ whitening.whitening
    full = ((whitened[:, None] - means) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared - squared[:, :1], full - full[:, :1], rtol=1e-3, atol=2e-2)
