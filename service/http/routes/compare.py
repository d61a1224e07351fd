"""Several losses asked about the same images."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.http.requests.images import read_images
from service.http.requests.parameters import Whole
from service.http.responses.answers import as_json, neighbor_items, predictions, server_timing
from service.http.responses.compare import CompareResponse
from service.http.responses.problems import IMAGE_ERRORS, IMAGES_BODY, MODEL_ERRORS, problems
from service.http.routes.direct import DirectRoute
from service.http.state import Parts, Services
from service.inference.batch import Answer
from service.inference.catalog import Catalog
from service.inference.engine import Engine, answer_with_all, reserve_with_all
from service.inference.model_entry import ModelEntry
from service.vectors.query import Search

router = APIRouter(tags=["images"], route_class=DirectRoute)


class CompareQuery(BaseModel):
    """The losses that are asked, and the detail of their answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss: tuple[str, ...] = Field(
        (),
        description="a model's name, repeated for several; every model that is ready where absent",
    )
    k: int = Field(5, ge=0, le=100, description="neighbors that each loss lists for each image")
    top_k: Whole = Field(5, ge=1, description="classes that each loss lists; all where it is more")


@router.post(
    "/compare",
    response_model=CompareResponse,
    responses=problems(*MODEL_ERRORS, *IMAGE_ERRORS),
    openapi_extra=IMAGES_BODY,
)
async def compare(
    request: Request, parts: Parts, query: Annotated[CompareQuery, Query()]
) -> Response:
    """Ask several losses about each image, decoded once: classes, neighbors, agreement."""
    engines, unavailable = await _choose(parts.catalog, query.loss)
    answers = await _answer(request, parts, engines)
    opinions = await asyncio.gather(
        *(_opinions(engine, one, query) for engine, one in zip(engines, answers, strict=True))
    )
    body = {
        "losses": [engine.manifest.name for engine in engines],
        "images": [
            {"agreement": _agreement(of_image), "opinions": of_image}
            for of_image in zip(*opinions, strict=True)
        ],
        "unavailable": [entry.facts() for entry in unavailable],
    }
    slowest = max(answers, key=lambda answer: answer.queue_s + answer.inference_s)
    return as_json(body, server_timing(slowest))


async def _choose(catalog: Catalog, names: Sequence[str]) -> tuple[list[Engine], list[ModelEntry]]:
    """The engines to ask, and the models that cannot answer. Raises where nobody can."""
    if names:
        return [await catalog.engine(name) for name in dict.fromkeys(names)], []
    entries = catalog.defaults()
    engines = [entry.engine for entry in entries if entry.engine]
    unavailable = [entry for entry in entries if not entry.engine]
    if not engines:  # raises what can be said about one of them
        loading = [entry for entry in unavailable if entry.state == "loading"]
        (loading or unavailable or [catalog.entry()])[0].ready_engine()
    return engines, unavailable


async def _answer(request: Request, parts: Services, engines: Sequence[Engine]) -> list[Answer]:
    with reserve_with_all(engines) as rooms:
        images = await read_images(request.scope, request.receive, parts.settings)
        with parts.patience.waiting(request.receive):
            return await answer_with_all(parts.decoder, engines, images, rooms)


async def _opinions(engine: Engine, answer: Answer, query: CompareQuery) -> list[dict[str, Any]]:
    who = {
        "loss": engine.manifest.name,
        "version": engine.manifest.version,
        "precision": engine.precision,
    }
    listed = await predictions(engine, answer.outputs, query.top_k)
    near = await engine.neighbors(answer.outputs.embedding, Search(query.k))
    return [
        {**who, **said, "neighbors": neighbor_items(engine, found)}
        for said, found in zip(listed, near, strict=True)
    ]


def _known(said: Iterable[bool | None]) -> list[bool]:
    return [one for one in said if one is not None]


def _agreement(opinions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    votes = Counter(one["label"] for one in opinions)
    weights: defaultdict[str, float] = defaultdict(float)
    for one in opinions:
        weights[one["label"]] += float(one["probability"])
    label = max(votes, key=lambda label: (votes[label], weights[label]))
    return {
        "label": label,
        "losses": votes[label],
        "of": len(opinions),
        "unknown": sum(said) if (said := _known(one["unknown"] for one in opinions)) else None,
    }
