"""A floor: uvicorn with an ASGI application that reads the body and gives a constant answer.

python -m benchmarks.serving.peers.bare_app PORT IMAGES
"""

import sys

import numpy as np
import orjson
import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

_EMBEDDINGS = np.random.default_rng(0).normal(0, 0.125, (int(sys.argv[2]), 64)).astype(np.float32)
_BODY = orjson.dumps({"embeddings": _EMBEDDINGS}, option=orjson.OPT_SERIALIZE_NUMPY)
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]


async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Read the body, answer."""
    if scope["type"] != "http":
        return
    more = True
    while more:
        message = await receive()
        more = message["type"] == "http.request" and message["more_body"]
    await send(
        {"type": "http.response.start", "status": 200, "headers": _HEADERS, "trailers": False}
    )
    await send({"type": "http.response.body", "body": _BODY, "more_body": False})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="off")
