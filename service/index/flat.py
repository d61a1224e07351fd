"""Exact search in memory, by FAISS."""

import faiss
import numpy as np

from models.manifest import Metric
from service.index.protocol import Hits, Vectors


class FlatIndex:
    """Compares each query with every row. Searches may run at once; adding may not."""

    def __init__(self, dimension: int, metric: Metric) -> None:
        # Requests already search side by side; FAISS's own threads would fight them.
        faiss.omp_set_num_threads(1)
        self._cosine = metric == "cosine"
        self._index = (faiss.IndexFlatIP if self._cosine else faiss.IndexFlatL2)(dimension)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, vectors: Vectors) -> None:
        """Append rows."""
        self._index.add(self._ready(vectors))

    def search(self, queries: Vectors, k: int) -> Hits:
        """The min(k, len(self)) nearest rows of each query."""
        k = min(k, len(self))
        if k == 0:
            nothing = (len(queries), 0)
            return Hits(np.empty(nothing, np.int64), np.empty(nothing, np.float32))
        scores, rows = self._index.search(self._ready(queries), k)
        return Hits(rows, scores if self._cosine else -scores)

    def _ready(self, vectors: Vectors) -> Vectors:
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if not self._cosine:
            return vectors
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Vectors = vectors / np.maximum(norms, np.finfo(np.float32).tiny)
        return unit
