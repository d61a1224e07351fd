"""The same embeddings in OpenAI's shape, so that its clients work; images come as data URIs."""

import re
from functools import partial

from fastapi import APIRouter, Request, Response

from models.manifest import Manifest
from service.errors import MalformedBody, NoImage, TooManyImages
from service.http.requests.json_body import read_json, validated
from service.http.requests.negotiation import JSON
from service.http.requests.parameters import NoParameters
from service.http.responses.answers import as_base64, as_json, server_timing
from service.http.responses.openai import (
    EmbeddingsBody,
    OpenAIEmbeddings,
    OpenAIModel,
    OpenAIModels,
)
from service.http.responses.problems import IMAGE_ERRORS, MODEL_ERRORS, problems
from service.http.routes.direct import DirectRoute
from service.http.state import Parts
from service.inference.pixel_budget import Encoded
from service.settings import Settings

router = APIRouter(prefix="/v1", tags=["OpenAI"])
_VERSIONED = re.compile(r"(.+)/([1-9][0-9]{0,8})")


async def embeddings(request: Request, parts: Parts, _query: NoParameters) -> Response:
    """Embed each image. OpenAI's client libraries call this route."""
    asked, images = await _read(request, parts.settings)
    engine = await parts.catalog.engine(*_name_and_version(asked.model))
    _check_dimensions(asked, engine.manifest)
    with engine.reserve() as room, parts.patience.waiting(request.receive):
        answer = await engine.answer(images, room)
    coded = asked.encoding_format == "base64"
    data = [
        {"object": "embedding", "index": i, "embedding": as_base64(row) if coded else row}
        for i, row in enumerate(answer.outputs.embedding)
    ]
    usage = {"prompt_tokens": 0, "total_tokens": 0}
    body = {"object": "list", "data": data, "model": asked.model, "usage": usage}
    return as_json(body, server_timing(answer))


router.add_api_route(
    "/embeddings",
    embeddings,
    methods=["POST"],
    response_model=OpenAIEmbeddings,
    responses=problems(*MODEL_ERRORS, *IMAGE_ERRORS),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": EmbeddingsBody.model_json_schema()}},
        }
    },
    route_class_override=DirectRoute,
)


@router.get("/models", responses=problems())
async def list_models(parts: Parts) -> OpenAIModels:
    """List the models that are ready, the default version of each."""
    engines = [entry.engine for entry in parts.catalog.defaults() if entry.engine]
    return OpenAIModels(data=[_described(one.manifest.name, one.manifest) for one in engines])


@router.get("/models/{model:path}", responses=problems(*MODEL_ERRORS))
async def show_model(parts: Parts, model: str) -> OpenAIModel:
    """Show one model, by `name` or `name/version`."""
    engine = await parts.catalog.engine(*_name_and_version(model))
    return _described(model, engine.manifest)


async def _read(request: Request, settings: Settings) -> tuple[EmbeddingsBody, list[Encoded]]:
    parse = partial(_parse, settings.max_images)
    return await read_json(request.scope, request.receive, settings.max_body_bytes, parse)


def _parse(max_images: int, body: bytes) -> tuple[EmbeddingsBody, list[Encoded]]:
    asked = validated(body, EmbeddingsBody)
    if not asked.input:
        raise NoImage
    if isinstance(asked.input, list) and len(asked.input) > max_images:
        raise TooManyImages(max_images)
    return asked, asked.images


def _name_and_version(model: str) -> tuple[str, int | None]:
    found = _VERSIONED.fullmatch(model)
    return (found[1], int(found[2])) if found else (model, None)


def _check_dimensions(asked: EmbeddingsBody, manifest: Manifest) -> None:
    if asked.dimensions not in (None, manifest.dimension):
        raise MalformedBody(f"dimensions: {asked.model} has {manifest.dimension}")


def _described(name: str, manifest: Manifest) -> OpenAIModel:
    return OpenAIModel(id=name, created=int(manifest.created.timestamp()))
