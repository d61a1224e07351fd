"""Images in; embeddings and classes out."""

import io
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from jaxtyping import Float32
from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.http.requests.body import header
from service.http.requests.images import read_images
from service.http.requests.negotiation import JSON, NPY, preferred
from service.http.requests.parameters import Whole
from service.http.responses.answers import (
    Header,
    RawResponse,
    as_base64,
    as_json,
    predictions,
    server_timing,
)
from service.http.responses.labels import CollectionClassifyResponse
from service.http.responses.problems import (
    COLLECTION_ERRORS,
    IMAGE_ERRORS,
    IMAGES_BODY,
    MODEL_ERRORS,
    problems,
)
from service.http.responses.schemas import ClassifyResponse, EmbedResponse
from service.http.routes.direct import DirectRoute
from service.http.routes.labels import LABEL_ERRORS, Naming, name_labels
from service.http.state import Parts, Services
from service.inference.batch import Answer
from service.inference.engine import Engine

router = APIRouter(tags=["images"], route_class=DirectRoute)
_ERRORS = (*MODEL_ERRORS, *IMAGE_ERRORS)
_IS_NPY: Header = (b"content-type", NPY.encode())
_VARY: Header = (b"vary", b"Accept")


class ModelQuery(BaseModel):
    """The model that answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss: str | None = Field(None, description="a model's name; the default model where absent")
    version: Whole | None = Field(
        None, description="a published version; by default the one that answers"
    )


class EmbedQuery(ModelQuery):
    """The encoding of embeddings."""

    encoding_format: Literal["float", "base64"] = "float"


class ClassifyQuery(ModelQuery):
    """The number of classes that are listed."""

    top_k: Whole = Field(5, ge=1, description="classes listed for each image; all where it is more")
    collection: str | None = Field(
        None, description="name the labels of this collection's items instead, by the nearest"
    )
    false_unknown: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="with a collection: the share of known images that may be called unknown; 0.05 "
        "where absent",
    )

    @model_validator(mode="after")
    def _of_a_collection(self) -> "ClassifyQuery":
        if self.false_unknown is not None and self.collection is None:
            raise ValueError("false_unknown needs a collection")
        return self


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
    headers = (server_timing(answer), _VARY)
    if preferred(header(request.scope, b"accept"), (JSON, NPY)) == NPY:
        return RawResponse(_npy(embedding), _IS_NPY, *headers)
    coded = query.encoding_format == "base64"
    embeddings = [as_base64(row) for row in embedding] if coded else embedding
    body = {"dimension": engine.manifest.dimension, "embeddings": embeddings}
    return as_json(_named(engine, body), *headers)


@router.post(
    "/classify",
    response_model=ClassifyResponse | CollectionClassifyResponse,
    responses=problems(*_ERRORS, *COLLECTION_ERRORS, *LABEL_ERRORS),
    openapi_extra=IMAGES_BODY,
)
async def classify(
    request: Request, parts: Parts, query: Annotated[ClassifyQuery, Query()]
) -> Response:
    """Classify each image: calibrated probabilities, likeliest first, and is it unknown.

    With `collection` its labels are named, by the nearest items, which are listed.
    """
    if query.collection is not None:
        naming = Naming(query.collection, query.loss, query.version, query.top_k)
        return await name_labels(request, parts, naming, query.false_unknown)
    engine = await parts.catalog.engine(query.loss, query.version)
    answer = await _answer(request, parts, engine)
    listed = await predictions(engine, answer.outputs, query.top_k)
    parts.metrics.predictions.of(engine.bundle).note(listed)
    return as_json(_named(engine, {"predictions": listed}), server_timing(answer))


async def _answer(request: Request, parts: Services, engine: Engine) -> Answer:
    with engine.reserve() as room:
        images = await read_images(request.scope, request.receive, parts.settings)
        with parts.patience.waiting(request.receive):
            return await engine.answer(images, room)


def _named(engine: Engine, body: dict[str, Any]) -> dict[str, Any]:
    manifest = engine.manifest
    named = {"loss": manifest.name, "version": manifest.version, "precision": engine.precision}
    return {**named, **body}


def _npy(array: Float32[np.ndarray, "n d"]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
