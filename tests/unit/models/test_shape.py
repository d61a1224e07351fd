"""The rules that fit a gallery's shape, against formulas written out one image at a time."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from models.manifest import Metric, Scorer
from models.open_set import reference, scores
from tests.support.clusters import clusters

METRICS: tuple[Metric, ...] = ("cosine", "l2")


def unit(given: np.ndarray, metric: Metric) -> np.ndarray:
    points: np.ndarray = given.astype(np.float64)
    if metric == "cosine":
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points


def ridged(away: np.ndarray) -> np.ndarray:
    covariance = np.mean([np.outer(row, row) for row in away], axis=0)
    ridge = 1e-3 * np.trace(covariance) / len(covariance)
    firm: np.ndarray = covariance + ridge * np.eye(len(covariance))
    return firm


@pytest.mark.parametrize("metric", METRICS)
def test_the_relative_mahalanobis_distance_is_the_formula(metric: Metric) -> None:
    gallery = clusters([row % 3 for row in range(60)], metric, seed=1, dimension=6)
    asked = clusters([row % 3 for row in range(20)], metric, seed=2, dimension=6)
    compared = reference("relative_mahalanobis", None, metric, gallery.embeddings, gallery.labels)
    found = scores("relative_mahalanobis", asked.embeddings, asked.probabilities, compared)

    rows, points = unit(gallery.embeddings, metric), unit(asked.embeddings, metric)
    means = {label: rows[gallery.labels == label].mean(axis=0) for label in range(3)}
    away = np.array([row - means[label] for row, label in zip(rows, gallery.labels, strict=True)])
    within = np.linalg.inv(ridged(away))
    whole = np.linalg.inv(ridged(rows - rows.mean(axis=0)))
    expected = [
        min((x - mean) @ within @ (x - mean) for mean in means.values())
        - (x - rows.mean(axis=0)) @ whole @ (x - rows.mean(axis=0))
        for x in points
    ]
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("metric", METRICS)
def test_the_principal_residual_is_what_pca_does_not_reconstruct(metric: Metric) -> None:
    gallery = clusters([row % 3 for row in range(60)], metric, seed=1, dimension=6)
    asked = clusters([row % 3 for row in range(20)], metric, seed=2, dimension=6)
    compared = reference("principal_residual", None, metric, gallery.embeddings, gallery.labels)
    found = scores("principal_residual", asked.embeddings, asked.probabilities, compared)

    pca = PCA(n_components=3).fit(unit(gallery.embeddings, metric))
    points = unit(asked.embeddings, metric)
    again = pca.inverse_transform(pca.transform(points))
    assert found == pytest.approx(np.linalg.norm(points - again, axis=1), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("scorer", ["relative_mahalanobis", "principal_residual"])
def test_a_score_does_not_depend_on_the_batch(scorer: Scorer) -> None:
    gallery = clusters([row % 3 for row in range(60)], "cosine", seed=1, dimension=6)
    asked = clusters([row % 3 for row in range(20)], "cosine", seed=2, dimension=6)
    compared = reference(scorer, None, "cosine", gallery.embeddings, gallery.labels)
    together = scores(scorer, asked.embeddings, asked.probabilities, compared)
    alone = [
        scores(scorer, asked.embeddings[[row]], asked.probabilities[[row]], compared)[0]
        for row in range(20)
    ]
    assert together.tolist() == alone


@pytest.mark.parametrize("scorer", ["relative_mahalanobis", "principal_residual"])
def test_a_gallery_without_images_has_no_shape(scorer: Scorer) -> None:
    nothing = np.empty((0, 4), np.float32)
    compared = reference(scorer, None, "l2", nothing, np.empty(0, np.int64))
    with pytest.raises(ValueError, match="gallery"):
        scores(scorer, np.ones((1, 4), np.float32), np.ones((1, 2), np.float32), compared)


@pytest.mark.parametrize("scorer", ["relative_mahalanobis", "principal_residual"])
def test_one_image_of_a_class_is_enough(scorer: Scorer) -> None:
    rows = np.eye(4, dtype=np.float32)[:2]
    compared = reference(scorer, None, "l2", rows, np.arange(2))
    found = scores(scorer, rows, np.ones((2, 2), np.float32), compared)
    assert np.isfinite(found).all()
