"""The collections of a data folder, with the index that the settings name."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from models.machine import processors
from service.collections import CollectionSpec, Library, OpenIndex
from service.collections.storage.backup import sweep
from service.settings import Settings
from service.vectors import IndexSpec, LocalIndex, Rows, VectorIndex, Vectors

COLLECTIONS = "collections"  # below the data folder
SNAPSHOTS = "snapshots"
EMBEDDED = "embedded"
_Fetch = Callable[[Rows], Vectors]


def open_library(settings: Settings) -> Library:
    """The collections; nothing is written before the first of them is made.

    Unfinished snapshots of processes that were killed are deleted.

    Call it after the process was forked. Raises DistributedUnavailable where the index is to run
    elsewhere and its client is not installed.
    """
    workers = settings.workers or 1
    folder = settings.data_dir / COLLECTIONS
    sweep(settings.data_dir / SNAPSHOTS)
    if settings.index_url != EMBEDDED:
        return _milvus_library(folder, settings.index_url)
    threads = max(1, processors() // workers - 1)  # one is left to requests
    return Library(folder, _open_local(threads))


def drop_index(settings: Settings, spec: CollectionSpec) -> None:
    """Delete what the index of a collection that is gone keeps elsewhere, if it does.

    Raises DistributedUnavailable, IndexUnavailable.
    """
    if settings.index_url != EMBEDDED:
        from service.vectors.milvus.index import drop_milvus
        from service.vectors.milvus.server import MilvusServer

        with closing(MilvusServer(settings.index_url)) as server:
            drop_milvus(server, spec.name, spec.key)


def _open_local(threads: int) -> OpenIndex:
    def open_index(spec: CollectionSpec, folder: Path, fetch: _Fetch) -> tuple[VectorIndex, int]:
        wanted = IndexSpec(spec.dimension, spec.metric, spec.index, threads=threads)
        return LocalIndex.load(folder, wanted, spec.model_sha256, fetch=fetch)

    return open_index


def _milvus_library(folder: Path, url: str) -> Library:
    from service.vectors.milvus.index import (  # late: its client is an extra
        drop_milvus,
        open_milvus,
    )
    from service.vectors.milvus.server import MilvusServer

    server = MilvusServer(url)

    def open_index(spec: CollectionSpec, folder: Path, fetch: _Fetch) -> tuple[VectorIndex, int]:
        del folder  # Milvus keeps it
        wanted = IndexSpec(spec.dimension, spec.metric, spec.index)
        return open_milvus(server, wanted, spec.name, spec.key, fetch=fetch)

    def drop_index(spec: CollectionSpec) -> None:
        drop_milvus(server, spec.name, spec.key)

    return Library(folder, open_index, drop_index=drop_index)
