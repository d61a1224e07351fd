"""Nearest neighbours of test images: among each other, and in the gallery that is served."""

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from models.evidence.retrieval import NeighbourAccuracy, RetrievalSection
from models.manifest import Metric
from training.evaluate.answers import Answers
from training.evaluate.sampling import RESAMPLES, bootstrap_means, stratified

IMAGES = 10_000
_RECALL_AT = (1, 5, 10)
_NEIGHBOURS = (1, 5, 20)
_BLOCK_ITEMS = 2**22

Points = Float32[np.ndarray, "n d"]
Labels = Int64[np.ndarray, " n"]


def retrieval(
    test: Answers, gallery: Answers, metric: Metric, seed: int = 0, limit: int = IMAGES
) -> RetrievalSection:
    """Test images as queries against each other and against the gallery.

    `gallery` holds the training images that ship with the model; at most `limit` test images are
    searched among each other. Its definitions are in `RetrievalSection`. 10,000 images of 64
    numbers take seconds on one core.
    """
    rows = stratified(test.labels, limit, seed)
    per_query = query_values(test.embeddings[rows], test.labels[rows], metric)
    found = bootstrap_means(per_query, seed) if len(per_query) else [None] * per_query.shape[1]
    recall_1, recall_5, recall_10, r_precision, map_at_r = found
    return RetrievalSection(
        metric=metric,
        images=len(rows),
        queries=len(per_query),
        queries_left_out=len(rows) - len(per_query),
        recall_at_1=recall_1,
        recall_at_5=recall_5,
        recall_at_10=recall_10,
        r_precision=r_precision,
        map_at_r=map_at_r,
        gallery_images=len(gallery),
        neighbour_accuracy=_neighbour_accuracy(test, gallery, metric, seed),
        resamples=RESAMPLES,
        seed=seed,
    )


def query_values(points: Points, labels: Labels, metric: Metric) -> Float64[np.ndarray, "q 5"]:
    """Recall@1, @5 and @10, R-precision and MAP@R of each image that has a relevant other one."""
    _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    relevant = counts[places] - 1
    queries = np.flatnonzero(relevant)
    if len(queries) == 0:
        return np.empty((0, len(_RECALL_AT) + 2))
    depth = min(max(int(relevant.max()), *_RECALL_AT), len(labels) - 1)
    centred = points if metric == "cosine" else points - points.mean(axis=0)
    blocks = [
        _values(
            labels[_nearest(centred, part, depth, metric)] == labels[part, None], relevant[part]
        )
        for part in np.array_split(queries, len(queries) * len(labels) // _BLOCK_ITEMS + 1)
    ]
    return np.concatenate(blocks)


def neighbour_labels(test: Points, gallery: Answers, k: int, metric: Metric) -> Labels:
    """The label that most of the k nearest gallery images have; of a tie, the nearest one's."""
    index = (faiss.IndexFlatIP if metric == "cosine" else faiss.IndexFlatL2)(test.shape[1])
    index.add(_ready(gallery.embeddings, metric))
    _, rows = index.search(_ready(test, metric), k)
    near = gallery.labels[rows]
    votes = np.stack([(near == near[:, [column]]).sum(axis=1) for column in range(k)], axis=1)
    most = votes.argmax(axis=1)  # the first of equals, which is the nearest
    chosen: Labels = near[np.arange(len(near)), most]
    return chosen


def _neighbour_accuracy(
    test: Answers, gallery: Answers, metric: Metric, seed: int
) -> tuple[NeighbourAccuracy, ...]:
    ks = sorted({min(k, len(gallery)) for k in _NEIGHBOURS} - {0})
    if not ks or len(test) == 0:
        return ()
    right = [neighbour_labels(test.embeddings, gallery, k, metric) == test.labels for k in ks]
    found = bootstrap_means(np.stack(right, axis=1).astype(np.float64), seed)
    return tuple(
        NeighbourAccuracy(k=k, accuracy=accuracy) for k, accuracy in zip(ks, found, strict=True)
    )


def _nearest(
    points: Points, queries: Int64[np.ndarray, " q"], depth: int, metric: Metric
) -> Int64[np.ndarray, "q depth"]:
    """The `depth` nearest other rows of each query, nearest first."""
    scores = points[queries] @ points.T
    if metric == "l2":  # the query's own square changes no order
        scores -= np.square(points).sum(axis=1) / 2
    scores[np.arange(len(queries)), queries] = -np.inf
    best = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
    return np.take_along_axis(best, order, axis=1)


def _values(
    hits: Bool[np.ndarray, "q k"], relevant: Int64[np.ndarray, " q"]
) -> Float64[np.ndarray, "q 5"]:
    ranks = np.arange(1, hits.shape[1] + 1)
    counted = hits & (ranks <= relevant[:, np.newaxis])
    precision = np.cumsum(counted, axis=1) / ranks
    columns = [hits[:, :k].any(axis=1) for k in _RECALL_AT]
    columns.append(counted.sum(axis=1) / relevant)
    columns.append((precision * counted).sum(axis=1) / relevant)
    return np.stack(columns, axis=1).astype(np.float64)


def _ready(points: Points, metric: Metric) -> Points:
    """As service/index/parts.py stores and asks: at unit length where the metric is cosine."""
    points = np.ascontiguousarray(points)
    if metric == "l2":
        return points
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    unit: Points = points / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
