"""The training images that ship with a model, as a place to search."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.bundle import Gallery, Thumbnails
from models.manifest import Metric
from service.registry.errors import UnknownThumbnail
from service.vectors import VectorIndex
from service.vectors.errors import InvalidFilter, InvalidItems, UnknownItem
from service.vectors.filters import Condition, Where
from service.vectors.lengths import problems
from service.vectors.protocol import Rows, Vectors
from service.vectors.query import Search
from service.vectors.topk import NOBODY

COLLECTION = "gallery"
_RANGES: Mapping[str, Callable[[str, str], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


@dataclass(frozen=True)
class Neighbor:
    """One gallery item near a query; a higher score is nearer."""

    row: int
    id: str
    label: str
    score: float


class ModelGallery:
    """One model's gallery: what is in it, and what is near. It never changes."""

    def __init__(
        self,
        labels: tuple[str, ...],
        metric: Metric,
        gallery: Gallery,
        index: VectorIndex,
        thumbnails: Thumbnails | None,
    ) -> None:
        self._metric = metric
        self.has_thumbnails = thumbnails is not None
        self._labels = labels
        self._gallery = gallery
        self._index = index
        self._thumbnails = thumbnails

    def __len__(self) -> int:
        return len(self._index)

    @cached_property
    def examples(self) -> tuple[tuple[str, int], ...]:
        """The first item of each class: its label and row."""
        classes, rows = np.unique(self._gallery.labels, return_index=True)
        return tuple(
            (self._labels[one], row)
            for one, row in zip(classes.tolist(), rows.tolist(), strict=True)
        )

    def search(self, queries: Vectors, query: Search) -> list[list[Neighbor]]:
        """The nearest items of each query, nearest first.

        Raises InvalidFilter where a condition is on anything but the label, and InvalidItems for
        queries that have no distance to others.
        """
        if found := problems(queries, self._metric):
            reasons = tuple(f"vector {problem}" for problem in found.values())
            raise InvalidItems(tuple(found), reasons)
        among = self._among(query.where) if query.where else None
        hits = self._index.search(queries, query.k + bool(query.without), among)
        near = [
            [self._neighbor(*hit) for hit in zip(rows, scores, strict=True) if hit[0] != NOBODY]
            for rows, scores in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True)
        ]
        if not query.without and query.min_score is None:
            return near
        left_out = query.without or (None,) * len(near)
        return [
            _narrowed(some, query, without) for some, without in zip(near, left_out, strict=True)
        ]

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The embeddings of these items. Raises UnknownItem."""
        unknown = next((one for one in ids if one not in self._rows), None)
        if unknown is not None:
            raise UnknownItem(COLLECTION, unknown)
        return self._gallery.embeddings[[self._rows[one] for one in ids]]

    def thumbnail(self, row: int) -> bytes:
        """The JPEG of one item. Raises UnknownThumbnail."""
        thumbnails = self._thumbnails
        count = 0 if thumbnails is None else len(thumbnails)
        if thumbnails is None or not 0 <= row < count:
            raise UnknownThumbnail(row, count)
        return thumbnails.jpeg(row)

    @cached_property
    def _rows(self) -> Mapping[str, int]:
        return {one: row for row, one in enumerate(self._gallery.ids)}

    def _neighbor(self, row: int, score: float) -> Neighbor:
        label = self._labels[self._gallery.labels[row]]
        return Neighbor(row, self._gallery.ids[row], label, score)

    def _among(self, where: Where) -> Rows:
        strange = next((one.key for one in where if one.key != "label"), None)
        if strange is not None:
            raise InvalidFilter(f"the gallery's items have a label alone, and no {strange!r}")
        met = [
            i for i, label in enumerate(self._labels) if all(_meets(label, one) for one in where)
        ]
        return np.flatnonzero(np.isin(self._gallery.labels, met))


def _meets(label: str, condition: Condition) -> bool:
    if condition.op == "in":
        return label in condition.values
    bound = condition.values[0]
    return isinstance(bound, str) and _RANGES[condition.op](label, bound)


def _narrowed(near: Sequence[Neighbor], query: Search, without: str | None) -> list[Neighbor]:
    kept = [one for one in near if one.id != without][: query.k]
    if query.min_score is None:
        return kept
    return [one for one in kept if one.score >= query.min_score]
