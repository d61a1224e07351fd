"""Small collections, and an index that is right by being simple."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock

import numpy as np

from models.manifest import Metric
from service.collections import Collection, CollectionSpec, Metadata, NewItem
from service.vectors.protocol import Hits, Rows, Vectors
from service.vectors.query import Search

DIMENSION = 8


class BruteForce:
    """Every row by its definition; strict about what the protocol promises it."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._lock = Lock()
        self._vectors: dict[int, np.ndarray] = {}
        self._last = -1

    def __len__(self) -> int:
        return len(self._vectors)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        with self._lock:
            assert (np.diff(rows) > 0).all()
            assert rows[0] > self._last
            self._last = int(rows[-1])
            self._vectors |= dict(zip(rows.tolist(), vectors, strict=True))

    def remove(self, rows: Rows) -> None:
        with self._lock:
            for row in rows.tolist():
                self._vectors.pop(row, None)

    def search(self, queries: Vectors, k: int, among: Rows | None = None) -> Hits:
        with self._lock:
            chosen = self._vectors.keys() if among is None else self._vectors.keys() & set(among)
            rows = np.array(sorted(chosen), np.int64)
            near = np.array([self._vectors[row] for row in rows], np.float32)
        k = min(k, len(rows))
        if k == 0:
            nothing = (len(queries), 0)
            return Hits(np.empty(nothing, np.int64), np.empty(nothing, np.float32))
        scores = scored(self._metric, queries, near)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return Hits(rows[best], np.take_along_axis(scores, best, 1))

    def close(self) -> None:
        self._vectors = {}


def scored(metric: Metric, queries: Vectors, vectors: Vectors) -> Vectors:
    if metric == "cosine":
        cosines: Vectors = queries @ vectors.T
        return cosines
    distances: Vectors = np.square(queries[:, None] - vectors).sum(axis=2)
    return -distances


def open_small(
    spec: CollectionSpec, folder: Path, fetch: Callable[[Rows], Vectors]
) -> tuple[BruteForce, int]:
    return BruteForce(spec.metric), 0


def spec_of(name: str = "cats", metric: Metric = "cosine") -> CollectionSpec:
    return CollectionSpec(
        name=name,
        loss="arcface",
        version=1,
        model_sha256="a" * 64,
        metric=metric,
        dimension=DIMENSION,
        index="exact",
        keep_images=True,
        created="2026-11-24T00:00:00+00:00",
    )


def drawn(n: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).normal(size=(n, DIMENSION)).astype(np.float32)


def batch(ids: list[str], seed: int = 0, metadata: Metadata | None = None) -> list[NewItem]:
    vectors = drawn(len(ids), seed)
    return [NewItem(i, v, metadata=metadata or {}) for i, v in zip(ids, vectors, strict=True)]


def found(collection: Collection, k: int = 100) -> set[str]:
    return {hit.item.id for hit in collection.search(drawn(1), Search(k))[0]}
