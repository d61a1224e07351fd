"""The rate at which a collection takes items, the disk's own, and the delay of its index."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.index.data import DIMENSION, Data
from benchmarks.index.jobs import COLLECTION, MODEL_SHA256, Job
from benchmarks.index.memory import disk_bytes, watched
from benchmarks.index.opening import open_collections
from benchmarks.index.results import Floors, IngestRun
from benchmarks.index.timing import latency, timed
from service.collections import Collection, CollectionSpec, NewItem

_FSYNCS = 200
_PAGE = bytes(4096)
_FLOOR_ROWS = 100_000
_PERIOD_S = 0.05
PERCENTS = 100  # item i has the number i mod 100, by which a filter can take any share


def ingest(job: Job) -> IngestRun:
    """Put everything, wait for the index, close."""
    job.library.mkdir(parents=True)
    floors = _floors(job)
    library = open_collections(job)
    collection, _ = library.create(_spec())
    batches = _batches(job.data, job.settings.put_items)
    with watched() as peak:
        puts = [timed(partial(collection.put, items)) for items in batches]
        caught_up_s = timed(lambda: _catch_up(collection))
    facts = collection.facts()
    library.close()
    folder = job.collection
    index_bytes = disk_bytes(folder / "index")
    return IngestRun(
        size=job.size,
        per_s=round(job.size / sum(puts), 1),
        put=latency(puts),
        floors=floors,
        caught_up_s=round(caught_up_s, 3),
        kind_in_use=facts.kind_in_use,
        database_bytes=disk_bytes(folder) - index_bytes,
        index_bytes=index_bytes,
        peak_bytes=peak.bytes,
    )


def _spec() -> CollectionSpec:
    return CollectionSpec(
        name=COLLECTION,
        loss="none",
        version=1,
        model_sha256=MODEL_SHA256,
        metric="cosine",
        dimension=DIMENSION,
        index="auto",
        keep_images=False,
        created=datetime.now(UTC).isoformat(),
    )


def _batches(data: Data, length: int) -> Iterator[list[NewItem]]:
    for start in range(0, data.size, length):
        vectors = np.array(data.vectors[start : start + length])
        yield [
            NewItem(
                id=f"{row:07}",
                vector=vector,
                label=f"label {row % 10}",
                metadata={"percent": row % PERCENTS},
            )
            for row, vector in enumerate(vectors, start)
        ]


def _catch_up(collection: Collection) -> None:
    """Until looking after the index changes nothing any more; what is built is saved at once."""
    before = None
    while before != (now := collection.facts()):
        collection.maintain()
        before = now


def _floors(job: Job) -> Floors:
    rows = min(job.size, _FLOOR_ROWS)
    folder = job.library
    return Floors(
        fsync=latency(list(_fsyncs(folder / "floor"))),
        insert_per_s=round(_insert(folder / "floor.sqlite", job, rows), 1),
    )


def _fsyncs(file: Path) -> Iterator[float]:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    try:
        for _ in range(_FSYNCS):
            start = time.perf_counter()
            os.write(descriptor, _PAGE)
            os.fsync(descriptor)
            yield time.perf_counter() - start
    finally:
        os.close(descriptor)
        file.unlink()


def _insert(file: Path, job: Job, count: int) -> float:
    vectors = np.array(job.data.vectors[:count])
    step = job.settings.put_items
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE items (row INTEGER PRIMARY KEY, vector BLOB NOT NULL)")

        def fill() -> None:
            for start in range(0, count, step):
                some = enumerate(vectors[start : start + step], start)
                database.execute("BEGIN IMMEDIATE")
                database.executemany("INSERT INTO items VALUES (?, ?)", some)
                database.execute("COMMIT")

        seconds = timed(fill)
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()
    return count / seconds
