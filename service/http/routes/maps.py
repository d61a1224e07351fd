"""The map of a model: points, pictures, confusions to look at, and where a new picture lies."""

import asyncio
import hashlib
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from models.errors import ModelsError
from service.errors import ServiceError
from service.http.requests.images import read_images
from service.http.requests.negotiation import has_it
from service.http.requests.parameters import NoParameters, Whole
from service.http.responses.answers import as_json, server_timing
from service.http.responses.maps import (
    ListedImages,
    MapDescription,
    Positions,
    describe_map,
    show_images,
)
from service.http.responses.problems import IMAGE_ERRORS, IMAGES_BODY, MODEL_ERRORS, problems
from service.http.state import Parts, Services
from service.inference.engine import Engine
from service.inference.gallery import Neighbor
from service.inference.mapped_models import MappedModel, MappedModels
from service.inference.model_map import ModelMap
from service.inference.votes import Vote
from service.registry.errors import UnknownClass, UnknownMap, UnknownSheet
from service.vectors.query import Search

router = APIRouter(prefix="/report", tags=["map"])
_OCTETS, _JPEG = "application/octet-stream", "image/jpeg"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "as `If-None-Match` has it"}}
_ASK_AGAIN = "no-cache"  # a model's files may be replaced, and the newest version be another one
_FOREVER = "private, max-age=31536000, immutable"  # the address names the content
_MAP_ERRORS = (*MODEL_ERRORS, UnknownMap)
_NEAR = 1e-6  # distance below which two images are at one place


class VersionQuery(BaseModel):
    """The version of the model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Whole | None = Field(None, description="by default the one that answers")


class PointsQuery(VersionQuery):
    """The points that are asked for."""

    sha256: str | None = Field(
        None, description="of the columns, from the description; others are not answered"
    )


class ListQuery(VersionQuery):
    """The version, and the part of the list."""

    limit: int = Field(200, ge=1, le=1000, description="most images of the list")
    offset: int = Field(0, ge=0, le=2**31, description="images to leave out at its beginning")


class PositionQuery(VersionQuery):
    """The version, and the number of neighbors that place the picture."""

    k: int = Field(10, ge=1, le=100, description="neighbors whose positions are averaged")


@router.get(
    "/{loss}/map", response_model=MapDescription, responses=_UNCHANGED | problems(*_MAP_ERRORS)
)
async def describe(
    request: Request, parts: Parts, loss: str, query: Annotated[VersionQuery, Query()]
) -> Response:
    """Describe a model's map: columns, classes, ids, how far it can be trusted, pictures."""
    engine, plane = await _mapped(parts, loss, query.version)
    tag = f'"{plane.data_sha256[:32]}"'
    if has_it(request.scope, tag):
        return _unchanged(tag)
    body = describe_map(engine, plane).model_dump_json()
    return Response(body, 200, _caching(tag, _ASK_AGAIN), "application/json")


@router.get(
    "/{loss}/points",
    response_class=Response,
    responses={200: {"content": {_OCTETS: _BINARY}}, **_UNCHANGED, **problems(*_MAP_ERRORS)},
)
async def points(
    request: Request, parts: Parts, loss: str, query: Annotated[PointsQuery, Query()]
) -> Response:
    """Give the points of a model's map as binary columns, which its description names."""
    engine, plane = await _mapped(parts, loss, query.version)
    if query.sha256 not in (None, plane.data_sha256):
        raise _unknown_map(engine)
    caching = _ASK_AGAIN if query.sha256 is None else _FOREVER
    tag = f'"{plane.data_sha256[:32]}"'
    if has_it(request.scope, tag):
        return _unchanged(tag, caching)
    return Response(plane.data, 200, _caching(tag, caching), _OCTETS)


@router.get(
    "/sheets/{sha256}/{index}.jpg",
    response_class=Response,
    responses={
        200: {"content": {_JPEG: _BINARY}},
        **_UNCHANGED,
        **problems(UnknownSheet),
    },
)
async def sheet(
    request: Request,
    parts: Parts,
    sha256: str,
    index: Annotated[Whole, Path(ge=0)],
    _query: NoParameters,
) -> Response:
    """Show a sheet of test images as tiles, the same for all models of a data set."""
    tag = f'"{sha256[:32]}-{index}"'
    found = await asyncio.to_thread(parts.sheets.sheet, sha256, index)
    if has_it(request.scope, tag):
        return _unchanged(tag, _FOREVER)
    return Response(found, 200, _caching(tag, _FOREVER), _JPEG)


