"""The engines that promise to be a VectorIndex, and the oracle that knows what each must answer."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from models.manifest import Metric
from service.vectors import (
    ExactIndex,
    Hits,
    IndexSpec,
    Kind,
    LocalIndex,
    Rows,
    VectorIndex,
    Vectors,
)
from service.vectors.milvus.index import open_milvus
from service.vectors.milvus.server import MilvusServer
from tests.support.milvus import milvus_lite


@dataclass
class Oracle:
    """Every vector by row, compared with every query in float64."""

    metric: Metric
    vectors: dict[int, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def rows(self) -> Rows:
        return np.array(sorted(self.vectors), np.int64)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        self.vectors.update(zip(rows.tolist(), vectors, strict=True))

    def remove(self, rows: Rows) -> None:
        for row in rows.tolist():
            self.vectors.pop(row, None)

    def fetch(self, rows: Rows) -> Vectors:
        """As an index asks for exact vectors: NaN for rows that are gone."""
        none = np.full(len(next(iter(self.vectors.values()))), np.nan, np.float32)
        return np.array([self.vectors.get(row, none) for row in rows.tolist()], np.float32)

    def scores(self, queries: Vectors, rows: Rows) -> np.ndarray:
        """Of every query with each of the rows."""
        vectors = np.array([self.vectors[row] for row in rows.tolist()], np.float64)
        if self.metric == "l2":
            squares: np.ndarray = np.square(queries[:, None] - vectors[None]).sum(axis=2)
            return -squares
        unit = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (queries, vectors)]
        cosines: np.ndarray = unit[0] @ unit[1].T
        return cosines

    def search(self, queries: Vectors, k: int, among: Rows | None = None) -> Hits:
        rows = self.rows if among is None else np.intersect1d(self.rows, among)
        if len(rows) == 0:
            nothing = (len(queries), 0)
            return Hits(np.empty(nothing, np.int64), np.empty(nothing, np.float32))
        scores = self.scores(queries, rows)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        nearest = np.take_along_axis(scores, order, 1)
        return Hits(rows[order], nearest.astype(np.float32))


Open = Callable[[Path, int, Metric, Oracle], AbstractContextManager[VectorIndex]]


@dataclass(frozen=True)
class Engine:
    """One way to index: `open` makes it empty, in a folder, over the oracle's exact vectors."""

    name: str
    open: Open
    least_recall: float = 1.0


def settle(index: VectorIndex) -> None:
    """Have it build what is due, as a background thread would."""
    while isinstance(index, LocalIndex) and index.maintain():
        pass


def _exact(folder: Path, dimension: int, metric: Metric, oracle: Oracle) -> ExactIndex:
    return ExactIndex(dimension, metric)


def _local(kind: Kind) -> Callable[[Path, int, Metric, Oracle], LocalIndex]:
    def make(folder: Path, dimension: int, metric: Metric, oracle: Oracle) -> LocalIndex:
        spec = IndexSpec(dimension, metric, kind, buffer_rows=500, threads=1)
        return LocalIndex(spec, fetch=oracle.fetch)

    return make


def _closing(make: Callable[[Path, int, Metric, Oracle], VectorIndex]) -> Open:
    @contextmanager
    def open_one(
        folder: Path, dimension: int, metric: Metric, oracle: Oracle
    ) -> Iterator[VectorIndex]:
        index = make(folder, dimension, metric, oracle)
        try:
            yield index
        finally:
            index.close()

    return open_one


@contextmanager
def _milvus(folder: Path, dimension: int, metric: Metric, oracle: Oracle) -> Iterator[VectorIndex]:
    with milvus_lite(folder / "milvus") as url:
        server = MilvusServer(url)
        spec = IndexSpec(dimension, metric)
        index, _ = open_milvus(server, spec, "suite", "", fetch=oracle.fetch)
        try:
            yield index
        finally:
            index.drop()  # else milvus-lite would build what it is about to forget
            server.close()


ENGINES = [
    Engine("exact", _closing(_exact)),
    Engine("local exact", _closing(_local("exact"))),
    Engine("local hnsw", _closing(_local("hnsw")), least_recall=0.98),
    Engine("local compact", _closing(_local("compact")), least_recall=0.95),
    Engine("milvus", _milvus, least_recall=0.98),
]
LOCAL = ENGINES[:4]
PARAMETERS = [
    *(pytest.param(engine, id=engine.name) for engine in LOCAL),
    *(pytest.param(engine, id=engine.name, marks=pytest.mark.milvus) for engine in ENGINES[4:]),
]
