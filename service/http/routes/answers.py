"""Images in; embeddings, classes and neighbours out."""

import base64
import io
from itertools import repeat
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from fastapi import APIRouter, Query, Request, Response
from jaxtyping import Float32
from pydantic import BaseModel, ConfigDict, Field

from models.manifest import Manifest
from service.engine import COLLECTION, Answer, Engine, Neighbor
from service.errors import ServiceError, UnknownCollection
from service.http.body import header
from service.http.direct import DirectRoute
from service.http.images import read_images
from service.http.negotiate import JSON, NPY, preferred
from service.http.responses import IMAGE_ERRORS, IMAGES_BODY, MODEL_ERRORS, problems
from service.http.schemas import ClassifyResponse, EmbedResponse, NeighborsResponse
from service.http.state import Parts, Services

router = APIRouter(tags=["images"], route_class=DirectRoute)
_ERRORS = (*MODEL_ERRORS, *IMAGE_ERRORS)


class ModelQuery(BaseModel):
    """Which model answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss: str | None = Field(None, description="a model's name; the default model where absent")
    version: int | None = Field(None, description="a published version; the newest where absent")


class EmbedQuery(ModelQuery):
    """How embeddings are written."""

    encoding_format: Literal["float", "base64"] = "float"


class ClassifyQuery(ModelQuery):
    """How many classes are listed."""

    top_k: int = Field(5, ge=1, description="classes listed for each image; all where it is more")


class NeighborsQuery(ModelQuery):
    """How many neighbours, and of what."""

    k: int = Field(10, ge=1, le=100, description="neighbours listed for each image")
    collection: str = Field(COLLECTION, description="where to search")


@router.post(
    "/embed",
    response_model=EmbedResponse,
    responses={
        200: {"content": {NPY: {"schema": {"type": "string", "format": "binary"}}}},
        **problems(*_ERRORS),
    },
    openapi_extra=IMAGES_BODY,
)
async def embed(request: Request, parts: Parts, query: Annotated[EmbedQuery, Query()]) -> Response:
    """Embed each image. `Accept: application/x-npy` gives one float32 array [n, d]."""
    engine = await parts.catalog.engine(query.loss, query.version)
    answer = await _answer(request, parts, engine)
    embedding = answer.outputs.embedding
    headers = {**server_timing(answer), "Vary": "Accept"}
    if preferred(header(request.scope, b"accept"), (JSON, NPY)) == NPY:
        return Response(_npy(embedding), 200, headers, NPY)
    as_base64 = query.encoding_format == "base64"
    embeddings = [_base64(row) for row in embedding] if as_base64 else embedding
    body = {"dimension": engine.manifest.dimension, "embeddings": embeddings}
    return _json(engine.manifest, body, headers)


@router.post(
    "/classify",
    response_model=ClassifyResponse,
    responses=problems(*_ERRORS),
    openapi_extra=IMAGES_BODY,
)
async def classify(
    request: Request, parts: Parts, query: Annotated[ClassifyQuery, Query()]
) -> Response:
    """Classify each image: calibrated probabilities, likeliest first, and is it unknown."""
    engine = await parts.catalog.engine(query.loss, query.version)
    answer = await _answer(request, parts, engine)
    top = _top(answer.outputs.probabilities, engine.manifest.labels, query.top_k)
    unknown = await engine.unknown(answer.outputs)
    doubts = repeat(None, len(top)) if unknown is None else unknown
    predictions = [
        {**listed[0], "unknown": doubted, "top": listed}
        for listed, doubted in zip(top, doubts, strict=True)
    ]
    return _json(engine.manifest, {"predictions": predictions}, server_timing(answer))


@router.post(
    "/neighbors",
    response_model=NeighborsResponse,
    responses=problems(*_ERRORS, UnknownCollection),
    openapi_extra=IMAGES_BODY,
)
async def neighbors(
    request: Request, parts: Parts, query: Annotated[NeighborsQuery, Query()]
) -> Response:
    """Find the nearest items of each image, nearest first; a higher score is nearer."""
    engine = await parts.catalog.engine(query.loss, query.version)
    engine.check_collection(query.collection)
    answer = await _answer(request, parts, engine)
    found = await engine.neighbors(answer.outputs.embedding, query.k, query.collection)
    listed = [[_neighbor(engine, neighbor) for neighbor in row] for row in found]
    body = {"collection": query.collection, "neighbors": listed}
    return _json(engine.manifest, body, server_timing(answer))


async def _answer(request: Request, parts: Services, engine: Engine) -> Answer:
    try:
        engine.batcher.check_room()  # before the body is read, so that a refusal costs little
        images = await read_images(request.scope, request.receive, parts.settings)
        with parts.patience.waiting(request.receive):
            answer = await engine.answer(images)
    except ServiceError as error:
        parts.metrics.count_refusal(error)
        raise
    parts.metrics.observe_decode(answer.decode_s)
    return answer


def server_timing(answer: Answer) -> dict[str, str]:
    """The header that says what each stage took, in milliseconds, as browsers read it."""
    return {
        "Server-Timing": f"decode;dur={1000 * answer.decode_s:.3f}, "
        f"queue;dur={1000 * answer.queue_s:.3f}, "
        f'inference;dur={1000 * answer.inference_s:.3f};desc="batch of {answer.batch_items}"'
    }


def _json(manifest: Manifest, body: dict[str, Any], headers: dict[str, str]) -> Response:
    body = {"loss": manifest.name, "version": manifest.version, **body}
    return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), 200, headers, JSON)


def _npy(array: Float32[np.ndarray, "n d"]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _base64(row: Float32[np.ndarray, " d"]) -> str:
    return base64.b64encode(row.astype("<f4", copy=False).tobytes()).decode("ascii")


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


def _neighbor(engine: Engine, neighbor: Neighbor) -> dict[str, Any]:
    manifest = engine.manifest
    address = f"/models/{manifest.name}/thumbnails/{neighbor.row}.jpg?version={manifest.version}"
    return {
        "id": neighbor.id,
        "label": neighbor.label,
        "score": neighbor.score,
        "thumbnail": address if engine.has_thumbnails else None,
    }
