"""The models that are served, and the thumbnails of their galleries."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from models.errors import BundleDamaged, BundleNotFound
from service.http.pages.comparisons_view import list_comparisons
from service.http.pages.models_view import ModelRow, answers
from service.http.pages.tabs import tabs_of
from service.http.requests.negotiation import PAGE_TOO, VARYING, Accept, wants_page
from service.http.requests.parameters import Whole
from service.http.responses.problems import MODEL_ERRORS, problems
from service.http.responses.schemas import ModelDetail, ModelList
from service.http.state import Parts, Services
from service.inference.catalog import Catalog
from service.inference.model_entry import ModelEntry
from service.registry.errors import UnknownThumbnail

router = APIRouter(prefix="/models", tags=["models"])
_FOREVER = "private, max-age=31536000, immutable"  # the address names the version


@router.get("", response_model=ModelList, responses=PAGE_TOO | problems())
async def list_models(
    parts: Parts, response: Response, accept: Accept = None
) -> ModelList | Response:
    """List the default version of every model, with its state and manifest.

    The page lists every version.
    """
    catalog = parts.catalog
    response.headers.update(VARYING)
    if wants_page(accept):
        entries = [each for one in catalog.defaults() for each in catalog.versions(one.name)]
        rows = [await _row(parts, entry) for entry in entries]
        return parts.pages.models(catalog.default, rows)
    models = [_detail(catalog, entry) for entry in catalog.defaults()]
    comparisons = list_comparisons(parts.comparisons)
    return ModelList(default=catalog.default, models=models, comparisons=comparisons)


@router.get("/{loss}", response_model=ModelDetail, responses=PAGE_TOO | problems(BundleNotFound))
async def show_model(
    parts: Parts,
    loss: str,
    response: Response,
    version: Whole | None = None,
    accept: Accept = None,
) -> ModelDetail | Response:
    """Show one model, by default the version that answers."""
    entry = parts.catalog.entry(loss, version)
    response.headers.update(VARYING)
    if wants_page(accept):
        tabs = tabs_of(parts.catalog, "card", entry.name, entry.version)
        return parts.pages.model(await _row(parts, entry), tabs)
    return _detail(parts.catalog, entry)


@router.get(
    "/{loss}/thumbnails/{row}.jpg",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        **problems(*MODEL_ERRORS, UnknownThumbnail),
    },
)
async def thumbnail(
    parts: Parts,
    loss: str,
    row: Annotated[Whole, Path(ge=0)],
    version: Whole | None = None,
) -> Response:
    """Show one item of the model's gallery as a small JPEG."""
    engine = await parts.catalog.engine(loss, version)
    caching = "no-cache" if version is None else _FOREVER
    return Response(engine.gallery.thumbnail(row), 200, {"Cache-Control": caching}, "image/jpeg")


async def _row(parts: Services, entry: ModelEntry) -> ModelRow:
    whom = answers(entry, parts.catalog.default)
    try:
        described = await parts.shelf.describe(entry.name, entry.version)
    except (BundleDamaged, BundleNotFound) as error:
        return ModelRow(entry, whom, None, str(error))
    return ModelRow(entry, whom, described, entry.reason)


def _detail(catalog: Catalog, entry: ModelEntry) -> ModelDetail:
    batcher = entry.engine.batcher if entry.engine else None
    return ModelDetail(
        **entry.facts(),
        batch_limit=batcher.limits.max_batch if batcher else None,
        queue_limit=batcher.capacity.limit if batcher else None,
        versions=[other.version for other in catalog.versions(entry.name)],
        manifest=entry.engine.manifest if entry.engine else None,
    )
