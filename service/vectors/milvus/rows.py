"""Vectors in one Milvus collection: what it can be asked, within what Milvus takes at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from service.vectors.kinds import (
    HNSW_EF_CONSTRUCTION,
    HNSW_EF_PER_HIT,
    HNSW_EF_SEARCH,
    HNSW_LINKS,
    IVF_PROBES,
    IndexSpec,
    KindInUse,
)
from service.vectors.milvus.server import ANSWER_S, CollectionLayout, MilvusServer
from service.vectors.protocol import Hits, Queries, Rows, Vectors
from service.vectors.topk import nearest, nothing

MOST_HITS = 16_384  # Milvus's quotaAndLimits.limits.topK
NAMED_ROWS = 8_192  # in one filter, which travels as text
_REQUEST_BYTES = 4 << 20  # of vectors; Milvus takes 64 MiB, and then needs long for one answer
_QUERIES = 256  # in one request, so that the answer comes in time
_ANSWER_HITS = 1 << 20  # in one answer: 12 MiB, where Milvus gives 100
_IVF_LISTS = 1024  # in each of Milvus's segments: up to some millions of vectors of 64 numbers


class MilvusRows:
    """Every method raises IndexUnavailable."""

    def __init__(self, server: MilvusServer, spec: IndexSpec, name: str) -> None:
        self._server = server
        self._name = name
        self._dimension = spec.dimension
        self._cosine = spec.metric == "cosine"
        # Where the kind is left to the size: Milvus is there for many vectors.
        self.kind: KindInUse = "hnsw" if spec.kind == "auto" else spec.kind
        self._at_once = max(1, _REQUEST_BYTES // (4 * spec.dimension))  # vectors
        self._failed = False

    def prepare(self) -> int:
        """Make what is missing in Milvus; the sequence that is kept, 0 where it is new."""
        built: dict[KindInUse, dict[str, Any]] = {
            "exact": {"index_type": "FLAT"},
            "hnsw": {
                "index_type": "HNSW",
                "params": {"M": HNSW_LINKS, "efConstruction": HNSW_EF_CONSTRUCTION},
            },
            "compact": {"index_type": "IVF_SQ8", "params": {"nlist": _IVF_LISTS}},
        }
        index = {"metric_type": "IP" if self._cosine else "L2", **built[self.kind]}
        return self._server.prepare(
            self._name, CollectionLayout("row", "vector", self._dimension, index)
        )

    def keep(self, sequence: int) -> None:
        """Keep the sequence that the rows reflect."""
        self._server.keep(self._name, sequence)

    def drop(self) -> None:
        """Delete them all."""
        self._server.drop(self._name)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Add the missing rows."""
        for part in _parts(len(rows), min(NAMED_ROWS, self._at_once)):
            # Each process adds each row. To look is cheaper for Milvus than another version of it;
            # where the look comes too early, another version does no harm.
            (named,) = _filters(rows[part])
            there = [item["row"] for item in self._query(named, "row", "Eventually")]
            new = np.isin(rows[part], there, invert=True)
            pairs = zip(rows[part][new].tolist(), vectors[part][new], strict=True)
            items = [{"row": row, "vector": vector} for row, vector in pairs]
            if items:
                with self._reached() as client:
                    client.upsert(self._name, items, timeout=ANSWER_S)

    def remove(self, rows: Rows) -> None:
        """Delete the rows that exist."""
        for part in _parts(len(rows), NAMED_ROWS):
            with self._reached() as client:
                client.delete(self._name, ids=rows[part].tolist(), timeout=ANSWER_S)

    def count(self, among: Rows | None) -> int:
        """Count the rows that exist, of these or of all."""
        counts = [self._query(named, "count(*)", "Strong")[0] for named in _filters(among)]
        return sum(count["count(*)"] for count in counts)

    def nearest(self, queries: Queries, k: int, among: Rows | None) -> Hits:
        """The hits that Milvus finds, MOST_HITS at most; some of k may be missing."""
        return nearest([self._nearest(queries, k, named) for named in _filters(among)], k)

    def contents(self, among: Rows | None) -> Iterator[tuple[Rows, Vectors]]:
        """The rows with their vectors, in pages of which each rises."""
        for named in _filters(among):
            with self._reached() as client:
                pages = client.query_iterator(
                    self._name,
                    batch_size=min(NAMED_ROWS, self._at_once),
                    filter=named or "row >= 0",
                    output_fields=["row", "vector"],
                    consistency_level="Strong",
                    timeout=ANSWER_S,
                )
                while page := pages.next():
                    page.sort(key=lambda item: item["row"])
                    rows = np.array([item["row"] for item in page], np.int64)
                    yield rows, np.array([item["vector"] for item in page], np.float32)
                pages.close()

    @contextmanager
    def _reached(self) -> Iterator[Any]:
        """The client; a Milvus that was started anew loads the collection first."""
        if self._failed:
            self._server.load(self._name)
            self._failed = False
        try:
            with self._server.reached() as client:
                yield client
        except BaseException:
            self._failed = True
            raise

    def _nearest(self, queries: Queries, k: int, named: str) -> Hits:
        hits = nothing(len(queries), k)
        at_once = min(_QUERIES, self._at_once, _ANSWER_HITS // k)
        for part in _parts(len(queries), at_once):
            for i, answer in enumerate(self._search(queries[part], k, named), part.start):
                distances = np.array(answer.distances, np.float32)
                hits.rows[i, : len(answer.ids)] = answer.ids
                hits.scores[i, : len(answer.ids)] = distances if self._cosine else -distances
        return hits

    def _search(self, queries: Queries, k: int, named: str) -> Sequence[Any]:
        effort: dict[KindInUse, dict[str, int]] = {
            "exact": {},
            "hnsw": {"ef": max(HNSW_EF_SEARCH, round(HNSW_EF_PER_HIT * k))},
            "compact": {"nprobe": IVF_PROBES},
        }
        with self._reached() as client:
            answers: Sequence[Any] = client.search(
                self._name,
                data=list(queries),
                limit=k,
                filter=named,
                search_params={"params": effort[self.kind]},
                consistency_level="Strong",
                timeout=ANSWER_S,
            )
        return answers

    def _query(self, named: str, field: str, consistency: str) -> Sequence[Any]:
        with self._reached() as client:
            found: Sequence[Any] = client.query(
                self._name,
                filter=named,
                output_fields=[field],
                consistency_level=consistency,
                timeout=ANSWER_S,
            )
        return found


def _parts(n: int, at_once: int) -> list[slice]:
    return [slice(start, min(start + at_once, n)) for start in range(0, n, at_once)]


def _filters(among: Rows | None) -> list[str]:
    """One after the other they name these rows; the empty one names all."""
    if among is None:
        return [""]
    return [f"row in {among[part].tolist()}" for part in _parts(len(among), NAMED_ROWS)]
