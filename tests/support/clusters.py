"""Answers without a model: noisy clusters, some of which overlap."""

import numpy as np

from models.manifest import Metric
from training.evaluation.answers import Answers


def clusters(
    labels: list[int],
    metric: Metric,
    seed: int,
    classes: int | None = None,
    dimension: int = 4,
    spread: float = 0.8,
) -> Answers:
    """One embedding for each label, around class centers that depend on nothing but the class."""
    c = classes or max(labels) + 1
    random = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(c, dimension)) + 0.5
    points = centers[labels] + spread * random.normal(size=(len(labels), dimension))
    return answers(points, labels, metric, centers)


def answers(points: np.ndarray, labels: list[int], metric: Metric, centers: np.ndarray) -> Answers:
    """Of these points, at unit length where the metric is cosine; probable where a center is."""
    squares = np.square(points[:, np.newaxis] - centers).sum(axis=2)
    likely = np.exp(-squares + squares.min(axis=1, keepdims=True)) if len(points) else squares
    if metric == "cosine":
        points = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-30)
    return Answers(
        embeddings=points.astype(np.float32),
        probabilities=(likely / likely.sum(axis=1, keepdims=True)).astype(np.float32),
        labels=np.array(labels, np.int64),
        ids=tuple(f"{row}.png" for row in range(len(labels))),
    )
