"""A saved index, opened and searched beside the raw FAISS index that is in it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import faiss
import numpy as np
from jaxtyping import Int64

from benchmarks.index import raw
from benchmarks.index.cases import CASES, Case
from benchmarks.index.jobs import MODEL_SHA256, Job
from benchmarks.index.memory import disk_bytes, pss_bytes
from benchmarks.index.opening import fetching_items
from benchmarks.index.results import Comparison, SearchRun, Way
from benchmarks.index.spread import Vectors
from benchmarks.index.timing import by_turns, latency
from service.vectors import Fetch, IndexSpec, LocalIndex, Rows, choose
from service.vectors.kinds import codes, hnsw_bytes, lists

_WARMING = 20  # queries, before the memory is looked at

Find = Callable[[Vectors], Int64[np.ndarray, "q k"]]


@dataclass(frozen=True)
class Opened:
    """The index, whose rows are those of the data, and what opening it took."""

    index: LocalIndex
    load_s: float
    memory_bytes: int


def search(job: Job) -> SearchRun:
    """Every case, ours and raw in alternation."""
    faiss.omp_set_num_threads(1)
    with _fetching(job) as fetch:
        opened = _open(job, fetch)
        beside = _raw(job, opened.index)
        comparisons = [_compare(job, case, opened.index, beside) for case in CASES]
    return SearchRun(
        size=job.size,
        kind=job.kind,
        auto=choose(replace(job.spec, kind="auto"), job.size) == job.kind,
        vectors=job.vectors,
        parameters=beside.words,
        load_s=round(opened.load_s, 4),
        memory_bytes=opened.memory_bytes,
        computed_bytes=_computed(job.spec, job.size),
        disk_bytes=disk_bytes(job.index),
        comparisons=tuple(comparisons),
    )


def _compare(job: Job, case: Case, index: LocalIndex, beside: raw.Raw) -> Comparison:
    data, settings = job.data, job.settings
    kept, truth = data.kept(case), data.truth(case)
    ours = _ours(index, case, kept, settings.k)
    theirs = beside.searcher(case.kept(job.size), settings.k)
    answers: dict[Find, Int64[np.ndarray, "q k"]] = {}

    def keeping(find: Find) -> Callable[[Vectors], None]:
        return lambda queries: answers.update({find: find(queries)})

    in_one = [data.queries] * settings.rounds
    batches = by_turns(keeping(ours), keeping(theirs), in_one, settings.seconds)
    ones = [data.queries[at : at + 1] for at in range(settings.queries)]
    singles = by_turns(ours, theirs, ones, settings.seconds, least=min(100, settings.queries))

    def way(find: Find, in_batches: list[float], one_by_one: list[float]) -> Way:
        rows = answers[find]
        return Way(
            recall=round(truth.recall(data.queries, data.vectors, rows, kept), 5),
            found=round(float(np.mean(rows >= 0)) * rows.shape[1] / settings.k, 5),
            per_s=round(settings.queries / float(np.median(in_batches)), 1),
            single=latency(one_by_one),
        )

    return Comparison(
        case=case.name,
        rounds=len(batches.ours),
        ours=way(ours, batches.ours, singles.ours),
        raw=way(theirs, batches.raw, singles.raw),
        batch_overhead=round(batches.overhead, 4),
        single_overhead=round(singles.overhead, 4),
    )


def _ours(index: LocalIndex, case: Case, kept: Rows, k: int) -> Find:
    among = kept if case.how == "among" else None
    if case.how == "removed":
        index.remove(np.setdiff1d(np.arange(len(index)), kept))

    def find(queries: Vectors) -> Int64[np.ndarray, "q k"]:
        return index.search(queries, k, among).rows

    return find


def _open(job: Job, fetch: Fetch) -> Opened:
    before = pss_bytes()
    start = time.perf_counter()
    index, sequence = LocalIndex.load(job.index, job.spec, MODEL_SHA256, fetch=fetch)
    index.search(job.data.queries[:1], job.settings.k)
    load_s = time.perf_counter() - start
    if sequence != job.size:
        raise ValueError(f"{job.index} reflects {sequence:,} of {job.size:,}")
    index.search(job.data.queries[:_WARMING], job.settings.k)
    return Opened(index, load_s, pss_bytes() - before)


def _raw(job: Job, index: LocalIndex) -> raw.Raw:
    """FAISS's own object out of `index`: a second copy has another place in memory, and time."""
    if job.kind == "exact":
        return raw.flat(job.data.vectors)
    if index.built is None:
        raise ValueError(f"{job.index} holds no FAISS index")
    faiss_index = index.built.index
    if job.kind == "hnsw":
        return raw.hnsw(faiss_index)
    return raw.compact(faiss_index, job.data.vectors, job.settings.k)


@contextmanager
def _fetching(job: Job) -> Iterator[Fetch]:
    if job.vectors == "items":
        with fetching_items(job) as fetch:
            yield fetch
    else:
        vectors = np.array(job.data.vectors)
        yield lambda rows: vectors[rows]


def _computed(spec: IndexSpec, size: int) -> int:
    """Compute the least bytes of vectors, links, codes and rows."""
    if spec.kind == "hnsw":
        return hnsw_bytes(spec.dimension, size)
    number = 8
    if spec.kind == "exact":
        return size * (4 * spec.dimension + number)
    return size * (codes(spec.dimension) + 2 * number) + lists(size) * 4 * spec.dimension
