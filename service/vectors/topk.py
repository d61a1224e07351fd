"""Hits of an engine that may find fewer than it was asked for."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from service.vectors.protocol import Hits

NOBODY = -1  # the row of a hit that is missing; its score is -inf, so that it comes last


def nothing(queries: int, k: int) -> Hits:
    """The k hits of each query, all missing."""
    shape = (queries, k)
    return Hits(np.full(shape, NOBODY, np.int64), np.full(shape, -np.inf, np.float32))


def nearest(several: Sequence[Hits], k: int) -> Hits:
    """The k best hits of each query, or all where there are fewer; no row is in two of them."""
    rows = np.concatenate([hits.rows for hits in several], axis=1)
    scores = np.concatenate([hits.scores for hits in several], axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return Hits(np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1))


def kept(hits: Hits, keep: Bool[np.ndarray, "q k"], k: int) -> Hits:
    """The k best hits of those to keep."""
    rows, scores = np.where(keep, hits.rows, NOBODY), np.where(keep, hits.scores, -np.inf)
    return nearest([Hits(rows, scores.astype(np.float32))], k)


def complete(hits: Hits) -> bool:
    """Return whether no hit is missing."""
    return bool((hits.rows != NOBODY).all())


def found_by_all(hits: Hits) -> Hits:
    """As many hits of each query as every query has."""
    least = int((hits.rows != NOBODY).sum(axis=1).min())
    return Hits(hits.rows[:, :least], hits.scores[:, :least])
