"""FastAPI by hand, as a good engineer writes it when no serving framework is wanted.

A process for each core and one thread for onnxruntime in each; /embed decodes and infers on the
event loop, /pool/embed on FastAPI's thread pool, so that both can be tried.

python -m benchmarks.serving.peers.fastapi_app PORT
"""

import sys
from typing import Annotated

import uvicorn
from fastapi import FastAPI, File, Request, Response
from fastapi.concurrency import run_in_threadpool

from benchmarks.serving.peers.answers import write_json
from benchmarks.serving.peers.model import Model, decode_all

app = FastAPI()
model = Model(threads=1)


def answer(images: list[bytes]) -> Response:
    """Decode, embed, write JSON."""
    return Response(write_json(model.embed(decode_all(images))), media_type="application/json")


@app.post("/embed")
async def embed(request: Request) -> Response:
    """One image, as the body."""
    return answer([await request.body()])


@app.post("/embed-many")
async def embed_many(image: Annotated[list[bytes], File()]) -> Response:
    """Several images, as multipart/form-data."""
    return answer(image)


@app.post("/pool/embed")
async def embed_in_pool(request: Request) -> Response:
    """The same on a thread."""
    return await run_in_threadpool(answer, [await request.body()])


@app.post("/pool/embed-many")
def embed_many_in_pool(image: Annotated[list[bytes], File()]) -> Response:
    """The same on a thread."""
    return answer(image)


@app.get("/health")
async def health() -> dict[str, str]:
    """Answer while it runs."""
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(
        "benchmarks.serving.peers.fastapi_app:app",
        port=int(sys.argv[1]),
        workers=2,
        log_level="warning",
        access_log=False,
    )
