"""A built segment: a graph of near neighbors (Malkov & Yashunin 2018), searched greedily."""

import sys
from dataclasses import dataclass
from math import ceil

import faiss
import numpy as np

from models.manifest import Metric
from service.vectors.brute_force import Nearest, rescored, scan, use_one_thread
from service.vectors.kinds import (
    HNSW_EF_CONSTRUCTION,
    HNSW_EF_PER_HIT,
    HNSW_EF_SEARCH,
    HNSW_LINKS,
    BuiltKind,
    IndexSpec,
)
from service.vectors.mask import Mask, Positions
from service.vectors.protocol import Queries, Rows, Vectors

# What decides between the graph and an exact search, measured at 100,000 x 64 on two busy cores
# of an AMD EPYC: a query's time in the graph for each unit of ef; to copy a vector that is in,
# which is done once for all queries; to compare it.
_STEP_NS = 2_700
_COPIED_NS = 150
_COMPARED_NS = 12


@dataclass(frozen=True)
class Hnsw:
    """FAISS's graph with the vectors in it. Vectors outside the mask are only walked through."""

    index: faiss.IndexHNSWFlat
    rows: Rows
    values: Vectors  # the graph's own memory
    metric: Metric
    kind: BuiltKind = "hnsw"

    @classmethod
    def over(cls, index: faiss.IndexHNSWFlat, rows: Rows, metric: Metric) -> "Hnsw":
        """Around a graph whose positions hold these rows."""
        index.hnsw.efSearch = HNSW_EF_SEARCH
        storage = faiss.downcast_index(index.storage)
        first = storage.get_xb()  # type: ignore[attr-defined]  # of IndexFlat
        values = faiss.rev_swig_ptr(first, index.ntotal * index.d).reshape(-1, index.d)
        return cls(index, rows, values, metric)

    def replaced(self, index: faiss.IndexHNSWFlat, rows: Rows) -> "Hnsw":
        """Of the same kind, around another graph."""
        return Hnsw.over(index, rows, self.metric)

    @classmethod
    def empty(cls, spec: IndexSpec) -> "Hnsw":
        """A graph of nothing."""
        metric = faiss.METRIC_INNER_PRODUCT if spec.metric == "cosine" else faiss.METRIC_L2
        index = faiss.IndexHNSWFlat(spec.dimension, HNSW_LINKS, metric)
        index.hnsw.efConstruction = HNSW_EF_CONSTRUCTION
        return cls(
            index, np.empty(0, np.int64), np.empty((0, spec.dimension), np.float32), spec.metric
        )

    @property
    def suited_rows(self) -> int:
        """Rows that it is laid out for: a graph grows without end."""
        return sys.maxsize

    def vectors(self, positions: Positions) -> Vectors:
        """The vectors at these positions."""
        taken: Vectors = self.values[positions]
        return taken

    def search(self, queries: Queries, k: int, mask: Mask) -> Nearest:
        """By the graph, or exactly where that is cheaper or the graph finds too few."""
        # Only hits count against ef in effect: where a share can be hit, it takes that many more.
        ef = ceil(max(HNSW_EF_SEARCH, HNSW_EF_PER_HIT * k) / mask.share)
        if mask.count * (_COMPARED_NS + _COPIED_NS / len(queries)) <= ef * _STEP_NS:
            return scan(queries, self.values, k, mask, self.metric)
        use_one_thread()
        chosen = mask.selector()  # lives until the search is over
        params = faiss.SearchParametersHNSW(  # type: ignore[attr-defined]  # not in the stubs
            efSearch=ef, sel=chosen
        )
        scores, positions = self.index.search(queries, k, params=params)
        self._complete(Nearest(scores, positions), queries, mask)
        return rescored(queries, self.values, Nearest(scores, positions), self.metric)

    def _complete(self, found: Nearest, queries: Queries, mask: Mask) -> None:
        short = np.flatnonzero(found.positions[:, -1] < 0)
        if len(short):
            k = found.positions.shape[1]
            exact = scan(queries[short], self.values, k, mask, self.metric)
            found.scores[short], found.positions[short] = exact
