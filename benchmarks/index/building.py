"""Building an index of existing vectors: its time and its memory."""

from collections.abc import Callable

import numpy as np

from benchmarks.index.data import Data
from benchmarks.index.jobs import MODEL_SHA256, Job
from benchmarks.index.memory import watched
from benchmarks.index.results import BuildRun
from benchmarks.index.timing import timed
from service.vectors import LocalIndex, Rows, Vectors

_BATCH = 10_000


def build(job: Job) -> BuildRun:
    """Add everything, build, and save."""
    job.index.mkdir(parents=True)
    with watched() as peak:
        index = LocalIndex(job.spec, fetch=fetch_from(job.data))
        add_s = timed(lambda: _fill(index, job.data))
        build_s = timed(lambda: _build(index))
    save_s = timed(lambda: index.save(job.index, job.size, MODEL_SHA256))
    index.close()
    return BuildRun(
        size=job.size,
        kind=job.kind,
        add_s=round(add_s, 3),
        build_s=round(build_s, 3),
        save_s=round(save_s, 3),
        peak_bytes=peak.bytes,
    )


def fetch_from(data: Data) -> Callable[[Rows], Vectors]:
    """Exact vectors by row, from the mapped file."""
    vectors = data.vectors

    def fetch(rows: Rows) -> Vectors:
        found: Vectors = vectors[rows]
        return found

    return fetch


def _fill(index: LocalIndex, data: Data) -> None:
    for start in range(0, data.size, _BATCH):
        some = np.array(data.vectors[start : start + _BATCH])
        index.add(np.arange(start, start + len(some)), some)


def _build(index: LocalIndex) -> None:
    while index.maintain():
        pass
