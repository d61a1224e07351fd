"""milvus-lite, a real engine in a wheel, served as Milvus is: over gRPC."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def milvus_lite(folder: Path, port: int = 0) -> Iterator[str]:
    """Its index URL, while it runs; skips where it is not installed."""
    server = pytest.importorskip(
        "milvus_lite.adapter.grpc.server", reason="milvus-lite is not installed"
    )
    grpc_server, database, port = server.start_server_in_thread(str(folder), port=port)
    try:
        yield f"milvus://127.0.0.1:{port}"
    finally:
        grpc_server.stop(grace=None).wait()
        database.close()
