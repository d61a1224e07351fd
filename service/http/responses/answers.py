"""From what a model said to the parts of an answer, the same on every route that takes images."""

import base64
from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np
import orjson
from fastapi import Response
from jaxtyping import Float32
from starlette.types import Receive, Scope, Send

from service.http.requests.negotiation import JSON
from service.inference.batch import Answer
from service.inference.engine import Engine
from service.inference.gallery import Neighbor
from service.inference.session import Outputs

Header = tuple[bytes, bytes]

_IS_JSON: Header = (b"content-type", JSON.encode())
_TIMING = b'decode;dur=%.3f, queue;dur=%.3f, inference;dur=%.3f;desc="batch of %d"'


class RawResponse(Response):
    """An answer with the headers that are given, and no other work on them.

    Starlette's own preparation takes longer than the JSON of an embedding.
    """

    def __init__(self, body: bytes, *headers: Header) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), *headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del scope, receive
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def as_json(body: dict[str, Any], *headers: Header) -> Response:
    """A response of this body, arrays included."""
    return RawResponse(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), _IS_JSON, *headers)


def as_base64(row: Float32[np.ndarray, " d"]) -> str:
    """One embedding as base64 of little-endian float32."""
    return base64.b64encode(row.astype("<f4", copy=False).tobytes()).decode("ascii")


def server_timing(answer: Answer) -> Header:
    """The header that says what each stage took, in milliseconds, as browsers read it."""
    return b"server-timing", _TIMING % (
        1000 * answer.decode_s,
        1000 * answer.queue_s,
        1000 * answer.inference_s,
        answer.batch_items,
    )


async def predictions(engine: Engine, outputs: Outputs, top_k: int) -> list[dict[str, Any]]:
    """For each image its likeliest class, whether it is unknown, and the `top_k` likeliest."""
    top = _top(outputs.probabilities, engine.manifest.labels, top_k)
    unknown = await engine.unknown(outputs)
    doubts = repeat(None, len(top)) if unknown is None else unknown
    return [
        {**listed[0], "unknown": doubted, "top": listed}
        for listed, doubted in zip(top, doubts, strict=True)
    ]


def neighbor_items(engine: Engine, found: Sequence[Neighbor]) -> list[dict[str, Any]]:
    """The neighbors of one image, each with the address of its thumbnail."""
    manifest = engine.manifest
    address = f"/models/{manifest.name}/thumbnails/{{}}.jpg?version={manifest.version}"
    return [
        {
            "id": neighbor.id,
            "label": neighbor.label,
            "score": neighbor.score,
            "thumbnail": address.format(neighbor.row) if engine.gallery.has_thumbnails else None,
        }
        for neighbor in found
    ]


def _top(
    probabilities: Float32[np.ndarray, "n c"], labels: tuple[str, ...], top_k: int
) -> list[list[dict[str, Any]]]:
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    best = np.take_along_axis(probabilities, order, axis=1)
    return [
        [
            {"label": labels[column], "probability": score}
            for column, score in zip(row, scores, strict=True)
        ]
        for row, scores in zip(order.tolist(), best, strict=True)
    ]