@router.get(
    "/{loss}/confusions/{true}/{predicted}",
    response_model=ListedImages,
    responses=_UNCHANGED | problems(*_MAP_ERRORS, UnknownClass),
)
async def confusions(
    request: Request,
    parts: Parts,
    loss: str,
    true: str,
    predicted: str,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """List the test images of one cell of the confusion matrix, probably mislabeled ones first."""
    engine, _ = await _mapped(parts, loss, query.version)
    labels = engine.manifest.labels
    cell = [_class(labels, name) for name in (true, predicted)]
    panel = await _panel(parts, engine, await _votes(parts, engine))
    return _listed(request, panel, panel.cell(*cell), query)


@router.get(
    "/{loss}/mislabeled",
    response_model=ListedImages,
    responses=_UNCHANGED | problems(*_MAP_ERRORS),
)
async def mislabeled(
    request: Request, parts: Parts, loss: str, query: Annotated[ListQuery, Query()]
) -> Response:
    """List the test images that every model takes for one class that is not their label."""
    engine, _ = await _mapped(parts, loss, query.version)
    panel = await _panel(parts, engine, await _votes(parts, engine))
    return _listed(request, panel, panel.mislabeled(), query)


@router.post(
    "/{loss}/position",
    response_model=Positions,
    responses=problems(*_MAP_ERRORS, *IMAGE_ERRORS),
    openapi_extra=IMAGES_BODY,
)
async def position(
    request: Request, parts: Parts, loss: str, query: Annotated[PositionQuery, Query()]
) -> Response:
    """Place images on a model's map, by their nearest neighbors in the embedding."""
    engine, plane = await _mapped(parts, loss, query.version)
    if plane.tests == len(plane):  # nothing is near where there is no gallery
        raise _unknown_map(engine)
    with engine.reserve() as room:  # before the body is read, so that a refusal costs little
        images = await read_images(request.scope, request.receive, parts.settings)
        with parts.patience.waiting(request.receive):
            answer = await engine.answer(images, room)
    near = await engine.neighbors(answer.outputs.embedding, Search(query.k))
    body = {
        "loss": engine.manifest.name,
        "version": engine.manifest.version,
        "positions": [_placed(engine, plane, found) for found in near],
    }
    return as_json(body, server_timing(answer))


async def _mapped(parts: Services, loss: str, version: int | None) -> tuple[Engine, ModelMap]:
    engine = await parts.catalog.engine(loss, version)
    if engine.plane is None:
        raise _unknown_map(engine)
    return engine, engine.plane


def _unknown_map(engine: Engine) -> UnknownMap:
    about = engine.bundle.report
    return UnknownMap(about.name, engine.manifest.version, about.provenance.dataset.name)


def _class(labels: tuple[str, ...], name: str) -> int:
    if name not in labels:
        raise UnknownClass(name, labels)
    return labels.index(name)


async def _votes(parts: Services, own: Engine) -> tuple[Vote, ...]:
    plane = own.plane
    if plane is None:
        return ()
    return await asyncio.to_thread(parts.votes.of, plane, own.manifest.labels)


async def _panel(parts: Services, own: Engine, votes: tuple[Vote, ...]) -> MappedModels:
    """The model and every other of the same test images, each in the same version if it has it."""
    version, voices = own.manifest.version, [_voice(own)]
    for entry in parts.catalog.defaults():
        if entry.name == own.manifest.name:
            continue
        has_it_too = any(one.version == version for one in parts.catalog.versions(entry.name))
        try:
            engine = await parts.catalog.engine(entry.name, version if has_it_too else None)
        except (ServiceError, ModelsError):  # it cannot answer now, and its opinion is left out
            continue
        voices.append(_voice(engine))
    alike = tuple(voice for voice in voices if voice is not None and _is_alike(own, voice))
    return MappedModels(alike, votes)


def _voice(engine: Engine) -> MappedModel | None:
    manifest = engine.manifest
    if engine.plane is None:
        return None
    return MappedModel(manifest.name, manifest.version, manifest.labels, engine.plane)


def _is_alike(own: Engine, other: MappedModel) -> bool:
    plane = own.plane
    same_images = plane is not None and other.plane.test_images == plane.test_images
    return same_images and other.labels == own.manifest.labels


def _listed(
    request: Request,
    panel: MappedModels,
    rows: "np.ndarray[Any, np.dtype[np.intp]]",
    query: ListQuery,
) -> Response:
    shown = rows[query.offset : query.offset + query.limit].tolist()
    said = [(voice.loss, voice.version, voice.plane.data_sha256) for voice in panel.voices]
    speaking = panel.evidence[shown].tolist()  # of versions that are not in the list, too
    tag = f'"{hashlib.sha256(repr((said, shown, speaking)).encode()).hexdigest()[:32]}"'
    if has_it(request.scope, tag):
        return _unchanged(tag)
    caching = [(name.lower().encode(), value.encode()) for name, value in _caching(tag).items()]
    return as_json(show_images(panel, shown, len(rows)), *caching)


def _placed(engine: Engine, plane: ModelMap, found: list[Neighbor]) -> dict[str, Any]:
    rows = np.array([plane.tests + one.row for one in found])
    scores = np.array([one.score for one in found], dtype=np.float64)
    squared = 2 * (1 - scores) if engine.manifest.metric == "cosine" else -scores
    weights = 1 / (np.sqrt(np.maximum(squared, 0)) + _NEAR)
    weights /= weights.sum()
    return {
        "x": float(weights @ plane.points.x[rows]),
        "y": float(weights @ plane.points.y[rows]),
        "neighbors": [
            {"id": one.id, "label": one.label, "score": one.score, "point": plane.tests + one.row}
            for one in found
        ],
    }


def _caching(tag: str, how: str = _ASK_AGAIN) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": how, "X-Content-Type-Options": "nosniff"}


def _unchanged(tag: str, how: str = _ASK_AGAIN) -> Response:
    return Response(status_code=304, headers=_caching(tag, how))
