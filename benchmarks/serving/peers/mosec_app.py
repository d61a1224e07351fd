"""mosec: its HTTP server, in Rust, hands whole batches to Python processes.

python -m benchmarks.serving.peers.mosec_app --port PORT [mosec's own flags]
"""

import os
from collections.abc import Sequence

import numpy as np
from mosec import Server, Worker
from numpy.typing import NDArray

from benchmarks.serving.peers.answers import read_images, split, write_json
from benchmarks.serving.peers.model import Model, decode_all

Pixels = NDArray[np.uint8]
Embeddings = NDArray[np.float32]


class Embedder(Worker):
    """Decodes, embeds and answers a batch of requests, in one stage."""

    resp_mime_type = "application/json"

    def __init__(self) -> None:
        self._model = Model(threads=1)

    def deserialize(self, data: bytearray) -> Pixels:
        """Pixels [n, 32, 32, 3] of one request's images."""
        return decode_all(read_images(bytes(data)))

    def forward(self, data: Sequence[Pixels]) -> list[Embeddings]:
        """The embeddings of each request."""
        return split(self._model.embed(np.concatenate(data)), [len(pixels) for pixels in data])

    def serialize(self, data: Embeddings) -> bytes:
        """The body of one answer."""
        return write_json(data)


if __name__ == "__main__":
    server = Server()
    n, b, w = map(int, os.environ["TUNE"].split(","))
    server.append_worker(
        Embedder, num=n, max_batch_size=b, max_wait_time=w, route="/embed", timeout=60
    )
    server.run()
