"""Evaluations: JSON for programs, pages for people, from the same addresses."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, model_validator

from models.errors import ComparisonDamaged
from models.report import Report
from reports.across import across
from service.errors import PairsNotMeasured, PrecisionMismatch, RateUnreachable
from service.http.pages.comparisons_view import list_comparisons
from service.http.pages.report_view import answer_threshold, summarize
from service.http.pages.tabs import tabs_of
from service.http.requests.negotiation import JSON, PAGE_TOO, VARYING, Accept, wants_page
from service.http.requests.parameters import Whole
from service.http.requests.verify import ThresholdQuery
from service.http.responses.problems import MODEL_ERRORS, problems
from service.http.responses.schemas import ModelState, ReportOverview, ThresholdAnswer
from service.http.responses.verify import PairThresholdAnswer, show_pair_threshold
from service.http.routes.verify import check_threshold
from service.http.state import Parts
from service.inference.verification import decide, pairs_of
from service.registry.errors import UnknownComparison, UnknownFigure

router = APIRouter(prefix="/report", tags=["report"])
MaxError = Annotated[float, Query(ge=0, le=1, description="share of wrong answers to stay below")]
Named = Annotated[
    str | None,
    Query(description="which comparison; by default the one published without a name, if any"),
]
_SVG = "image/svg+xml"
_SVG_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
}
_FIGURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {_SVG: {"schema": {"type": "string"}}}}
}


@router.get("", response_model=ReportOverview, responses=PAGE_TOO | problems(UnknownComparison))
async def overview(parts: Parts, comparison: Named = None, accept: Accept = None) -> Response:
    """Compare the losses: over several seeds, and the headline of every model's report."""
    compared, reports = parts.comparisons.named(comparison), parts.comparisons.reports
    engines = [(entry, entry.engine) for entry in parts.catalog.defaults()]
    found = ReportOverview(
        comparison=compared.report,
        comparison_damage=compared.damage,
        comparisons=list_comparisons(parts.comparisons),
        across=list(across(reports)),
        losses=[summarize(one.bundle.report, one.manifest) for _, one in engines if one],
        unavailable=[ModelState(**entry.facts()) for entry, one in engines if not one],
    )
    if wants_page(accept):
        return _varying(parts.pages.overview(found, reports))
    return _varying(Response(found.model_dump_json(), media_type=JSON))


@router.get(
    "/figures/{name}.svg",
    response_class=Response,
    responses=_FIGURE | problems(ComparisonDamaged, UnknownComparison, UnknownFigure),
)
async def comparison_figure(parts: Parts, name: str, comparison: Named = None) -> Response:
    """Show one figure of the comparison."""
    return Response(parts.comparisons.named(comparison).figure(name), 200, _SVG_HEADERS, _SVG)


@router.get("/{loss}", response_model=Report, responses=PAGE_TOO | problems(*MODEL_ERRORS))
async def show(
    parts: Parts,
    loss: str,
    version: Whole | None = None,
    max_error: MaxError | None = None,
    accept: Accept = None,
) -> Response:
    """Show one model's evaluation, as JSON or as a page.

    With `max_error` the page also says which threshold meets it.
    """
    engine = await parts.catalog.engine(loss, version)
    report, manifest = engine.bundle.report, engine.manifest
    if not wants_page(accept):
        return _varying(Response(report.model_dump_json(), media_type=JSON))
    asked = None if max_error is None else answer_threshold(report, manifest, max_error)
    tabs = tabs_of(parts.catalog, "report", loss, manifest.version)
    return _varying(parts.pages.report(report, manifest, asked, tabs))


class ThresholdAsked(ThresholdQuery):
    """The rate of errors to keep: of classes with `max_error`, else of pairs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Whole | None = Field(None, description="a published version; the newest where absent")
    max_error: float | None = Field(
        None, ge=0, le=1, description="share of wrong classes to stay below"
    )

    @model_validator(mode="after")
    def _one_exactly(self) -> "ThresholdAsked":
        pairs = self.wanted.chosen_by != "default"
        if pairs == (self.max_error is not None):
            raise ValueError("give one of max_error, far, frr and threshold")
        return self


@router.get(
    "/{loss}/threshold",
    responses=problems(*MODEL_ERRORS, PairsNotMeasured, PrecisionMismatch, RateUnreachable),
)
async def threshold(
    parts: Parts, loss: str, query: Annotated[ThresholdAsked, Query()]
) -> ThresholdAnswer | PairThresholdAnswer:
    """Find a threshold by the errors that it may make.

    With `max_error`: the probability to ask for, so that at most that share of the classes named is
    wrong. With `far`, `frr` or `threshold`: the score from which on two images are called the same.
    """
    engine = await parts.catalog.engine(loss, query.version)
    if query.max_error is not None:
        return answer_threshold(engine.bundle.report, engine.manifest, query.max_error)
    section = pairs_of(engine)
    check_threshold(section, query.threshold)
    manifest = engine.manifest
    return show_pair_threshold(manifest.name, manifest.version, decide(section, query.wanted))


@router.get(
    "/{loss}/figures/{name}.svg",
    response_class=Response,
    responses=_FIGURE | problems(*MODEL_ERRORS, UnknownFigure),
)
async def figure(parts: Parts, loss: str, name: str, version: Whole | None = None) -> Response:
    """Show one figure of a report."""
    bundle = (await parts.catalog.engine(loss, version)).bundle
    path = bundle.figure_path(name)
    if path is None:
        raise UnknownFigure(name, tuple(figure.name for figure in bundle.report.figures))
    return Response(await asyncio.to_thread(path.read_bytes), 200, _SVG_HEADERS, _SVG)


def _varying(response: Response) -> Response:
    response.headers.update(VARYING)
    return response
