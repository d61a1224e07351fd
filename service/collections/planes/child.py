"""`python -m service.collections.planes.child`: the neighbor-preserving plane of one collection.

Started by `service.collections.planes.shelf`, at the lowest priority, and killed with it. Of many
items some are laid out, the landmarks; the others go between the landmarks nearest to them. So what
it holds in memory grows with the items by their columns alone.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
from jaxtyping import Float32, Float64

from service.collections.planes.neighborly import NEIGHBORS, lay_out
from service.collections.planes.plane import CollectionPlane, read, write
from service.collections.planes.principal import all_rows, principal_axes
from service.collections.planes.quality import SAMPLE, trustworthiness
from service.collections.planes.stored import chosen_rows, labels_of_all, sample, vectors_in_parts
from service.collections.storage import reads, schema
from service.collections.storage.layout import ITEMS
from service.collections.storage.locks import FileLock

LANDMARKS = 20_000
_BETWEEN = 3  # landmarks that place an item
_LISTED = 100_000  # items from which the landmarks are searched by lists
_BASE_BYTES, _ITEM_BYTES = 2**30, 128
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def main() -> None:
    """Make the plane that the command line names."""
    job = json.loads(sys.argv[1])
    _end_with(job["parent"])
    os.nice(19)
    faiss.omp_set_num_threads(1)
    folder, target = Path(job["folder"]), Path(job["target"])
    lock = FileLock(target.with_suffix(".lock"))
    lock.wait(shared=False)  # another worker's child may be making it
    if not is_fresh(folder, target):
        write(target, make(folder, limit_memory=_limit_memory))
    lock.close()


def is_fresh(folder: Path, target: Path) -> bool:
    """Return whether the plane that is there is of the items as they are now."""
    there = read(target)
    database = schema.connect(folder / ITEMS)
    try:
        spec, (sequence, _) = schema.read_spec(database, folder.name), reads.counts(database)
    finally:
        database.close()
    return there is not None and (there.key, there.sequence) == (spec.key, sequence)


def make(
    folder: Path,
    landmarks: int = LANDMARKS,
    limit_memory: Callable[[int], None] | None = None,
) -> CollectionPlane:
    """The plane of the collection in a folder, of all items that it has by the end.

    `limit_memory` is given their number before anything is read, for a process of its own.
    """
    database = schema.connect(folder / ITEMS)
    try:
        spec = schema.read_spec(database, folder.name)
        rows = all_rows(database)
        if limit_memory is not None:
            limit_memory(len(rows))
        some = np.array(sample(database, rows, spec.dimension, landmarks))
        placed = _placed(some)
        database.execute("BEGIN")  # from here on what is read is of one moment
        sequence, _ = reads.counts(database)
        rows = all_rows(database)
        index = _index(some, len(rows))
        parts = [
            _between(index, placed, part) for _, part in vectors_in_parts(database, spec.dimension)
        ]
        points = np.concatenate(parts) if parts else np.empty((0, 2))
        labels, label = labels_of_all(database)
        checked = sample(database, rows, spec.dimension, SAMPLE)
        quality = trustworthiness(checked, points[chosen_rows(rows, SAMPLE)])
    finally:
        database.close()
    return CollectionPlane(
        key=spec.key,
        sequence=sequence,
        rows=rows,
        x=points[:, 0].astype(np.float32),
        y=points[:, 1].astype(np.float32),
        label=label,
        labels=labels,
        method=_method(len(some), len(rows)),
        quality=quality,
    )


def _method(laid: int, items: int) -> str:
    said = f"forces along {NEIGHBORS} nearest neighbors (as UMAP), from the principal components"
    return said if laid >= items else f"{said}, of {laid:,} landmarks; others between their nearest"


def _placed(some: Float32[np.ndarray, "m d"]) -> Float64[np.ndarray, "m 2"]:
    if not len(some):
        return np.empty((0, 2))
    centered = some.astype(np.float64) - some.mean(axis=0)
    points = lay_out(some, centered @ principal_axes(centered))
    points -= points.mean(axis=0)
    size = float(np.sqrt(np.square(points).sum(axis=1).mean())) or 1.0
    return points / size


def _index(some: Float32[np.ndarray, "m d"], items: int) -> faiss.Index:
    dimension = some.shape[1]
    flat = faiss.IndexFlatL2(dimension)
    if items <= _LISTED:
        flat.add(some)
        return flat
    index = faiss.index_factory(dimension, "IVF128,Flat")
    index.train(some)
    faiss.extract_index_ivf(index).nprobe = 8
    index.add(some)
    return index


def _between(
    index: faiss.Index, placed: Float64[np.ndarray, "m 2"], part: Float32[np.ndarray, "n d"]
) -> Float64[np.ndarray, "n 2"]:
    k = min(_BETWEEN, len(placed))
    squared, near = index.search(np.ascontiguousarray(part), k)
    weights = np.where(near >= 0, 1 / (np.maximum(squared, 0) + 1e-9), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    places: Float64[np.ndarray, "n 2"] = (weights[:, :, None] * placed[near]).sum(axis=1)
    return places


def _end_with(parent: int) -> None:
    """Be killed when the parent ends, where the system can do that."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def _limit_memory(items: int) -> None:
    import resource

    most = _BASE_BYTES + _ITEM_BYTES * items
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


if __name__ == "__main__":
    main()
