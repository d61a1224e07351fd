"""LitServe: FastAPI in front, model processes behind, queues between.

python -m benchmarks.serving.peers.litserve_app --port PORT [flags]
"""

import argparse
from collections.abc import Sequence
from typing import Annotated

import litserve
import numpy as np
from fastapi import Body, Response
from numpy.typing import NDArray

from benchmarks.serving.peers.answers import read_images, split, write_json
from benchmarks.serving.peers.model import Model, decode_all

Pixels = NDArray[np.uint8]
Embeddings = NDArray[np.float32]


class Embedder(litserve.LitAPI):
    """Decodes, embeds and answers a batch of requests in a worker."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the graph, once in each worker."""
        self._model = Model(threads=1)

    def decode_request(self, request: Annotated[bytes, Body()]) -> Pixels:
        """Pixels [n, 32, 32, 3] of one request's images."""
        return decode_all(read_images(request))

    def batch(self, inputs: Sequence[Pixels]) -> tuple[Pixels, list[int]]:
        """All images, and how many each request has."""
        return np.concatenate(inputs), [len(pixels) for pixels in inputs]

    def predict(self, batch: tuple[Pixels, list[int]]) -> tuple[Embeddings, list[int]]:
        """All embeddings, and how many each request has."""
        pixels, sizes = batch
        return self._model.embed(pixels), sizes

    def unbatch(self, output: tuple[Embeddings, list[int]]) -> list[Embeddings]:
        """The embeddings of each request."""
        return split(*output)

    def encode_response(self, output: Embeddings) -> Response:
        """One answer."""
        return Response(write_json(output), media_type="application/json")


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--api-servers", type=int, default=2)
    parser.add_argument("--max-batch-size", type=int, default=64)
    parser.add_argument("--batch-timeout-ms", type=float, default=1.0)
    parser.add_argument("--queue", choices=("fast", "plain"), default="fast")
    chosen = parser.parse_args()
    api = Embedder(
        max_batch_size=chosen.max_batch_size,
        batch_timeout=chosen.batch_timeout_ms / 1000,
        api_path="/embed",
    )
    fast = chosen.queue == "fast"
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=chosen.workers, fast_queue=fast
    )
    server.run(
        host="127.0.0.1",
        port=chosen.port,
        num_api_servers=chosen.api_servers,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )


if __name__ == "__main__":
    main()
