"""Comparing queries with every vector, by FAISS's kernels and without a FAISS index."""

from typing import Any, NamedTuple

import faiss
import numpy as np
from jaxtyping import Float32, Float64, Int64

from models.manifest import Metric
from service.vectors.mask import Mask
from service.vectors.protocol import Queries, Vectors

_faiss: Any = faiss  # its stubs lack what scores by position

# From this many queries on, FAISS multiplies matrices, but only where it looks at all vectors:
# copying the vectors that are in costs less than comparing them one by one.
_MATRIX_QUERIES = 20
_COPIED_SHARE = 0.1  # for fewer queries, the same is true below this share (at 100,000 x 64)
_RESCORED_NUMBERS = 1 << 20  # at once: 8 MiB


class Nearest(NamedTuple):
    """Positions in a segment, nearest first; a higher score is nearer."""

    scores: Float32[np.ndarray, "q k"]
    positions: Int64[np.ndarray, "q k"]


def scan(queries: Queries, vectors: Vectors, k: int, mask: Mask, metric: Metric) -> Nearest:
    """The k nearest of the vectors that are in, of which there are at least k."""
    return rescored(queries, vectors, _by_faiss(queries, vectors, k, mask, metric), metric)


def _by_faiss(queries: Queries, vectors: Vectors, k: int, mask: Mask, metric: Metric) -> Nearest:
    if mask.bits is None:
        return _nearest(queries, vectors, k, None, metric)
    if len(queries) >= _MATRIX_QUERIES or mask.share < _COPIED_SHARE:
        positions = mask.positions()
        found = _nearest(queries, vectors[positions], k, None, metric)
        return Nearest(found.scores, positions[found.positions])
    return _nearest(queries, vectors, k, mask.selector(), metric)


def _nearest(
    queries: Queries, vectors: Vectors, k: int, chosen: faiss.IDSelector | None, metric: Metric
) -> Nearest:
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
    return Nearest(scores, positions)


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


def rescored(queries: Queries, vectors: Vectors, found: Nearest, metric: Metric) -> Nearest:
    """The same hits by their scores in float64, which are then rounded once, nearest first.

    A cosine is in [-1, 1], and of a vector with itself exactly 1; a distance to itself exactly 0.
    FAISS's are off by about 1e-7, or by as much of the squared lengths. Rows that are missing, or
    have no vector any more, come last.
    """
    positions = found.positions
    scores = np.empty(positions.shape, np.float32)
    at_once = max(1, _RESCORED_NUMBERS // max(1, positions.shape[1] * vectors.shape[1]))
    for start in range(0, len(queries), at_once):
        some = slice(start, start + at_once)
        scores[some] = _exactly(queries[some], vectors[positions[some]], metric)
    lost = np.isnan(scores) | (positions < 0)
    if lost.any():
        scores[lost] = -np.inf
    if (scores[:, 1:] <= scores[:, :-1]).all():
        return Nearest(scores, found.positions)
    order = np.argsort(-scores, axis=1, kind="stable")
    return Nearest(
        np.take_along_axis(scores, order, 1), np.take_along_axis(found.positions, order, 1)
    )


def _exactly(
    queries: Queries, vectors: Float32[np.ndarray, "q k d"], metric: Metric
) -> Float64[np.ndarray, "q k"]:
    near, asked = vectors.astype(np.float64), queries.astype(np.float64)
    if metric != "cosine":
        near -= asked[:, None]
        distances: Float64[np.ndarray, "q k"] = np.einsum("qkd,qkd->qk", near, near)
        return -distances
    squares = np.einsum("qkd,qkd->qk", near, near)
    squares *= np.einsum("qd,qd->q", asked, asked)[:, None]
    cosines: Float64[np.ndarray, "q k"] = np.matmul(near, asked[:, :, None])[:, :, 0]
    cosines /= np.sqrt(squares if squares.all() else np.where(squares == 0, 1, squares))
    return cosines.clip(-1, 1)


def use_one_thread() -> None:
    """Keep FAISS to the calling thread; requests already search side by side.

    OpenMP holds the number for each calling thread, so every search says it again. Measured with
    FAISS 1.15.1: set to 1 on the main thread, it is still 2 on another on two processors.
    """
    faiss.omp_set_num_threads(1)
