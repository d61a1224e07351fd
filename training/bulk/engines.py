"""Engines that run the batches: threads of this process, or a cluster."""

from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa

from models.machine import processors
from training.bulk.embedder import BulkEmbedder, Model

Batch = Sequence[str]  # ids of files

_AHEAD = 2  # batches that each thread has waiting, so that none is idle


@runtime_checkable
class BulkEngine(Protocol):
    """Runs batches and gives their rows back in the order of the batches.

    What a batch is made of decides its answer, so engines run each as it comes and never join or
    split any; thereby all engines give the same rows.
    """

    name: str
    workers: int
    embedded: Counter[str]  # files by the node that took them

    def rows(self, batches: Iterable[Batch]) -> Iterator[pa.Table]:
        """Rows of one or more whole batches at a time, in order."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


@dataclass(frozen=True)
class EngineTask:
    """The work of every engine, and the number of processors that it has."""

    folder: Path
    model: Model
    workers: int | None  # None: one for each processor that it may use


class LocalEngine:
    """Threads of this process. Reading, decoding and the graph release Python's lock."""

    name = "local"

    def __init__(self, work: EngineTask) -> None:
        self.workers = work.workers or processors()
        self.embedded: Counter[str] = Counter()
        self._embedder = BulkEmbedder(work.folder, work.model)

    def rows(self, batches: Iterable[Batch]) -> Iterator[pa.Table]:
        """Rows of one batch at a time; a few batches are begun before they are asked for."""
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="embed")
        try:
            with closing(self._in_order(pool, batches)) as tables:
                yield from tables
        finally:
            pool.shutdown(cancel_futures=True)

    def _in_order(
        self, pool: ThreadPoolExecutor, batches: Iterable[Batch]
    ) -> Generator[pa.Table, None, None]:
        begun: deque[Future[pa.Table]] = deque()
        for batch in batches:
            begun.append(pool.submit(self._embedder.embed, batch))
            if len(begun) >= _AHEAD * self.workers:
                yield self._finished(begun.popleft())
        while begun:
            yield self._finished(begun.popleft())

    def _finished(self, begun: "Future[pa.Table]") -> pa.Table:
        table = begun.result()
        self.embedded["local"] += len(table)
        return table

    def close(self) -> None:
        """Nothing is held between two calls of `rows`."""
