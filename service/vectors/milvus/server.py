"""A Milvus server: the connection to it, what the service keeps there, and what goes wrong."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from service.errors import DistributedUnavailable, IndexUnavailable

ANSWER_S = 10
_CONNECT_S = 2
_PAUSE_S = 1  # after a failure to connect, in which nobody tries: a queue would wait for each other
# gRPC's own pauses grow to two minutes, in which a server that is back would not be seen.
_GRPC = {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
}
_VIEWS = "lossatlas_views"  # says which sequence each collection reflects
_CONNECT_FAILED = 2  # pymilvus.client.types.Status


def require_milvus() -> None:
    """Raise DistributedUnavailable where the extra is not installed."""
    # pymilvus would read a `.env` above its own folder into the environment of this process.
    os.environ.setdefault("PYTHON_DOTENV_DISABLED", "1")
    try:
        import_module("pymilvus")
    except ImportError as error:
        raise DistributedUnavailable(str(error)) from None
    # What it logs it also raises; and it has a format of its own.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Address:
    """The address of a Milvus server, and our credentials there."""

    scheme: str
    host: str
    port: int
    token: str = field(default="", repr=False)
    database: str = ""

    @classmethod
    def parse(cls, url: str) -> "Address":
        """From `milvus[+tls]://[user:password@]host[:port][/database]`."""
        parts = urlsplit(url)
        scheme = "https" if parts.scheme == "milvus+tls" else "http"
        login = [unquote(part) for part in (parts.username, parts.password) if part]
        host, port = parts.hostname or "", parts.port or 19530
        return cls(scheme, host, port, ":".join(login), parts.path.strip("/"))

    @property
    def uri(self) -> str:
        """For the client, and for people: without who we are."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True)
class CollectionLayout:
    """A Milvus collection: its key, vectors, how they are indexed, and other whole numbers."""

    key: str
    vector: str
    dimension: int
    index: dict[str, Any]
    textual: bool = False  # whether the key is a text; else it is a whole number
    numbers: tuple[str, ...] = ()


class MilvusServer:
    """Connects when it is first needed, so in the worker that needs it, and again after a failure.

    Every method raises IndexUnavailable, and may be called from any thread.
    """

    def __init__(self, url: str) -> None:
        """Remember where it is. Raises DistributedUnavailable."""
        require_milvus()
        self._address = Address.parse(url)
        self._connecting = Lock()
        self._client: Any = None
        self._pause_until = 0.0

    @contextmanager
    def reached(self) -> Iterator[Any]:
        """The client, a pymilvus.MilvusClient; its errors are raised as IndexUnavailable."""
        from grpc import RpcError
        from pymilvus.exceptions import MilvusException

        try:
            yield self._connected()
        except MilvusException as error:
            if error.code == _CONNECT_FAILED:
                self._pause_until = time.monotonic() + _PAUSE_S
            raise self._unavailable(error.message) from error
        except RpcError as error:  # among them a deadline that passed
            details = getattr(error, "details", None)
            raise self._unavailable(details() if details else str(error)) from error

    def prepare(self, name: str, layout: CollectionLayout) -> int:
        """Make the collection where there is none, and load it; the sequence that it reflects."""
        views = CollectionLayout(
            key="name",
            vector="unused",  # but Milvus wants one
            dimension=2,
            index={"index_type": "FLAT", "metric_type": "L2"},
            textual=True,
            numbers=("sequence",),
        )
        with self.reached() as client:
            _ensure(client, _VIEWS, views)
            if not client.has_collection(name, timeout=ANSWER_S):
                client.delete(_VIEWS, ids=[name], timeout=ANSWER_S)
            _ensure(client, name, layout)
            found = client.query(
                _VIEWS,
                filter=f'name == "{name}"',
                output_fields=["sequence"],
                consistency_level="Strong",
                timeout=ANSWER_S,
            )
        return int(found[0]["sequence"]) if found else 0

    def load(self, name: str) -> None:
        """Have Milvus search the collection, as it may not after its own restart."""
        with self.reached() as client:
            client.load_collection(name, timeout=ANSWER_S)

    def keep(self, name: str, sequence: int) -> None:
        """Keep the sequence that the collection reflects."""
        view = {"name": name, "sequence": sequence, "unused": [0.0, 0.0]}
        with self.reached() as client:
            client.upsert(_VIEWS, [view], timeout=ANSWER_S)

    def drop(self, name: str) -> None:
        """Delete the collection, where there is one."""
        with self.reached() as client:
            client.delete(_VIEWS, ids=[name], timeout=ANSWER_S)
            if client.has_collection(name, timeout=ANSWER_S):
                client.drop_collection(name, timeout=ANSWER_S)

    def close(self) -> None:
        """End the connection."""
        with self._connecting:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Any:
        from pymilvus import MilvusClient

        with self._connecting:
            if time.monotonic() < self._pause_until:
                raise self._unavailable("it could not be reached a moment ago")
            if self._client is None:
                self._client = MilvusClient(
                    self._address.uri,
                    token=self._address.token,
                    db_name=self._address.database,
                    timeout=_CONNECT_S,
                    dedicated=True,  # else `close` would leave the connection open
                    grpc_options=_GRPC,
                )
            return self._client

    def _unavailable(self, reason: str) -> IndexUnavailable:
        first = (reason or "no reason given").splitlines()[0][:200]
        return IndexUnavailable(f"Milvus at {self._address.uri}: {first}")


def _ensure(client: Any, name: str, layout: CollectionLayout) -> None:
    """Complete and loaded, whatever of it was there; another process may be doing the same."""
    if not client.has_collection(name, timeout=ANSWER_S):
        _create(client, name, layout)
    if not client.list_indexes(name):
        index = client.prepare_index_params()
        index.add_index(field_name=layout.vector, **layout.index)
        client.create_index(name, index, timeout=ANSWER_S, sync=False)  # there is nothing in it
    client.load_collection(name, timeout=ANSWER_S)


def _create(client: Any, name: str, layout: CollectionLayout) -> None:
    from pymilvus import DataType
    from pymilvus.exceptions import MilvusException

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    kind = {"datatype": DataType.VARCHAR, "max_length": 255}
    if not layout.textual:
        kind = {"datatype": DataType.INT64}
    schema.add_field(layout.key, is_primary=True, **kind)
    schema.add_field(layout.vector, DataType.FLOAT_VECTOR, dim=layout.dimension)
    for number in layout.numbers:
        schema.add_field(number, DataType.INT64)
    try:
        client.create_collection(name, schema=schema, consistency_level="Strong", timeout=ANSWER_S)
    except MilvusException:
        if not client.has_collection(name, timeout=ANSWER_S):
            raise
