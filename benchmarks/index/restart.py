"""The time of a new process to its first answer, and the cost of an answer."""

import shutil
import time

import numpy as np

from benchmarks.index.ingest import PERCENTS
from benchmarks.index.jobs import COLLECTION, Job
from benchmarks.index.opening import open_collections
from benchmarks.index.results import RestartRun, WholeSearch
from benchmarks.index.spread import Vectors
from benchmarks.index.timing import singles
from service.collections import Collection
from service.collections.storage.layout import INDEX
from service.vectors.filters import parse_filter
from service.vectors.query import Search

_WHERE = {
    "plain": {},
    "half": {"percent": {"lt": PERCENTS // 2}},
    "hundredth": {"percent": {"lt": 1}},
}


class WrongAnswer(Exception):
    """An item does not find itself."""


def restart(job: Job) -> RestartRun:
    """Open the library as the service would; with `items`, there is no saved index."""
    if job.source == "items":
        shutil.rmtree(job.collection / INDEX)
    last = np.array(job.data.vectors[-1:])
    start = time.perf_counter()
    library = open_collections(job)
    collection = library.get(COLLECTION)
    ((hit,),) = collection.search(last, Search(k=1))
    first_right_s = time.perf_counter() - start
    if hit.item.id != f"{job.size - 1:07}":
        raise WrongAnswer(f"item {job.size - 1} finds {hit.item.id} with a score of {hit.score}")
    cases = _WHERE if job.source == "snapshot" else ()
    searches = tuple(_search(job, collection, case) for case in cases)
    library.close()
    return RestartRun(
        size=job.size,
        source=job.source,
        first_right_s=round(first_right_s, 4),
        searches=searches,
    )


def _search(job: Job, collection: Collection, case: str) -> WholeSearch:
    settings = job.settings
    queries = [job.data.queries[at : at + 1] for at in range(settings.queries)]
    asked = Search(k=settings.k, where=parse_filter(_WHERE[case]))
    found: list[int] = []

    def ask(query: Vectors) -> None:
        (hits,) = collection.search(query, asked)
        found.append(len(hits))

    latency = singles(ask, queries, settings.seconds)
    return WholeSearch(
        case=case, latency=latency, found=round(float(np.mean(found)) / settings.k, 5)
    )
