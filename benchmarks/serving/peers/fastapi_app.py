"""FastAPI by hand, as a good engineer writes it when no serving framework is wanted.

python -m benchmarks.serving.peers.fastapi_app PORT
"""

import sys
from typing import Annotated

import orjson
import uvicorn
from fastapi import FastAPI, File, Request, Response
from fastapi.concurrency import run_in_threadpool

from benchmarks.serving.peers.model import Model, decode_all

app = FastAPI()
model = Model(threads=1)


def answer(images: list[bytes]) -> Response:
    """Decode, embed, write JSON."""
    body = {"embeddings": model.embed(decode_all(images))}
    return Response(
        orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json"
    )


@app.post("/embed")
async def embed(request: Request) -> Response:
    """One image, as the body."""
    return await run_in_threadpool(answer, [await request.body()])


@app.post("/embed-many")
def embed_many(image: Annotated[list[bytes], File()]) -> Response:
    """Several images, as multipart/form-data."""
    return answer(image)


@app.get("/health")
async def health() -> dict[str, str]:
    """Whether it runs."""
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(
        "benchmarks.serving.peers.fastapi_app:app",
        port=int(sys.argv[1]),
        workers=2,
        log_level="warning",
        access_log=False,
    )
