"""The labels of a collection: named by the nearest items, and how good that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.collections import Collection, SearchHit
from service.collections.errors import ModelMismatch, NoLabels, OneLabel
from service.collections.labels.evaluation import FALSE_UNKNOWN, Evaluation
from service.collections.labels.vote import NOBODY
from service.errors import IndexUnavailable, PrecisionMismatch
from service.http.requests.images import read_images
from service.http.responses.answers import as_json, server_timing
from service.http.responses.collections import thumbnail_address
from service.http.responses.labels import CollectionEvaluation, show_evaluation, shown_shares
from service.http.responses.problems import COLLECTION_ERRORS, problems
from service.http.routes.collection_threads import read
from service.http.routes.model_binding import check_model, engine_of
from service.http.state import Parts, Services
from service.vectors.filters import Condition
from service.vectors.protocol import Vectors
from service.vectors.query import Search

router = APIRouter(prefix="/collections/{name}", tags=["collections"])
LABEL_ERRORS = (NoLabels, OneLabel, ModelMismatch, PrecisionMismatch, IndexUnavailable)


class EvaluationQuery(BaseModel):
    """The error that the threshold for unknown may make."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    false_unknown: float = Field(
        FALSE_UNKNOWN,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="the share of known images that may be called unknown",
    )


@router.get("/evaluation", responses=problems(*COLLECTION_ERRORS, NoLabels, OneLabel))
async def evaluation(
    request: Request, parts: Parts, name: str, query: Annotated[EvaluationQuery, Query()]
) -> CollectionEvaluation:
    """Say how well the labels are named by neighbors: every item by all the others."""

    def work() -> CollectionEvaluation:
        collection = parts.library.get(name)
        found = parts.evaluations.current(collection)
        rule = found.unknown_rule(query.false_unknown)
        return show_evaluation(name, collection.spec.metric, found, rule)

    return await read(request, parts, work)


@dataclass(frozen=True)
class Naming:
    """The collection whose labels are named, and how many are listed."""

    collection: str
    loss: str | None
    version: int | None
    top_k: int


async def name_labels(
    request: Request, parts: Services, naming: Naming, false_unknown: float | None
) -> Response:
    """Name the label of each image by the nearest items; what keeps it from that comes first."""
    collection = await parts.threads.read(partial(parts.library.get, naming.collection))
    spec = collection.spec
    check_model(spec, naming.loss, naming.version)
    engine = await engine_of(parts.catalog, spec)
    with parts.patience.waiting(request.receive):
        found = await parts.threads.read(partial(parts.evaluations.recent, collection))
    with engine.reserve() as room:
        images = await read_images(request.scope, request.receive, parts.settings)
        with parts.patience.waiting(request.receive):
            answer = await engine.answer(images, room)
            work = partial(_hits, parts, collection, found, answer.outputs.embedding)
            hits = await parts.threads.read(work)
    if spec.metric == "cosine":
        tally = parts.metrics.predictions.of(engine.bundle)
        tally.note_nearest(near[0].score for near in hits)
    share = FALSE_UNKNOWN if false_unknown is None else false_unknown
    body = {
        "loss": spec.loss,
        "version": spec.version,
        "precision": spec.precision,
        "collection": spec.name,
        "sequence": found.sequence,
        "fitted": found.fitted,
        "k": found.confidence.rule.k,
        "warnings": list(found.warnings),
        "predictions": _predictions(found, hits, share, naming),
    }
    return as_json(body, server_timing(answer))


def _hits(
    parts: Services, collection: Collection, found: Evaluation, vectors: Vectors
) -> list[list[SearchHit]]:
    labeled = (Condition("label", "in", found.names),) if found.unlabeled else ()
    started = perf_counter()
    hits = collection.search(vectors, Search(found.confidence.rule.k, labeled))
    parts.metrics.observe_search(perf_counter() - started)
    kept = [[hit for hit in near if hit.item.label is not None] for near in hits]
    if not all(kept):  # the labels went since they were evaluated
        raise NoLabels(collection.spec.name)
    return kept


def _predictions(
    found: Evaluation, hits: Sequence[Sequence[SearchHit]], false_unknown: float, naming: Naming
) -> list[dict[str, Any]]:
    names = {name: index for index, name in enumerate(found.names)}
    for near in hits:
        for hit in near:  # labels that came since the evaluation
            names.setdefault(str(hit.item.label), len(names))
    k = found.confidence.rule.k
    scores, labels = np.zeros((len(hits), k)), np.full((len(hits), k), NOBODY, np.int64)
    for row, near in enumerate(hits):
        scores[row, : len(near)] = [hit.score for hit in near]
        labels[row, : len(near)] = [names[str(hit.item.label)] for hit in near]
    votes = found.confidence.rule.votes(scores, labels)
    probabilities = found.confidence.probability(votes).tolist()
    rule = found.unknown_rule(false_unknown)
    return [
        _shown(
            near, shares, probability, None if rule is None else nearest < rule.threshold, naming
        )
        for near, shares, probability, nearest in zip(
            hits, votes.shares.tolist(), probabilities, votes.nearest.tolist(), strict=True
        )
    ]


def _shown(
    near: Sequence[SearchHit],
    shares: Sequence[float],
    probability: float,
    unknown: bool | None,
    naming: Naming,
) -> dict[str, Any]:
    by_label: dict[str, float] = {}
    for hit, share in zip(near, shares, strict=False):
        by_label.setdefault(str(hit.item.label), share)
    label = max(by_label, key=lambda one: by_label[one])  # of equals the nearest
    return {
        "label": label,
        "probability": probability,
        "unknown": unknown,
        "nearest": near[0].score,
        "top": shown_shares(by_label, label, probability)[: naming.top_k],
        "items": [
            {
                "id": hit.item.id,
                "score": hit.score,
                "thumbnail": thumbnail_address(naming.collection, hit.item),
            }
            for hit in near
            if hit.item.label == label
        ],
    }
