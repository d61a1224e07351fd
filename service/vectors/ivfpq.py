"""A built segment of compressed vectors: IVF-PQ (Jégou et al. 2011), its best re-ranked exactly."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import faiss
import numpy as np
from jaxtyping import Int64

from models.manifest import Metric
from service.vectors.brute_force import Nearest, rescored, scan, score_each, use_one_thread
from service.vectors.kinds import (
    IVF_LISTS_PER_ROOT,
    IVF_PROBES,
    LEAST_RERANKED,
    PQ_BITS,
    PQ_ROUNDS,
    PQ_SAMPLES_PER_CENTRE,
    RERANKED_PER_HIT,
    BuiltKind,
    IndexSpec,
    codes,
    lists,
)
from service.vectors.lengths import ready
from service.vectors.mask import Mask, Positions
from service.vectors.protocol import Queries, Rows, Vectors

Fetch = Callable[[Rows], Vectors]  # exact vectors of rows that rise; NaN for rows that are gone

_NO_TABLE = -1  # made beforehand it takes lists * d / 2 KiB: 128 MiB at 1 M x 64
_RERANKED_NUMBERS = 1 << 22  # at once: 16 MiB where no two queries share a candidate
_TABLE_PER_POSITION = 8  # up to so many rows for each, a table tells what occurs before a sort does
_FETCHED_OUTRIGHT = 2_000  # rows: so few are not searched but read
_FETCHED_NUMBERS = 1 << 21  # so much, 8 MiB, is read for a batch that would re-rank as many rows


@dataclass(frozen=True)
class IvfPq:
    """Codes of about d / 2 bytes in memory; the exact vectors are read where they decide."""

    index: faiss.IndexIVFPQ
    rows: Rows
    metric: Metric
    fetch: Fetch
    kind: BuiltKind = "compact"

    @classmethod
    def trained(cls, spec: IndexSpec, n: int, sample: Vectors, fetch: Fetch) -> "IvfPq":
        """Nothing yet, divided and coded as suits n rows like the sample."""
        index = _make(spec, min(lists(n), max(1, len(sample) // 39)))  # FAISS asks for 39 or more
        index.train(sample)
        return cls(index, np.empty(0, np.int64), spec.metric, fetch)

    @classmethod
    def over(cls, index: faiss.IndexIVFPQ, rows: Rows, metric: Metric, fetch: Fetch) -> "IvfPq":
        """Around codes whose ids are positions that hold these rows."""
        index.use_precomputed_table = _NO_TABLE
        return cls(index, rows, metric, fetch)

    def replaced(self, index: faiss.IndexIVFPQ, rows: Rows) -> "IvfPq":
        """Of the same kind, around other codes."""
        return IvfPq.over(index, rows, self.metric, self.fetch)

    @property
    def suited_rows(self) -> int:
        """Rows that its lists are laid out for."""
        return int((self.index.nlist / IVF_LISTS_PER_ROOT) ** 2)

    def vectors(self, positions: Positions) -> Vectors:
        """The exact vectors, as `fetch` gives them."""
        return ready(self.fetch(self.rows[positions]), self.metric)

    def search(self, queries: Queries, k: int, mask: Mask) -> Nearest:
        """By the codes, then the exact vectors of the best; by these alone where rows are few."""
        candidates = min(mask.count, max(LEAST_RERANKED, RERANKED_PER_HIT * k))
        reranked = min(candidates * len(queries), _FETCHED_NUMBERS // self.index.d)
        if mask.count <= max(_FETCHED_OUTRIGHT, k, reranked):
            return self._outright(queries, k, mask.positions())
        at_once = max(1, _RERANKED_NUMBERS // (candidates * self.index.d))
        parts = [
            self._search(queries[start : start + at_once], k, candidates, mask)
            for start in range(0, len(queries), at_once)
        ]
        return (
            parts[0] if len(parts) == 1 else Nearest(*map(np.concatenate, zip(*parts, strict=True)))
        )

    def _search(self, queries: Queries, k: int, candidates: int, mask: Mask) -> Nearest:
        probes = min(self.index.nlist, ceil(IVF_PROBES / mask.share))
        positions = self._by_codes(queries, candidates, probes, mask)
        short = np.flatnonzero(positions[:, k - 1] < 0)
        if len(short):
            everywhere = self._by_codes(queries[short], candidates, self.index.nlist, mask)
            positions[short] = everywhere
        return self._reranked(queries, k, positions)

    def _by_codes(self, queries: Queries, candidates: int, probes: int, mask: Mask) -> np.ndarray:
        use_one_thread()
        chosen = mask.selector()  # lives until the search is over
        params = faiss.SearchParametersIVF(  # type: ignore[call-arg]  # as the stubs have it
            nprobe=probes, sel=chosen
        )
        found: np.ndarray = self.index.search(queries, candidates, params=params)[1]
        return found

    def _outright(self, queries: Queries, k: int, positions: Positions) -> Nearest:
        vectors = self.vectors(positions)
        gone = np.isnan(vectors[:, 0])
        lost = positions[gone]
        if len(lost):
            positions, vectors = positions[~gone], vectors[~gone]
        near = min(k, len(positions))
        found = scan(queries, vectors, near, Mask.whole(len(positions)), self.metric)
        last = np.tile(lost[: k - near], (len(queries), 1))
        return Nearest(
            np.hstack([found.scores, np.full(last.shape, -np.inf, np.float32)]),
            np.hstack([positions[found.positions], last]),
        )

    def _reranked(self, queries: Queries, k: int, positions: np.ndarray) -> Nearest:
        wanted, at = distinct(positions, len(self.rows))  # -1 where a query has fewer candidates
        vectors = self.vectors(wanted)
        scores = score_each(queries, vectors, at, self.metric)
        scores[np.isnan(scores)] = -np.inf
        scores[positions < 0] = np.nan  # sorted last, after the gone; k candidates are not missing
        best = _best(Nearest(scores, at), k)
        nearest = rescored(queries, vectors, best, self.metric)
        return Nearest(nearest.scores, wanted[nearest.positions])


def distinct(
    positions: Int64[np.ndarray, "q c"], n: int
) -> tuple[Positions, Int64[np.ndarray, "q c"]]:
    """Those of the n positions that occur, rising, and where in them each is; -1 stays -1."""
    if n > _TABLE_PER_POSITION * positions.size:
        wanted, at = np.unique(positions, return_inverse=True)
        missing = int(wanted[0] < 0)
        return wanted[missing:], at.reshape(positions.shape) - missing
    occurs = np.zeros(n + 1, bool)  # -1 is the last
    occurs[positions] = True
    wanted = np.flatnonzero(occurs[:n])
    place = np.empty(n + 1, np.int64)  # only what is written is read
    place[wanted] = np.arange(len(wanted))
    place[n] = -1
    return wanted, place[positions]


def _best(found: Nearest, k: int) -> Nearest:
    order = np.argsort(-found.scores, axis=1)[:, :k]
    return Nearest(
        np.take_along_axis(found.scores, order, 1), np.take_along_axis(found.positions, order, 1)
    )


def _make(spec: IndexSpec, divisions: int) -> faiss.IndexIVFPQ:
    # For cosine too: at unit length the order is the same, and the codes are of what remains after
    # a center, which is least by distance (recall@10 of 1.00 where inner products gave 0.92, at
    # 3,000 x 8).
    index = faiss.IndexIVFPQ(
        faiss.IndexFlatL2(spec.dimension),
        spec.dimension,
        divisions,
        codes(spec.dimension),
        PQ_BITS,
        faiss.METRIC_L2,
    )
    index.use_precomputed_table = _NO_TABLE
    index.pq.cp.min_points_per_centroid = 1
    index.pq.cp.max_points_per_centroid = PQ_SAMPLES_PER_CENTRE
    index.pq.cp.niter = PQ_ROUNDS
    return index
