"""The same batches on a Ray cluster, by Ray Data. Imported only where it is asked for."""

import logging
import os
import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pyarrow as pa

from training.bulk.embedder import BulkEmbedder, Model
from training.bulk.engines import Batch, EngineTask
from training.bulk.listing import chunked
from training.errors import ClusterFailed, ExtraMissing

os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # it would install on every node
os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters comes as an exception

try:
    import ray
    import ray.data
    import ray.exceptions
except ImportError as error:
    raise ExtraMissing("--engine ray", "distributed", error) from None

_TASK = 8  # batches that go to a worker at once
_WAVE = 2048  # tasks in one pipeline: what of the listing is in memory
_REACH_S = 10.0
_NODE = "node"  # the column that says which node a row came from


class RayEngine:
    """One actor on each of `workers` processors of the cluster, each with a graph of its own.

    Nodes need this checkout and its environment, and the folder of images, at the same places;
    the graph travels to them, and rows come back.
    """

    name = "ray"

    def __init__(self, work: EngineTask, address: str | None) -> None:
        """Join the cluster at `address`, or start one on this machine. Raises ClusterFailed."""
        _check_address(address)
        self.embedded: Counter[str] = Counter()
        self._work = work
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ClusterFailed(f"no Ray cluster at {address}: {error}") from error
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        ray.data.DataContext.get_current().execution_options.preserve_order = True
        self.workers = work.workers or int(ray.cluster_resources()["CPU"])

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        ray.shutdown()

    def rows(self, batches: Iterable[Batch]) -> Iterator[pa.Table]:
        """Rows of one task at a time, in order. Raises ClusterFailed."""
        model = ray.put(self._work.model)
        tasks = (_task(some) for some in chunked(batches, _TASK))
        for wave in chunked(tasks, _WAVE):
            data = ray.data.from_blocks(list(wave)).map_batches(
                _Worker,
                batch_size=None,
                batch_format="pyarrow",
                zero_copy_batch=True,
                compute=ray.data.ActorPoolStrategy(size=min(self.workers, len(wave))),
                num_cpus=1,
                fn_constructor_args=(str(self._work.folder), model),
            )
            try:
                for rows in data.iter_batches(batch_size=None, batch_format="pyarrow"):
                    self.embedded.update(rows.column(_NODE).to_pylist())
                    yield rows.drop_columns([_NODE])
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[-1]  # above it is where in Ray's code
                raise ClusterFailed(f"the cluster cannot go on: {reason}") from error


def _check_address(address: str | None) -> None:
    """Ray itself would try for minutes."""
    if address is None or address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()) or "://" in address:
        raise ClusterFailed(
            f"--address is {address!r}, not HOST:PORT or auto. Ray Data runs inside the cluster, "
            "not through Ray's client (ray://): run this on one of its machines"
        )
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterFailed(f"no Ray cluster at {address}: {error}") from error


class _Worker:
    """Lives in a process of its own, somewhere in the cluster."""

    def __init__(self, folder: str, model: "ray.ObjectRef[Model]") -> None:
        self._embedder = BulkEmbedder(Path(folder), ray.get(model))
        self._node = ray.get_runtime_context().get_node_id()[:12]

    def __call__(self, task: pa.Table) -> pa.Table:
        tables = [self._embedder.embed(batch) for batch in _batches(task)]
        rows = pa.concat_tables(tables)
        return rows.append_column(_NODE, pa.array([self._node] * len(rows), pa.string()))


def _task(batches: Sequence[Batch]) -> pa.Table:
    """Ids as bytes, since names of files need not be text, and which batch each belongs to."""
    numbers = [number for number, batch in enumerate(batches) for _ in batch]
    ids = [os.fsencode(one) for batch in batches for one in batch]
    return pa.table({"batch": pa.array(numbers, pa.int32()), "id": pa.array(ids, pa.binary())})


def _batches(task: pa.Table) -> Iterator[Batch]:
    rows = zip(task.column("batch").to_pylist(), task.column("id").to_pylist(), strict=True)
    for _, batch in groupby(rows, key=itemgetter(0)):
        yield [os.fsdecode(one) for _, one in batch]
