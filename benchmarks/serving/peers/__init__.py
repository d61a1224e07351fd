"""The servers that are measured: a file for each peer, and a line for it here.

Every server runs the same ONNX file, one version of arcface, and answers JSON with `embeddings`, a
list of floats for each image. Its tuning stands with it; `python -m benchmarks.serving.tuning`
tries others. BentoML, Ray Serve, Triton and MLServer are left out: each brings an environment of
its own. To add one, write its application in a file here and describe it in SERVERS.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.serving import wire
from benchmarks.serving.peers.model import version
from benchmarks.serving.wire import Body

Encode = Callable[[str, Sequence[bytes]], Body]


@dataclass(frozen=True)
class Server:
    """The start of a server, and the requests that it takes."""

    name: str
    title: str
    tuning: str
    module: str
    arguments: tuple[str, ...] = ("{port}",)
    ready: str = "/health"
    one: tuple[str, Encode] = ("/embed", wire.raw)
    many: tuple[str, Encode] = ("/embed", wire.multipart)

    def command(self, port: int) -> list[str]:
        """Return the command that starts it on this port."""
        arguments = (argument.format(port=port) for argument in self.arguments)
        return [sys.executable, "-m", self.module, *arguments]

    def shown(self) -> str:
        """The same for people."""
        return " ".join(["python", "-m", self.module, *self.arguments]).format(port="PORT")

    def request(self, images: Sequence[bytes]) -> bytes:
        """A whole request with these images, in the form that is natural for this server."""
        path, encode = self.one if len(images) == 1 else self.many
        return wire.post(encode(path.format(version=version()), images))


_OURS = "/embed?version={version}"  # as the peers' model.py has it

SERVERS = (
    Server(
        name="ours",
        title="LossAtlas",
        tuning="default settings: a process for each processor",
        module="service",
        arguments=("--port", "{port}"),
        ready="/health/ready",
        one=(_OURS, wire.raw),
        many=(_OURS, wire.multipart),
    ),
    Server(
        name="ours-1",
        title="LossAtlas, 1 worker",
        tuning="default settings but for one process, whose threads run the batches",
        module="service",
        arguments=("--port", "{port}", "--workers", "1"),
        ready="/health/ready",
        one=(_OURS, wire.raw),
        many=(_OURS, wire.multipart),
    ),
    Server(
        name="fastapi",
        title="FastAPI by hand",
        tuning="2 uvicorn processes with uvloop and httptools, onnxruntime with 1 thread, orjson; "
        "decoding and inference on the event loop, which took less processor time than on "
        "FastAPI's thread pool",
        module="benchmarks.serving.peers.fastapi_app",
        many=("/embed-many", wire.multipart),
    ),
    Server(
        name="litserve",
        title="LitServe",
        tuning="2 workers that decode and infer, batches of up to 64 that wait 1 ms at most, its "
        "fast queue (ZeroMQ), 2 API servers; the body goes to the worker as it came, 64 images as "
        "MessagePack",
        module="benchmarks.serving.peers.litserve_app",
        arguments=("--port", "{port}"),
        many=("/embed", wire.msgpack),
    ),
    Server(
        name="mosec",
        title="mosec",
        tuning="2 workers that decode and infer, batches of up to 16 that wait 1 ms at most; 64 "
        "images as MessagePack, as its documentation has them, to 2 more workers without batches; "
        "a queue of 1024 requests, as given",
        module="benchmarks.serving.peers.mosec_app",
        arguments=("--port", "{port}", "--address", "127.0.0.1", "--log-level", "warning"),
        ready="/",
        many=("/embed-many", wire.msgpack),
    ),
)


def floor_server(images: int) -> Server:
    """Uvicorn that answers a constant with as many embeddings."""
    return Server(
        name="bare",
        title="bare uvicorn",
        tuning="no work",
        module="benchmarks.serving.peers.bare_app",
        arguments=("{port}", str(images)),
    )
