"""Geometry against loops over every pair, torch and the definitions' own words."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_samples

from models.evidence.geometry import GeometrySection, PairValues
from models.manifest import Metric
from tests.support.clusters import answers, clusters
from training.evaluation import all_pairs
from training.evaluation import geometry as module
from training.evaluation.answers import Answers
from training.evaluation.geometry import fisher_ratio, geometry

LABELS = [0] * 17 + [1] * 9 + [2] * 5 + [4]  # no image of class 3, one of class 4
NAMES = ("ant", "bee", "cow", "dog", "eel")
METRICS: tuple[Metric, ...] = ("cosine", "l2")


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> Metric:
    chosen: Metric = request.param
    return chosen


def of(test: Answers, metric: Metric) -> GeometrySection:
    return geometry(clusters(LABELS * 2, metric, seed=2), test, NAMES, metric)


def agrees(found: PairValues | None, values: list[float], upper: float) -> None:
    assert found is not None
    assert found.pairs == len(values)
    assert found.mean == pytest.approx(np.mean(values), rel=1e-6)
    assert found.std == pytest.approx(np.std(values), rel=1e-6)
    counts, edges = np.histogram(values, bins=50, range=(0, upper))
    assert found.edges == pytest.approx(edges)
    assert list(found.counts) == counts.tolist()


@pytest.mark.parametrize("block", [7, 100, 2**20])
def test_distances_and_angles_of_every_pair(
    metric: Metric, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_pairs, "_BLOCK_ITEMS", block)
    test = clusters(LABELS, metric, seed=3)
    section = of(test, metric)
    points = test.embeddings.astype(float)
    distances: dict[bool, list[float]] = {True: [], False: []}
    angles: dict[bool, list[float]] = {True: [], False: []}
    for i, j in combinations(range(len(test)), 2):
        one, other = points[i], points[j]
        same = bool(test.labels[i] == test.labels[j])
        distances[same].append(math.dist(one, other))
        lengths = math.hypot(*one) * math.hypot(*other)
        angles[same].append(math.acos(float(one @ other) / lengths))
    center = points.mean(axis=0)
    upper = 2.0 if metric == "cosine" else 2 * max(math.dist(row, center) for row in points)
    agrees(section.within_distance, distances[True], upper)
    agrees(section.between_distance, distances[False], upper)
    agrees(section.within_angle_rad, angles[True], math.pi)
    agrees(section.between_angle_rad, angles[False], math.pi)


def test_alignment_and_uniformity_are_those_of_the_papers_code(metric: Metric) -> None:
    test = clusters(LABELS, metric, seed=3)
    unit = torch.nn.functional.normalize(torch.from_numpy(test.embeddings).double())
    near = [
        (unit[i] - unit[j]).norm().pow(2).item()
        for i, j in combinations(range(len(test)), 2)
        if test.labels[i] == test.labels[j]
    ]
    section = of(test, metric)
    assert section.alignment == pytest.approx(np.mean(near))
    uniformity = torch.pdist(unit).pow(2).mul(-2).exp().mean().log().item()
    assert section.uniformity == pytest.approx(uniformity)


def test_fishers_ratio_of_traces(metric: Metric) -> None:
    test = clusters(LABELS, metric, seed=3)
    points = test.embeddings.astype(float)
    between = within = 0.0
    for label in set(LABELS):
        rows = points[test.labels == label]
        gap = rows.mean(axis=0) - points.mean(axis=0)
        between += len(rows) * np.trace(np.outer(gap, gap))
        within += sum(np.trace(np.outer(row, row)) for row in rows - rows.mean(axis=0))
    assert fisher_ratio(test) == pytest.approx(between / within)


def test_silhouette_by_its_definition(metric: Metric) -> None:
    test = clusters(LABELS, metric, seed=3)
    points = test.embeddings.astype(float)
    lengths = np.linalg.norm(points, axis=1)
    gaps = np.linalg.norm(points[:, None] - points, axis=2)
    if metric == "cosine":
        gaps = 1 - points @ points.T / np.outer(lengths, lengths)
    values = []
    for row, label in enumerate(LABELS):
        own = [gaps[row][other] for other in range(len(LABELS)) if LABELS[other] == label]
        if len(own) == 1:
            values.append(0.0)
            continue
        a = sum(own) / (len(own) - 1)
        b = min(gaps[row][test.labels == other].mean() for other in set(LABELS) - {label})
        values.append((b - a) / max(a, b))
    found = of(test, metric).silhouette
    assert found.value == pytest.approx(np.mean(values), abs=1e-5)
    assert found.images == len(LABELS)


def test_large_sets_are_sampled_and_say_so(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAIRED_IMAGES", 20)
    monkeypatch.setattr(module, "_SILHOUETTE_IMAGES", 18)
    section = of(clusters(LABELS, metric, seed=3), metric)
    assert section.images == 32
    assert section.paired_images == 20
    assert section.within_distance is not None
    assert section.between_distance is not None
    assert section.within_distance.pairs + section.between_distance.pairs == 190
    assert section.silhouette.images == 18


def test_class_means_come_from_training_embeddings(metric: Metric) -> None:
    test = clusters(LABELS, metric, seed=3)
    one, other = (
        geometry(clusters(LABELS, metric, seed=seed), test, NAMES, metric) for seed in (4, 5)
    )
    assert one.class_margins != other.class_margins
    assert one.collapse != other.collapse
    assert one.fisher_ratio == other.fisher_ratio
    assert one.within_angle_rad == other.within_angle_rad


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_images_leave_what_is_undefined_out(metric: Metric, count: int) -> None:
    section = of(clusters([0, 1][:count], metric, seed=3, classes=5), metric)
    assert section.images == count
    assert section.within_distance is None
    assert section.alignment is section.fisher_ratio is None
    assert section.silhouette.value is None
    assert (section.between_distance is None) == (count < 2)
    assert (section.uniformity is None) == (count < 2)


def test_embeddings_that_are_all_equal(metric: Metric) -> None:
    test = answers(np.full((6, 4), 0.1), [0, 0, 0, 1, 1, 1], metric, np.eye(5, 4))
    section = geometry(test, test, NAMES, metric)
    assert section.fisher_ratio is None
    assert section.within_distance is not None
    assert section.within_distance.mean == pytest.approx(0, abs=1e-6)
    assert section.alignment == pytest.approx(0, abs=1e-9)
    assert section.uniformity == pytest.approx(0, abs=1e-9)
    assert section.silhouette.value == pytest.approx(0, abs=1e-3)
    assert section.margin is not None
    assert section.margin.mean_rad == pytest.approx(0, abs=1e-6)


def test_an_embedding_of_length_0_has_distances_and_no_angles() -> None:
    points = np.array([[0, 0], [1, 0], [0, 2], [3, 1]], float)
    test = answers(points, [0, 0, 1, 1], "l2", np.eye(2))
    section = geometry(test, test, NAMES[:2], "l2")
    assert section.within_distance is not None
    assert section.within_distance.pairs == 2
    assert section.within_angle_rad is not None
    assert section.within_angle_rad.pairs == 1
    assert section.margin is not None
    assert section.margin.images == 3


def test_scikit_learn_agrees_on_the_silhouette() -> None:
    test = clusters(LABELS, "l2", seed=3)
    expected = silhouette_samples(test.embeddings, test.labels).mean()
    assert of(test, "l2").silhouette.value == pytest.approx(expected, abs=1e-6)
