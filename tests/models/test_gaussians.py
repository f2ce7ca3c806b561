from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from forensic.models.gaussians import fit_gaussians, gaussians_from_tensors, shrunk_covariance

K, F = 4, 5


@pytest.fixture
def rows(seeded) -> tuple[np.ndarray, np.ndarray]:
    """Features (120, F) and labels (120,), classes of unlike size."""
    draws = seeded(3)
    labels = np.repeat(np.arange(K), [20, 30, 30, 40])
    features = 2 * np.eye(K, F)[labels] + draws.normal(0, 1, (120, F)) @ draws.normal(0, 1, (F, F))
    return features.astype(np.float32), labels


@pytest.mark.parametrize("shape", [(200, 8), (12, 20), (3, 5)])
def test_shrinkage_is_scikit_learns(shape, seeded) -> None:
    rows = seeded(2).normal(0, 1, shape) * np.linspace(0.2, 3, shape[1])
    expected = LedoitWolf(assume_centered=True).fit(rows).covariance_
    np.testing.assert_allclose(shrunk_covariance(rows), expected, rtol=1e-9, atol=1e-12)


def test_differences_of_nearness_are_those_of_linear_discriminants(rows) -> None:
    """Between two classes the Gaussian over all of them cancels: what is left is linear in the features."""
    features, labels = rows
    made = fit_gaussians(features, labels, K, overall=True)
    means = np.stack([features[labels == k].astype(float).mean(axis=0) for k in range(K)])
    residuals = features.astype(float) - means[labels]
    inverse = np.linalg.inv(LedoitWolf(assume_centered=True).fit(residuals).covariance_)
    scores = features @ (inverse @ means.T) - 0.5 * np.einsum("kf,fg,kg->k", means, inverse, means)
    nearness = made.nearness(features) / 2
    np.testing.assert_allclose(nearness - nearness[:, :1], scores - scores[:, :1], rtol=1e-3, atol=1e-3)


def test_the_centre_of_all_classes_is_near_none(rows) -> None:
    features, labels = rows
    made = fit_gaussians(features, labels, K, overall=True)
    assert made.centre is not None
    nearness = made.nearness(made.centre[None, :])
    np.testing.assert_allclose(nearness, -(made.distances(made.centre[None, :]) ** 2), rtol=1e-9)
    assert (nearness < 0).all()
    assert made.nearness(made.means).argmax(axis=1).tolist() == list(range(K))


def test_without_the_gaussian_over_all_there_is_no_nearness(rows) -> None:
    features, labels = rows
    made = fit_gaussians(features, labels, K, overall=False)
    assert set(made.tensors()) == {"means", "whitening"}
    with pytest.raises(TypeError, match="without the Gaussian over all classes"):
        made.nearness(features)


@pytest.mark.parametrize("overall", [False, True])
def test_tensors_there_and_back(rows, *, overall: bool) -> None:
    features, labels = rows
    made = fit_gaussians(features, labels, K, overall=overall)
    tensors = {f"x_{name}": value for name, value in made.tensors().items()}
    again = gaussians_from_tensors(tensors, "x_", K, F, overall=overall)
    assert again.tensors().keys() == made.tensors().keys()
    np.testing.assert_array_equal(again.distances(features), made.distances(features))
    if overall:
        np.testing.assert_array_equal(again.nearness(features), made.nearness(features))
    for name, value in made.tensors().items():
        np.testing.assert_array_equal(again.tensors()[name], value)
    with pytest.raises(ValueError, match=r"x_means: expected \(4, 6\), got \(4, 5\)"):
        gaussians_from_tensors(tensors, "x_", K, F + 1, overall=overall)


def test_features_without_spread_still_have_distances() -> None:
    made = fit_gaussians(np.zeros((2, F)), np.array([0, 1]), 2, overall=True)
    assert np.isfinite(made.nearness(np.ones((1, F)))).all()
