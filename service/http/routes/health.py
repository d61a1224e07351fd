"""Liveness, readiness and metrics of the service."""

from typing import Any

from fastapi import APIRouter, Response, status

from service.http.observability import metrics
from service.http.responses.problems import problems
from service.http.responses.schemas import Liveness, ModelState, Readiness
from service.http.state import Parts

router = APIRouter(tags=["health"])
_NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": Readiness, "description": "Models are loading, or none can be served"}
}


@router.get("/health/live")
async def live() -> Liveness:
    """Answer that the process runs."""
    return Liveness()


@router.get("/health/ready", responses=_NOT_READY)
async def ready(parts: Parts, response: Response) -> Readiness:
    """Answer 200 once every model that is not damaged has answered its golden batch."""
    catalog = parts.catalog
    models = [ModelState(**entry.facts()) for entry in catalog.defaults()]
    if catalog.ready:
        return Readiness(status="ready", models=models)
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    loading = any(model.state == "loading" for model in models)
    return Readiness(status="loading" if loading else "unavailable", models=models)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems()},
)
async def show_metrics(parts: Parts) -> Response:
    """Show what Prometheus collects."""
    return Response(parts.metrics.exposition(), media_type=metrics.CONTENT_TYPE)
