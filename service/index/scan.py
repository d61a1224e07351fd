"""Comparing queries with every vector, by FAISS's kernels and without a FAISS index."""

from typing import Any, NamedTuple

import faiss
import numpy as np
from jaxtyping import Float32, Int64

from models.manifest import Metric
from service.index.mask import Mask
from service.index.protocol import Queries, Vectors

_faiss: Any = faiss  # its stubs lack what scores by position

# From this many queries on, FAISS multiplies matrices, but only where it looks at all vectors:
# copying the vectors that are in costs less than comparing them one by one.
_MATRIX_QUERIES = 20
_COPIED_SHARE = 0.1  # for fewer queries, the same is true below this share (at 100,000 x 64)


class Found(NamedTuple):
    """Positions in a segment, nearest first; a higher score is nearer."""

    scores: Float32[np.ndarray, "q k"]
    positions: Int64[np.ndarray, "q k"]


def scan(queries: Queries, vectors: Vectors, k: int, mask: Mask, metric: Metric) -> Found:
    """The k nearest of the vectors that are in, of which there are at least k."""
    if mask.bits is None:
        return _nearest(queries, vectors, k, None, metric)
    if len(queries) >= _MATRIX_QUERIES or mask.share < _COPIED_SHARE:
        positions = mask.positions()
        found = _nearest(queries, vectors[positions], k, None, metric)
        return Found(found.scores, positions[found.positions])
    return _nearest(queries, vectors, k, mask.selector(), metric)


def _nearest(
    queries: Queries, vectors: Vectors, k: int, chosen: faiss.IDSelector | None, metric: Metric
) -> Found:
    use_one_thread()
    queries, vectors = np.ascontiguousarray(queries), np.ascontiguousarray(vectors)
    scores = np.empty((len(queries), k), np.float32)
    positions = np.empty((len(queries), k), np.int64)
    arrays = (faiss.swig_ptr(queries), faiss.swig_ptr(vectors))
    sizes = (queries.shape[1], len(queries), len(vectors), k)
    out = (faiss.swig_ptr(scores), faiss.swig_ptr(positions))
    if metric == "cosine":
        faiss.knn_inner_product(*arrays, *sizes, *out, chosen)
    else:
        faiss.knn_L2sqr(*arrays, *sizes, *out, None, chosen)
        np.negative(scores, out=scores)
    return Found(scores, positions)


def score_each(
    queries: Queries, vectors: Vectors, at: Int64[np.ndarray, "q m"], metric: Metric
) -> Float32[np.ndarray, "q m"]:
    """Of each query with its own of the vectors; -inf where `at` is negative."""
    use_one_thread()
    queries, vectors, at = (np.ascontiguousarray(one) for one in (queries, vectors, at))
    scores = np.empty(at.shape, np.float32)
    arrays = [faiss.swig_ptr(one) for one in (scores, queries, vectors, at)]
    score = _faiss.fvec_inner_products_by_idx if metric == "cosine" else _faiss.fvec_L2sqr_by_idx
    score(*arrays, queries.shape[1], *at.shape)
    if metric != "cosine":
        np.negative(scores, out=scores)
    return scores


def unit(vectors: Vectors) -> Vectors:
    """At unit length, in float32; a zero vector stays one."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = vectors / np.maximum(norms, np.finfo(np.float32).tiny)
    return scaled


def use_one_thread() -> None:
    """Keep FAISS to the calling thread; requests already search side by side.

    OpenMP holds the number for each calling thread, so every search says it again. Measured with
    FAISS 1.15.1: set to 1 on the main thread, it is still 2 on another on two processors.
    """
    faiss.omp_set_num_threads(1)
