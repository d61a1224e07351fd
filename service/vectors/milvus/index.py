"""Nearest neighbors by Milvus, where one machine is not enough; the extra `distributed`."""

import re
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from service.vectors.brute_force import Nearest, rescored
from service.vectors.exact import ExactIndex
from service.vectors.ivfpq import Fetch
from service.vectors.kinds import IndexSpec, KindInUse
from service.vectors.lengths import comparable, ready
from service.vectors.milvus.rows import MOST_HITS, NAMED_ROWS, MilvusRows
from service.vectors.milvus.server import MilvusServer
from service.vectors.protocol import Hits, Queries, Rows, Vectors
from service.vectors.topk import NOBODY, complete, found_by_all, kept, nearest, nothing

_WIDER = 16  # times k hits of all rows are looked through before many rows are named


def open_milvus(
    server: MilvusServer, spec: IndexSpec, name: str, identity: str, *, fetch: Fetch
) -> tuple["MilvusIndex", int]:
    """The index of a collection, made where there is none, and the sequence that it reflects.

    The identity distinguishes the collection from all others of its name, ever: its model's hash,
    when it was made, and whatever else begins its rows anew. Raises IndexUnavailable.
    """
    rows = MilvusRows(server, spec, name_in_milvus(name, identity))
    sequence = rows.prepare()
    return MilvusIndex(spec, rows, fetch), sequence


def drop_milvus(server: MilvusServer, name: str, identity: str) -> None:
    """Delete a collection's rows from Milvus, for all processes. Raises IndexUnavailable."""
    server.drop(name_in_milvus(name, identity))


def name_in_milvus(name: str, identity: str) -> str:
    """Return a collection's name in Milvus: legible, and used by no other."""
    readable = re.sub(r"\W", "_", name, flags=re.ASCII)[:200]
    digest = sha256(f"{name}\n{identity}".encode()).hexdigest()
    return f"lossatlas_{readable}_{digest[:16]}"


class MilvusIndex:
    """The VectorIndex in a Milvus collection, which other processes may read and write as well.

    So adding and removing do no harm when they are done twice, and a search sees what any process
    wrote before it began. A process that is late, or was killed, may leave rows that are gone:
    `fetch`, which knows, is asked about each hit, and those are removed. Milvus may find fewer
    rows than there are; then they are compared here. Writes of more than 4 MiB of vectors or 8,192
    rows, and searches among more than those, take several requests and are not seen as one.
    Every method raises IndexUnavailable.
    """

    def __init__(self, spec: IndexSpec, rows: MilvusRows, fetch: Fetch) -> None:
        self._spec = spec
        self._rows = rows
        self._fetch = fetch

    @property
    def kind_in_use(self) -> KindInUse:
        """Return the kind of index that Milvus builds."""
        return self._rows.kind

    def __len__(self) -> int:
        return self._rows.count(None)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Make rows findable; known rows are passed over."""
        self._rows.add(rows, comparable(vectors, self._spec.metric))

    def remove(self, rows: Rows) -> None:
        """Make rows unfindable; unknown rows are passed over."""
        self._rows.remove(rows)

    def search(self, queries: Queries, k: int, among: Rows | None = None) -> Hits:
        """The min(k, n) nearest rows of each query."""
        queries = comparable(queries, self._spec.metric)
        k = k if among is None else min(k, len(among))
        if k <= 0 or len(queries) == 0:
            return nothing(len(queries), max(k, 0))
        hits = self._search(queries, k, among)
        exact = self._exact(hits)
        while len(gone := exact.rows[np.isnan(exact.vectors).any(axis=1)]):
            self.remove(gone)
            hits = self._search(queries, k, among)
            exact = self._exact(hits)
        return self._rescored(queries, hits, exact)

    def save(self, folder: Path, sequence: int, model_sha256: str) -> None:  # noqa: ARG002
        """Keep the sequence in Milvus, for all processes; the folder is left alone."""
        self._rows.keep(sequence)

    def maintain(self) -> bool:
        """Nothing is due: Milvus builds and compacts by itself."""
        return False

    def drop(self) -> None:
        """Delete it from Milvus, for all processes."""
        self._rows.drop()

    def close(self) -> None:
        """Nothing is held; the connection is the server's."""

    def _search(self, queries: Queries, k: int, among: Rows | None) -> Hits:
        """As many hits as there are, at most k."""
        if k <= MOST_HITS:
            hits = found_by_all(self._found(queries, k, among))
            found = hits.rows.shape[1]
            if found == k or found >= self._rows.count(among):
                return hits
        return self._compare(queries, k, among)

    def _found(self, queries: Queries, k: int, among: Rows | None) -> Hits:
        if among is not None and len(among) > NAMED_ROWS:
            wider = self._rows.nearest(queries, min(_WIDER * k, MOST_HITS), None)
            hits = kept(wider, np.isin(wider.rows, among), k)
            if complete(hits):
                return hits
        return self._rows.nearest(queries, k, among)

    def _compare(self, queries: Queries, k: int, among: Rows | None) -> Hits:
        """The search by its definition, of vectors that Milvus hands over."""
        best = nothing(len(queries), 0)
        for rows, vectors in self._rows.contents(among):
            page = ExactIndex(self._spec.dimension, self._spec.metric)
            page.add(rows, vectors)
            best = nearest([best, page.search(queries, k)], k)
        return best

    def _exact(self, hits: Hits) -> "_Exact":
        rows = np.unique(hits.rows[hits.rows != NOBODY])
        if len(rows) == 0:
            return _Exact(rows, np.empty((0, self._spec.dimension), np.float32))
        return _Exact(rows, ready(self._fetch(rows), self._spec.metric))

    def _rescored(self, queries: Queries, hits: Hits, exact: "_Exact") -> Hits:
        """By the exact vectors, as every other index scores: Milvus's cosines may be above 1."""
        if len(exact.rows) == 0:
            return hits
        at = np.searchsorted(exact.rows, hits.rows)
        at = np.where(hits.rows == NOBODY, NOBODY, at)
        found = rescored(queries, exact.vectors, Nearest(hits.scores, at), self._spec.metric)
        rows = np.where(found.positions == NOBODY, NOBODY, exact.rows[found.positions])
        return Hits(rows, found.scores)


class _Exact(NamedTuple):
    """The hits' rows, rising, and their vectors as they were added; NaN where a row is gone."""

    rows: Rows
    vectors: Vectors
