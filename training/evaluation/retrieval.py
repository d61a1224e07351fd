"""Nearest neighbors of test images: among each other, and in the gallery that is served."""

from dataclasses import dataclass

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from models.evidence.estimate import Estimate
from models.evidence.retrieval import NeighbourAccuracy, RetrievalSection
from models.manifest import Metric
from models.vectors import unit
from training.data.sampling import stratified
from training.evaluation.answers import Answers
from training.evaluation.intervals import of_dependent_share, of_unit_mean, share
from training.evaluation.ranking import QueryInfluence, average_precision, r_precision

IMAGES = 10_000
_RECALL_AT = (1, 5, 10)
_NEIGHBORS = (1, 5, 20)
_BLOCK_ITEMS = 2**22
_R_PRECISION, _MAP_AT_R = 3, 4  # columns of the values

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
    searched = RankedQueries.of(test.embeddings[rows], test.labels[rows], metric)
    recall_1, recall_5, recall_10 = (searched.recall(place) for place in range(len(_RECALL_AT)))
    return RetrievalSection(
        metric=metric,
        images=len(rows),
        queries=len(searched.queries),
        queries_left_out=len(rows) - len(searched.queries),
        recall_at_1=recall_1,
        recall_at_5=recall_5,
        recall_at_10=recall_10,
        r_precision=searched.mean(_R_PRECISION),
        map_at_r=searched.mean(_MAP_AT_R),
        gallery_images=len(gallery),
        neighbour_accuracy=_neighbour_accuracy(test, gallery, metric),
        resamples=len(rows),
        interval="influence",
        seed=seed,
    )


@dataclass(frozen=True)
class RankedQueries:
    """Images searched among each other: each query's values, and who found whom."""

    queries: Int64[np.ndarray, " q"]
    values: Float64[np.ndarray, "q 5"]
    """Recall@1, @5 and @10, R-precision and MAP@R."""
    near: Int64[np.ndarray, "q k"]
    """The 10 nearest, or all others where they are fewer."""
    influence: Float64[np.ndarray, "2 n"]
    """By how much each image moves R-precision and MAP@R, as a query and as what others find."""

    @classmethod
    def of(cls, points: Points, labels: Labels, metric: Metric) -> "RankedQueries":
        """Search every image that has a relevant other one."""
        n = len(labels)
        _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
        queries = np.flatnonzero(counts[places] > 1)
        if len(queries) == 0:
            none = np.empty((0, 0), np.int64)
            return cls(queries, np.empty((0, len(_RECALL_AT) + 2)), none, np.zeros((2, n)))
        depth = min(max(int(counts.max()), *_RECALL_AT), n - 1)
        centered = points if metric == "cosine" else points - points.mean(axis=0)
        blocks, nearest = [], []
        moved = [QueryInfluence(places, len(counts), len(queries)) for _ in range(2)]
        for part in np.array_split(queries, len(queries) * n // _BLOCK_ITEMS + 1):
            near = nearest_rows(centered, part, depth, metric)
            hits, relevant = labels[near] == labels[part, None], counts[places[part]] - 1
            ranked = r_precision(hits, relevant), average_precision(hits, relevant)
            columns = [hits[:, :k].any(axis=1) for k in _RECALL_AT]
            blocks.append(np.stack([*columns, *(one.value for one in ranked)], axis=1))
            nearest.append(near[:, : max(_RECALL_AT)])
            for each, one in zip(moved, ranked, strict=True):
                each.add(part, near, one)
        influence = np.stack([each.influence for each in moved])
        return cls(queries, np.concatenate(blocks), np.concatenate(nearest), influence)

    def recall(self, place: int) -> Estimate | None:
        """The share of queries that find their class among so many; None without a query."""
        if len(self.queries) == 0:
            return None
        right = self.values[:, place] > 0
        return of_dependent_share(right, self._covariance(right, _RECALL_AT[place]))

    def mean(self, place: int) -> Estimate | None:
        """The mean over queries, by the images' influence; None without a query."""
        if len(self.queries) == 0:
            return None
        value = float(self.values[:, place].mean())
        return of_unit_mean(value, self.influence[place - _R_PRECISION])

    def _covariance(self, right: Bool[np.ndarray, " q"], k: int) -> float:
        """Of the share, from the pairs of queries of which one is among the k nearest of the other.

        Those are right and wrong together more often than chance has it.
        """
        n, near = self.influence.shape[1], self.near[:, :k]
        away = np.zeros(n)
        away[self.queries] = right - right.mean()
        pairs = self.queries[:, None] * n + near
        mutual = np.isin(near * n + self.queries[:, None], pairs)
        products = away[self.queries, None] * away[near] * np.where(mutual, 1, 2)
        return float(products.sum()) / len(right) ** 2


def query_values(points: Points, labels: Labels, metric: Metric) -> Float64[np.ndarray, "q 5"]:
    """Recall@1, @5 and @10, R-precision and MAP@R of each image that has a relevant other one."""
    return RankedQueries.of(points, labels, metric).values


def neighbor_labels(test: Points, gallery: Answers, k: int, metric: Metric) -> Labels:
    """The label that most of the k nearest gallery images have; of a tie, the nearest one's."""
    near = gallery.labels[nearest_in(gallery.embeddings, test, k, metric)]
    votes = np.stack([(near == near[:, [column]]).sum(axis=1) for column in range(k)], axis=1)
    most = votes.argmax(axis=1)  # the first of equals, which is the nearest
    chosen: Labels = near[np.arange(len(near)), most]
    return chosen


def nearest_in(
    gallery: Float32[np.ndarray, "g d"], queries: Float32[np.ndarray, "q d"], k: int, metric: Metric
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


def _ready(points: Points, metric: Metric) -> Points:
    """As service/vectors/segments.py stores and asks: at unit length where the metric is cosine."""
    points = np.ascontiguousarray(points)
    if metric == "l2":
        return points
    return unit(points)
