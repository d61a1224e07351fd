"""mosec: its HTTP server, in Rust, hands whole batches to Python processes.

python -m benchmarks.serving.peers.mosec_app --port PORT [flags of ours and of mosec]
"""

import argparse
from collections.abc import Sequence

import numpy as np
from mosec import Server, Worker
from numpy.typing import NDArray

from benchmarks.serving.peers.answers import read_images, split, write_json
from benchmarks.serving.peers.model import Model, decode_all

Pixels = NDArray[np.uint8]
Embeddings = NDArray[np.float32]


class Images(Worker):
    """The shared part of both workers: images in, JSON out."""

    resp_mime_type = "application/json"

    def __init__(self) -> None:
        self._model = Model(threads=1)

    def deserialize(self, data: bytearray) -> Pixels:
        """Pixels [n, 32, 32, 3] of one request's images."""
        return decode_all(read_images(bytes(data)))

    def serialize(self, data: Embeddings) -> bytes:
        """The body of one answer."""
        return write_json(data)


class BatchEmbedder(Images):
    """Embeds the images of a batch of requests."""

    def forward(self, data: Sequence[Pixels]) -> list[Embeddings]:
        """The embeddings of each request."""
        return split(self._model.embed(np.concatenate(data)), [len(pixels) for pixels in data])


class RequestEmbedder(Images):
    """Embeds the images of one request."""

    def forward(self, data: Pixels) -> Embeddings:
        """Its embeddings."""
        return self._model.embed(data)


def main() -> None:
    """Serve; mosec parses the rest of the command line itself."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--max-batch-size", type=int, default=16)
    parser.add_argument("--max-wait-ms", type=int, default=1)
    chosen = parser.parse_known_args()[0]
    server = Server()
    server.append_worker(
        BatchEmbedder,
        num=chosen.workers,
        max_batch_size=chosen.max_batch_size,
        max_wait_time=chosen.max_wait_ms,
        route="/embed",
    )
    server.append_worker(RequestEmbedder, num=chosen.workers, route="/embed-many")
    server.run()


if __name__ == "__main__":
    main()
