"""Building a segment, and building on one."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import faiss
import numpy as np

from service.vectors.hnsw import Hnsw
from service.vectors.ivfpq import Fetch, IvfPq
from service.vectors.kinds import IVF_SAMPLES_PER_LIST, BuiltKind, IndexSpec, lists
from service.vectors.protocol import Rows, Vectors
from service.vectors.segments import LivePart

Built = Hnsw | IvfPq
Chunk = tuple[Rows, Vectors]

LEAST_ROWS: dict[BuiltKind, int] = {"hnsw": 1, "compact": 256}  # a PQ has 256 centers to train
_CHUNK = 10_000  # rows between two looks at whether to go on


class BuildAbandoned(Exception):
    """The index was closed before the build was done."""


def begin(kind: BuiltKind, spec: IndexSpec, parts: Sequence[LivePart], fetch: Fetch) -> Built:
    """An empty segment of that kind, trained on these parts where it needs that."""
    if kind == "hnsw":
        return Hnsw.empty(spec)
    faiss.omp_set_num_threads(spec.threads)
    n = sum(part.alive.count for part in parts)
    return IvfPq.trained(spec, n, _sample(parts, IVF_SAMPLES_PER_LIST * lists(n)), fetch)


def extend(
    built: Built, parts: Sequence[LivePart], threads: int, going: Callable[[], bool]
) -> Built:
    """A copy with the living rows of these parts behind its own; searches go on in the old one.

    Raises Abandoned.
    """
    index: Any = faiss.clone_index(built.index)  # the stubs have no more than an Index
    rows = [built.rows]
    for more, vectors in chunks(parts):
        if not going():
            raise BuildAbandoned
        faiss.omp_set_num_threads(threads)  # again, for `fetch` may have searched
        index.add(vectors)
        rows.append(more)
    return built.replaced(index, np.concatenate(rows))


def chunks(parts: Sequence[LivePart]) -> Iterator[Chunk]:
    """The living rows and their vectors, less those that nobody has any more."""
    for part in parts:
        positions = part.alive.positions()
        for start in range(0, len(positions), _CHUNK):
            some = positions[start : start + _CHUNK]
            vectors = part.segment.vectors(some)
            there = ~np.isnan(vectors[:, 0])
            yield part.segment.rows[some][there], vectors[there]


def _sample(parts: Sequence[LivePart], size: int) -> Vectors:
    chance = np.random.default_rng(0)
    n = sum(part.alive.count for part in parts)
    taken = []
    for part in parts:
        positions = part.alive.positions()
        some = chance.choice(positions, min(len(positions), size * len(positions) // n + 1), False)
        taken.append(part.segment.vectors(np.sort(some)))
    vectors = np.concatenate(taken)
    there: Vectors = vectors[~np.isnan(vectors[:, 0])]
    return there
