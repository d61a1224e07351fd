"""Collections as the service opens them, and as a source of exact vectors alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.index.jobs import COLLECTION, Job
from service.collections import CollectionSpec, Library
from service.collections.data_folder import COLLECTIONS, open_library
from service.settings import Settings
from service.vectors import ExactIndex, Fetch, Rows, VectorIndex, Vectors
from service.vectors.query import Search


def open_collections(job: Job) -> Library:
    """With one worker, so that a build has all processors but one."""
    return open_library(Settings(data_dir=job.library, workers=1))


@contextmanager
def fetching_items(job: Job) -> Iterator[Fetch]:
    """Exact vectors by the data's rows, read from the collection's items."""
    given: list[Fetch] = []

    def keep(spec: CollectionSpec, _: Path, fetch: Fetch) -> tuple[VectorIndex, int]:
        given.append(fetch)
        return ExactIndex(spec.dimension, spec.metric), job.size  # nothing is left to follow

    library = Library(job.library / COLLECTIONS, keep)
    try:
        collection = library.get(COLLECTION)
        (first,) = collection.page(0, 1).items
        collection.search(np.zeros((0, job.spec.dimension), np.float32), Search(k=1))
        (fetch,) = given

        def by_data_row(rows: Rows) -> Vectors:
            return fetch(rows + first.row)

        yield by_data_row
    finally:
        library.close()
