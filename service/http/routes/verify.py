"""Pairs: do two images, vectors or stored items show the same class?"""

import asyncio
from functools import partial
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from models.evidence.pairs import PairsSection
from service.errors import (
    IndexUnavailable,
    PairsNotMeasured,
    PairsOfAnotherMetric,
    RateUnreachable,
    VectorsOfAnotherModel,
)
from service.http.requests.body import media_type
from service.http.requests.negotiation import JSON
from service.http.requests.vectors import read_vectors
from service.http.requests.verify import VERIFY_BODY, Compared, VerifyQuery, read_compared
from service.http.responses.answers import Header, as_json, server_timing
from service.http.responses.problems import VECTOR_ERRORS, problems
from service.http.responses.verify import VerifyResponse, show_threshold
from service.http.routes.direct import DirectRoute
from service.http.routes.search_target import SearchTarget, target_of
from service.http.state import Parts
from service.inference.capacity import Room
from service.inference.engine import Engine
from service.inference.gallery import COLLECTION
from service.inference.verification import decide, pair_scores, pairs_of, probabilities
from service.vectors.errors import UnknownItem
from service.vectors.protocol import Vectors

router = APIRouter(tags=["images"], route_class=DirectRoute)


@router.post(
    "/verify",
    response_model=VerifyResponse,
    responses=problems(
        *VECTOR_ERRORS,
        UnknownItem,
        IndexUnavailable,
        PairsNotMeasured,
        PairsOfAnotherMetric,
        RateUnreachable,
        VectorsOfAnotherModel,
    ),
    openapi_extra=VERIFY_BODY,
)
async def verify(
    request: Request, parts: Parts, query: Annotated[VerifyQuery, Query()]
) -> Response:
    """Decide whether two show the same class; the first is compared with each of the others.

    The threshold keeps `far` or `frr`, or is `threshold`; `far=0.01` where none is given. The
    probability is calibrated for a share `prior` of pairs of one class: 0.5 where it is not given.
    """
    place = await target_of(parts, query.collection, query.loss, query.version)
    engine = await place.engine()
    section = pairs_of(engine)
    if place.metric != section.metric:
        raise PairsOfAnotherMetric(query.collection, place.metric, section.metric)
    check_threshold(section, query.threshold)
    decision = decide(section, query.wanted)
    room = engine.reserve() if media_type(request.scope) != JSON else None
    compared = await read_compared(request, query, parts.settings)
    with parts.patience.waiting(request.receive):
        vectors, *headers = await _vectors(place, engine, compared, room)
    scores = pair_scores(section, vectors[0], vectors[1:])
    listed = _listed(
        compared, scores, probabilities(section, scores, query.prior), scores >= decision.threshold
    )
    body = {
        **place.names,
        "precision": engine.precision,
        "score": section.score,
        "prior": query.prior,
        "threshold": show_threshold(decision),
        "pairs": listed,
    }
    return as_json(body, *headers)


def check_threshold(section: PairsSection, threshold: float | None) -> None:
    """Raise RequestValidationError for a threshold that no score can have."""
    low, high = (-1.0, 1.0) if section.metric == "cosine" else (-np.inf, 0.0)
    if threshold is not None and not low <= threshold <= high:
        range_ = "between -1 and 1, a cosine" if section.metric == "cosine" else "at most 0"
        message = f"must be {range_} (got {threshold:g})"
        raise RequestValidationError([{"loc": ("query", "threshold"), "msg": message}])


async def _vectors(
    place: SearchTarget, engine: Engine, compared: Compared, room: Room | None
) -> tuple[Vectors, *tuple[Header, ...]]:
    """All of them, in order. What needs no model comes first, so that its faults cost nothing."""
    given = compared.model_sha256
    if place.names["collection"] != COLLECTION:
        place.check_hash(given)
    elif given not in (None, engine.model_sha256):
        raise VectorsOfAnotherModel(engine.manifest.name, engine.manifest.version, given)
    read = partial(read_vectors, compared.vectors, place.dimension, place.metric)
    rows = [await asyncio.to_thread(read)] if compared.vectors else []
    if compared.ids:
        rows.append(await place.vectors(compared.ids))
    if not compared.images:
        return (np.concatenate(rows),)
    with room or engine.reserve() as held:
        answer = await engine.answer(compared.images, held)
    return np.concatenate([answer.outputs.embedding, *rows]), server_timing(answer)


def _listed(compared: Compared, *columns: Any) -> list[dict[str, Any]]:
    kinds: list[tuple[str, str | None]] = [
        *[("image", None)] * len(compared.images),
        *[("vector", None)] * len(compared.vectors),
        *(("item", item) for item in compared.ids),
    ]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        {"of": kind, "id": item, "score": score, "probability": probability, "same": same}
        for (kind, item), (score, probability, same) in zip(kinds[1:], rows, strict=True)
    ]
