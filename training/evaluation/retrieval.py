"""Nearest neighbors of test images: among each other, and in the gallery that is served."""

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from models.evidence.estimate import Estimate
from models.evidence.retrieval import NeighbourAccuracy, RetrievalSection
from models.manifest import Metric
from models.vectors import unit
from training.data.sampling import stratified
from training.evaluation.answers import Answers
from training.evaluation.intervals import of_replicates, share

IMAGES = 10_000
_RECALL_AT = (1, 5, 10)
_NEIGHBORS = (1, 5, 20)
_BLOCK_ITEMS = 2**22
_GROUPS = 20
_SPARE, _SPARE_SHARE = 20, 0.15  # neighbors beyond R, so that a group can be left out

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
    labels = test.labels[rows]
    groups = _groups(labels)
    per_query, left_out = _searched(test.embeddings[rows], labels, metric, groups)
    recall_1, recall_5, recall_10, r_precision, map_at_r = _estimates(per_query, left_out)
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
        neighbour_accuracy=_neighbour_accuracy(test, gallery, metric),
        resamples=_GROUPS,
        interval="delete_a_group_jackknife",
        seed=seed,
    )


def _groups(labels: Labels) -> Labels:
    """1 to 20, of which every class has as many images, up to one."""
    groups = np.empty(len(labels), np.int64)
    order = np.argsort(labels, kind="stable")
    groups[order] = np.arange(len(labels)) % _GROUPS + 1
    return groups


def _estimates(
    per_query: Float64[np.ndarray, "q 5"], left_out: Float64[np.ndarray, "g 5"]
) -> list[Estimate | None]:
    if len(per_query) == 0:
        return [None] * per_query.shape[1]
    values, shares = per_query.mean(axis=0), len(_RECALL_AT)
    return [
        of_replicates(float(values[row]), len(per_query), left_out[:, row], is_share=row < shares)
        for row in range(len(values))
    ]


def query_values(points: Points, labels: Labels, metric: Metric) -> Float64[np.ndarray, "q 5"]:
    """Recall@1, @5 and @10, R-precision and MAP@R of each image that has a relevant other one."""
    return _searched(points, labels, metric, np.zeros(len(labels), np.int64))[0]


def _searched(
    points: Points, labels: Labels, metric: Metric, groups: Labels
) -> tuple[Float64[np.ndarray, "q 5"], Float64[np.ndarray, "g 5"]]:
    """Each query's values, and their means with each group left out, as queries and as answers."""
    _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    relevant = counts[places] - 1
    queries = np.flatnonzero(relevant)
    if len(queries) == 0:
        return np.empty((0, len(_RECALL_AT) + 2)), np.empty((0, len(_RECALL_AT) + 2))
    kinds = np.unique(groups) if groups.any() else np.empty(0, np.int64)
    spare = _SPARE + int(relevant.max() * _SPARE_SHARE) if len(kinds) else 0
    depth = min(max(int(relevant.max()), *_RECALL_AT) + spare, len(labels) - 1)
    centered = points if metric == "cosine" else points - points.mean(axis=0)
    blocks, sums, told = [], np.zeros((len(kinds), len(_RECALL_AT) + 2)), np.zeros(len(kinds))
    for part in np.array_split(queries, len(queries) * len(labels) // _BLOCK_ITEMS + 1):
        near = nearest_rows(centered, part, depth, metric)
        same = labels[near] == labels[part, None]
        blocks.append(_values(same, np.ones_like(same), relevant[part]))
        for row, kind in enumerate(kinds):
            gone = np.bincount(places[groups == kind], minlength=len(counts))
            left = relevant[part] - gone[places[part]]
            asked = (groups[part] != kind) & (left > 0)
            kept = groups[near[asked]] != kind
            sums[row] += _values(same[asked], kept, left[asked]).sum(axis=0)
            told[row] += asked.sum()
    return np.concatenate(blocks), sums[told > 0] / told[told > 0, None]


def neighbor_labels(test: Points, gallery: Answers, k: int, metric: Metric) -> Labels:
    """The label that most of the k nearest gallery images have; of a tie, the nearest one's."""
    near = gallery.labels[nearest_in(gallery.embeddings, test, k, metric)]
    votes = np.stack([(near == near[:, [column]]).sum(axis=1) for column in range(k)], axis=1)
    most = votes.argmax(axis=1)  # the first of equals, which is the nearest
    chosen: Labels = near[np.arange(len(near)), most]
    return chosen


def nearest_in(
    gallery: Points, queries: Points, k: int, metric: Metric
) -> Int64[np.ndarray, "q k"]:
    """The rows of the k nearest items of the gallery to each query, nearest first."""
    index = (faiss.IndexFlatIP if metric == "cosine" else faiss.IndexFlatL2)(queries.shape[1])
    index.add(_ready(gallery, metric))
    rows: Int64[np.ndarray, "q k"] = index.search(_ready(queries, metric), k)[1]
    return rows


def _neighbour_accuracy(
    test: Answers, gallery: Answers, metric: Metric
) -> tuple[NeighbourAccuracy, ...]:
    ks = sorted({min(k, len(gallery)) for k in _NEIGHBORS} - {0})
    if not ks or len(test) == 0:
        return ()
    right = [neighbor_labels(test.embeddings, gallery, k, metric) == test.labels for k in ks]
    return tuple(
        NeighbourAccuracy(k=k, accuracy=share(each)) for k, each in zip(ks, right, strict=True)
    )


def nearest_rows(
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
    same: Bool[np.ndarray, "q k"],
    kept: Bool[np.ndarray, "q k"],
    relevant: Int64[np.ndarray, " q"],
) -> Float64[np.ndarray, "q 5"]:
    """Of the neighbors that are kept, in order, of which `relevant` are of the query's class."""
    ranks = np.cumsum(kept, axis=1)
    hits = same & kept
    counted = hits & (ranks <= relevant[:, np.newaxis])
    precision = np.cumsum(counted, axis=1) / np.maximum(ranks, 1)
    columns = [(hits & (ranks <= k)).any(axis=1) for k in _RECALL_AT]
    columns.append(counted.sum(axis=1) / relevant)
    columns.append((precision * counted).sum(axis=1) / relevant)
    return np.stack(columns, axis=1).astype(np.float64)


def _ready(points: Points, metric: Metric) -> Points:
    """As service/vectors/segments.py stores and asks: at unit length where the metric is cosine."""
    points = np.ascontiguousarray(points)
    if metric == "l2":
        return points
    return unit(points)
